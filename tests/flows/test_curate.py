"""Curation alone: a dataset that is there, in whatever form, without its bad rows; records that stay are as they were."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.errors import ConfigError
from tests.flows.test_instruction_sft import rule, sft
from tests.flows.test_preference_dpo import dpo, judged

Scripted = Callable[..., Any]
TOWN, RIVER, MOON = "Name a town in Spain.", "Which river flows through Ulm?", "Why does the moon have phases?"
GOOD, REFUSED, LEAKED = "The Danube does.", "I'm sorry, but I can't help with that.", "Sevilla.<|im_end|>"
ASKED = [(TOWN, "Sevilla."), (RIVER, GOOD), (TOWN.upper(), "Cadiz."), (MOON, REFUSED), ("Name another town.", LEAKED)]
STAY = [0, 1]


def curate(source: Any, **options: Any) -> dict[str, Any]:
    from flows.curate import curate as flow
    from flows.curate_dataset import CurateDataset

    dry = options.pop("dry_run", False)
    return flow(CurateDataset(**{"source": source, "out": "curated"} | options), dry_run=dry)


def lines(path: str, records: list[dict[str, Any]]) -> str:
    Path(path).write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


FORMS: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "messages": lambda asked, answer: {"messages": [user(asked), said(answer)], "topic": "towns", "level": 3},
    "our columns": lambda asked, answer: {"instruction": asked, "response": answer, "system": "Be brief."},
    "Alpaca": lambda asked, answer: {"instruction": asked, "input": "", "output": answer},
    "ShareGPT": lambda asked, answer: {
        "conversations": [{"from": "human", "value": asked}, {"from": "gpt", "value": answer}]
    },
    "prompt and completion": lambda asked, answer: {"prompt": [user(asked)], "completion": [said(answer)]},
    "texts": lambda asked, answer: {"prompt": asked, "completion": answer},
    "TRL pairs": lambda asked, answer: {"prompt": [user(asked)], "chosen": [said(answer)], "rejected": [said("No.")]},
    "TRL pairs of texts": lambda asked, answer: {"prompt": asked, "chosen": answer, "rejected": "No."},
    "whole pairs": lambda asked, answer: {
        "chosen": [user(asked), said(answer)],
        "rejected": [user(asked), said("No.")],
        "margin": 0.5,
    },
}


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
@pytest.mark.parametrize("form", FORMS)
def test_records_that_stay_are_as_they_were(form: str, kind: str, prefect_server: str, home: Path) -> None:
    records = [FORMS[form](*one) for one in ASKED]
    file = lines("data.jsonl", records)
    if kind == "parquet":
        pl.DataFrame(records).write_parquet(file := "data.parquet")
    summary = curate(file)
    made = pl.read_parquet("curated/data/train.parquet")
    assert made.drop("row_id").to_dicts() == [records[at] for at in STAY]
    rejects = pl.read_parquet("curated/rejects.parquet")
    assert sorted(rejects["reason"]) == ["control_token", "duplicate", "refusal"]
    assert rejects["kind"].unique().to_list() == ["filtered"]
    assert (summary["rows"], summary["rejects"], summary["requests"]) == (2, 3, 0)


def test_a_dataset_of_ours_keeps_its_ids_and_curated_again_it_stays_byte_for_byte(scripted: Scripted) -> None:
    scripted(rule)
    sft(recipe="respond", seeds=[TOWN, RIVER, MOON], curate=None, out="made")
    scripted(judged)
    dpo(recipe="basic", instructions=[TOWN, RIVER, MOON], curate=None, out="pairs")
    for folder in ("made", "pairs"):
        before = pl.read_parquet(f"{folder}/data/train.parquet")
        curate(folder, out=f"{folder}-1")
        after = pl.read_parquet(f"{folder}-1/data/train.parquet")
        assert after.equals(before.select(after.columns))
        assert set(after.columns) == set(before.columns)
        assert curate(f"{folder}-1", out=f"{folder}-2")["rejects"] == 0
        assert (
            Path(f"{folder}-1/data/train.parquet").read_bytes() == Path(f"{folder}-2/data/train.parquet").read_bytes()
        )


def test_a_second_run_reads_its_shards_from_the_cache(prefect_server: str, home: Path) -> None:
    file = lines("data.jsonl", [FORMS["messages"](f"{RIVER} {at}", GOOD) for at in range(50)])
    first = curate(file)
    again = curate(file)
    assert (first["tables_reused"], again["tables_reused"]) == (0, 2)
    assert again["revision"] == 1


def test_a_dry_run_tells_what_would_go_and_writes_nothing(prefect_server: str, home: Path) -> None:
    file = lines("data.jsonl", [FORMS["messages"](*one) for one in ASKED])
    there = sorted(Path().iterdir())
    told = curate(file, dry_run=True)
    assert sorted(Path().iterdir()) == sorted([*there, Path("home")])
    assert [path.name for path in (home / "tables").rglob("*.parquet")] == []
    assert (told["source"], told["rows_in"], told["rows"]) == (file, 5, 2)
    assert [(one["step"], one["reason"], one["rows"]) for one in told["gone"]] == [
        ("filters", "control_token", 1),
        ("filters", "refusal", 1),
        ("deduplicate", "duplicate", 1),
    ]
    assert [one["examples"][0]["text"].split(" / ")[0] for one in told["gone"]] == [LEAKED, REFUSED, TOWN.upper()]
    assert curate(file)["rows"] == 2


@pytest.mark.parametrize("form", FORMS)
def test_a_dry_run_of_a_parquet_file_shows_what_is_asked_before_the_answer(form: str, connected: Path) -> None:
    from tests.flows.command.in_process import run_command

    pl.DataFrame([FORMS[form](*one) for one in ASKED]).write_parquet("data.parquet")
    ran = run_command("curate", "data.parquet", "--dry-run", "--json")
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    assert (told["rows_in"], told["rows"]) == (5, 2)
    [duplicate] = [one["examples"][0]["text"] for one in told["gone"] if one["reason"] == "duplicate"]
    assert duplicate.index(TOWN.upper()) < duplicate.index("Cadiz.")
    assert not Path("datasets").exists()


def test_what_is_switched_off_takes_nothing_and_a_copy_of_a_record_is_one_row(prefect_server: str, home: Path) -> None:
    records = [FORMS["messages"](*one) for one in ASKED]
    summary = curate(lines("data.jsonl", [*records, records[1]]), curate=None)
    assert pl.read_parquet("curated/data/train.parquet").drop("row_id").to_dicts() == records
    assert pl.read_parquet("curated/rejects.parquet")["reason"].to_list() == ["duplicate_record"]
    assert summary["rejects"] == 1


def test_rows_without_an_answer_and_pairs_of_equal_sides_go(prefect_server: str, home: Path) -> None:
    talks = [{"messages": [user(TOWN)]}, {"messages": [user(RIVER), said(GOOD)]}]
    assert curate(lines("talks.jsonl", talks), out="a")["rows"] == 1
    assert pl.read_parquet("a/rejects.parquet")["reason"].to_list() == ["no_answer"]
    pairs = [
        {"prompt": TOWN, "chosen": "Ulm.", "rejected": "Ulm."},
        {"prompt": RIVER, "chosen": GOOD, "rejected": "No."},
    ]
    assert curate(lines("pairs.jsonl", pairs), out="b")["rows"] == 1
    assert pl.read_parquet("b/rejects.parquet")["reason"].to_list() == ["equal_sides"]
    prompts = [{"instruction": TOWN}, {"instruction": TOWN}, {"instruction": RIVER}]
    assert curate(lines("prompts.jsonl", prompts), out="c")["rows"] == 2


def test_conversations_with_tools_and_wanted_and_unwanted_answers_stay(prefect_server: str, home: Path) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "find", "arguments": '{"town": "Ulm"}'}}
    tools = [{"messages": [user(RIVER), {"role": "assistant", "content": None, "tool_calls": [call]}]}]
    assert curate(lines("tools.jsonl", tools), out="a")["rows"] == 1
    assert pl.read_parquet("a/data/train.parquet")["messages"][0].to_list()[1]["tool_calls"] == [call]
    kto = [
        {"prompt": [user(TOWN)], "completion": [said(answer)], "label": label}
        for answer, label in (("Sevilla.", True), (REFUSED, False))
    ]
    assert curate(lines("kto.jsonl", kto), out="b")["rows"] == 2


def test_columns_of_several_kinds_are_kept_as_json_unless_they_are_what_is_said(
    prefect_server: str, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    records = [
        {"instruction": TOWN, "output": "Ulm.", "meta": {}, "id": 1},
        {"instruction": RIVER, "output": GOOD, "id": "two"},
    ]
    curate(lines("data.jsonl", records))
    made = pl.read_parquet("curated/data/train.parquet")
    assert (made["meta"].to_list(), made["id"].to_list()) == (["{}", None], ["1", '"two"'])
    assert "kept as JSON: id, meta" in caplog.text
    mixed = [{"messages": [user(TOWN), said("Ulm.")]}, {"messages": json.dumps([user(RIVER), said(GOOD)])}]
    with pytest.raises(ConfigError, match=r"messages in mixed\.jsonl|column messages"):
        curate(lines("mixed.jsonl", mixed))


@pytest.mark.parametrize("out", ["data", "data/below", "."])
def test_a_dataset_is_never_written_where_it_is_read_from(out: str, home: Path) -> None:
    Path("data").mkdir(parents=True)
    lines("data/train.jsonl", [FORMS["messages"](TOWN, "Ulm.")])
    with pytest.raises(ConfigError, match="would be written where it is read from"):
        curate("data", out=out)


def test_rows_are_chosen_with_no_model_but_the_embedder(connected: Path) -> None:
    from tests.flows.command.in_process import run_command

    source = lines("data.jsonl", [FORMS["messages"](TOWN, GOOD), FORMS["messages"](RIVER, f"It is: {GOOD}")])
    chosen = run_command("curate", source, "--rows", "1", "--set", "curate.diversify.by=longest", "--out", "chosen")
    assert chosen.returncode == 0, chosen.stderr
    assert "curation took out 1 of 2 rows: not_selected 1" in chosen.stdout
    [row] = pl.read_parquet("chosen/data/train.parquet").to_dicts()
    assert row["messages"][0]["content"] == RIVER


def test_no_row_left_is_exit_3_of_the_command_and_a_mistake_2(prefect_server: str, home: Path) -> None:
    from tests.flows.command.in_process import run_command

    bad = lines("bad.jsonl", [FORMS["messages"](MOON, REFUSED)])
    nothing = run_command("curate", bad, "--out", "none")
    assert (nothing.returncode, "refusal 1" in nothing.stderr) == (3, True)
    missing = run_command("curate", "nowhere.jsonl", "--out", "none")
    assert (missing.returncode, missing.stderr) == (
        2,
        missing.stderr,
    ) and "no such file: nowhere.jsonl" in missing.stderr
    good = lines("good.jsonl", [FORMS["messages"](*one) for one in ASKED])
    dry = run_command("curate", good, "--dry-run")
    assert dry.returncode == 0
    assert f"{good}: 5 rows, 2 would stay; nothing was written" in dry.stdout
    assert "deduplicate: duplicate: 1" in dry.stdout
    assert (
        "curation took out 3 of 5 rows: control_token 1, refusal 1, duplicate 1" in run_command("curate", good).stdout
    )
    assert Path("datasets/good-curated/README.md").exists()
    assert "curation took out none of 2 rows" in run_command("curate", "datasets/good-curated").stdout
    told = run_command("curate", good, "--out", "kept", "--set", "curate.filters=null", "--json")
    assert (told.returncode, json.loads(told.stdout)["rows"]) == (0, 4)
    own = run_command(
        "curate", lines("own.jsonl", [{"row_id": "a1", "prompt": TOWN, "completion": "Ulm."}]), "--dry-run"
    )
    assert (own.returncode, "row_id is the name of our ids" in own.stderr) == (2, True)


def test_shuffled_records_are_kept_all_the_same(prefect_server: str, home: Path) -> None:
    records = [FORMS["messages"](f"{RIVER} {at}", [GOOD, REFUSED, LEAKED][at % 3]) for at in range(30)]
    curate(lines("one.jsonl", records), out="a")
    curate(lines("two.jsonl", sorted(records, key=lambda one: json.dumps(one)[::-1])), out="b")
    one, two = (pl.read_parquet(f"{folder}/data/train.parquet") for folder in "ab")
    assert one.height == 10
    assert one.sort("row_id").equals(two.sort("row_id"))


def test_a_turn_of_the_assistant_that_says_nothing_is_no_answer(prefect_server: str, home: Path) -> None:
    records = [{"messages": [user("A?"), said("One.")]}, {"messages": [user("B?"), said(" ")]}]
    assert curate(records)["rows"] == 1
    assert pl.read_parquet("curated/rejects.parquet")["reason"].to_list() == ["no_answer"]


def test_what_was_curated_of_conversations_is_exported(prefect_server: str, home: Path) -> None:
    from tasks.publish.derive import Derived
    from tasks.publish.export import export, exportable_at

    curate([{"messages": [user("A?"), said("One.")]}, {"messages": [user("B?"), said("Two.")]}])
    _, line = exportable_at(Path("curated"))
    assert export(Path("curated"), Derived(line.kind, ("sharegpt",)), "exported").rows == {"sharegpt": 2}


def test_what_was_curated_of_pairs_is_exported(scripted: Scripted) -> None:
    from tasks.publish.derive import Derived
    from tasks.publish.export import export, exportable_at

    scripted(judged)
    dpo(recipe="basic", instructions=[f"question {at}" for at in range(8)])
    curate("pairs")
    kept = pl.read_parquet("curated/data/train.parquet")
    _, line = exportable_at(Path("curated"))
    made = export(Path("curated"), Derived(line.kind, ("dpo", "kto", "sharegpt")), "exported")
    assert (line.kind, made.rows) == ("dpo", {"dpo": kept.height, "kto": 2 * kept.height, "sharegpt": kept.height})
    whole = pl.read_parquet("exported/data/train.parquet")
    assert kept.height and whole.select("prompt", "chosen", "rejected").equals(
        kept.select("prompt", "chosen", "rejected")
    )


def test_a_number_that_is_none_becomes_null_and_is_told_once(prefect_server: str, home: Path) -> None:
    from tasks.notices import heard

    records = [{"messages": [user(asked), said(answer)], "score": float("nan")} for asked, answer in ASKED[:2]]
    told: list[str] = []
    with heard(told.append):
        curate(lines("scored.jsonl", [*records, {**records[0], "messages": [user(MOON), said(GOOD)], "score": 0.5}]))
    assert pl.read_parquet("curated/data/train.parquet")["score"].to_list() == [None, None, 0.5]
    [line] = [one for one in told if "NaN" in one]
    assert line.startswith("scored.jsonl: NaN is no value of JSON: it is read as null")


@pytest.mark.parametrize("form", FORMS)
def test_what_was_curated_in_any_form_is_exported(form: str, prefect_server: str, home: Path) -> None:
    from tasks.publish.derive import Derived
    from tasks.publish.export import export, exportable_at

    curate([FORMS[form](*one) for one in ASKED])
    kept = pl.read_parquet("curated/data/train.parquet")
    _, line = exportable_at(Path("curated"))
    is_paired = "pairs" in form
    assert line.kind == ("dpo" if is_paired else "sft")
    export(Path("curated"), Derived(line.kind, ("dpo" if is_paired else "messages", "sharegpt")), "exported")
    made = pl.read_parquet("exported/data/train.parquet")
    assert made["row_id"].to_list() == kept["row_id"].to_list()
    system = [{"role": "system", "content": "Be brief."}] if form == "our columns" else []
    for row, at in zip(made.to_dicts(), STAY, strict=True):
        asked, answer = ASKED[at]
        if is_paired:
            assert (row["prompt"], row["chosen"]) == ([user(asked)], [said(answer)])
            assert row["rejected"] == [said("No.")]
        else:
            assert row["messages"] == [*system, user(asked), said(answer)]


def test_what_was_curated_without_answers_is_told_not_to_be_exported(prefect_server: str, home: Path) -> None:
    from tasks.publish.export import exportable_at

    curate([{"instruction": "A?", "topic": "letters"}])
    with pytest.raises(ConfigError, match="keeps its own columns"):
        exportable_at(Path("curated"))


@pytest.mark.parametrize("form", FORMS)
def test_the_report_shows_what_was_curated_in_any_form(form: str, prefect_server: str, home: Path) -> None:
    from tasks.publish.report.page import write_report

    curate([FORMS[form](*one) for one in ASKED])
    text = write_report(Path("curated")).read_text()
    assert TOWN in text and "Sevilla." in text
