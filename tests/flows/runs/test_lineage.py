"""A dataset over many nights, under Prefect: revisions and incremental runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.errors import ConfigError
from tasks.models.base import Request
from tests.flows.test_instruction_sft import Scripted, dataset_bytes, rule, sft
from tests.flows.test_preference_dpo import dpo, judged

QUESTIONS = [f"question {i}" for i in range(40)]
Rule = Callable[[Request], str]


def text_of(request: Request) -> str:
    assert request.messages is not None
    return request.messages[-1]["content"]


def failing(good: Rule, fails: Callable[[str], bool]) -> Rule:
    """The rule, but an empty answer wherever `fails` holds of what is asked."""
    return lambda request: "" if request.messages and fails(text_of(request)) else good(request)


def asked(folder: str = "out") -> list[str]:
    """The question of each row of a dataset, in order."""
    return [turns[0]["content"] for turns in pl.read_parquet(f"{folder}/data/train.parquet")["messages"]]


def answers(folder: str = "out") -> list[str]:
    return [turns[-1]["content"] for turns in pl.read_parquet(f"{folder}/data/train.parquet")["messages"]]


def publications(folder: str = "out") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(folder, "revisions.jsonl").read_text().splitlines()]


def loaded(tmp_path: Path, version: str | None = None) -> list[str]:
    from datasets import load_dataset

    rows = load_dataset(str(tmp_path / "out"), version, split="train", cache_dir=str(tmp_path / f"cache-{version}"))
    return [turns[0]["content"] for turns in rows["messages"]]


def retry(run: str | None = None, **options: Any) -> dict[str, Any]:
    from flows.retry_failed import retry_failed

    return retry_failed(run, **options)


def night(seeds: list[str] | None = None, **options: Any) -> dict[str, Any]:
    return sft(**{"recipe": "respond", "seeds": seeds, "incremental": True} | options)


def test_a_night_takes_only_new_seeds_and_publishes_the_union(scripted: Scripted, tmp_path: Path) -> None:
    model = scripted(rule)
    first = night(QUESTIONS[:30], shard_rows=7)
    assert (first["rows"], first["revision"], first["requests"]) == (30, 1, 30)
    before = pl.read_parquet("out/data/train.parquet")
    second = night([*reversed(QUESTIONS), "Question  4"], shard_rows=7)  # reordered, grown, and one said otherwise
    assert (second["rows"], second["requests"], second["revision"]) == (40, 11, 2)
    assert second["changes"] == {"added": 10, "changed": 0, "gone": 0}
    assert pl.read_parquet("out/data/train.parquet")[:30].equals(before)
    assert asked() == QUESTIONS[:30] + QUESTIONS[:29:-1]
    refused = pl.read_parquet("out/rejects.parquet").to_dicts()
    assert [(one["kind"], one["reason"], one["detail"]) for one in refused] == [
        ("filtered", "duplicate_of_earlier", before["row_id"][4])
    ]
    assert loaded(tmp_path, "r1") == QUESTIONS[:30]
    provenance = pl.read_parquet("out/provenance.parquet")
    assert set(pl.read_parquet("out/data/train.parquet")["row_id"]) <= set(provenance["row_id"])
    assert len(model.requests) == 41


def test_seeds_that_are_left_fill_shards_of_fixed_borders_up_to_the_most_of_a_night(home: Path) -> None:
    from flows.runs.candidates import SeedRows
    from tasks.engine.process import Settings
    from tasks.engine.row import seed_row_id
    from tasks.seeds.sources import open_source
    from tasks.storage.tables import write_stream

    home.mkdir(exist_ok=True)
    settings = Settings(run="sft-1", home=home, ledger="", tables=str(home / "tables"))
    seen = sorted(seed_row_id({"instruction": text}) for text in QUESTIONS[::2])
    write_stream(Path("seeds.parquet"), [pl.DataFrame({"row_id": seen})])
    rows = SeedRows(open_source(QUESTIONS + QUESTIONS[1:4]), settings, 4, 12, Path("seeds.parquet"))
    waves = [rows.take(6), rows.take(None), rows.take(None)]
    rows.close()
    assert [[table.rows for table in wave] for wave in waves] == [[4, 2], [2, 4], []]
    taken = [text for wave in waves for table in wave for text in table.read()["instruction"]]
    assert taken == QUESTIONS[1:25:2]
    assert not list(home.glob("seen-*"))


def test_a_repeated_seed_is_refused_whatever_an_earlier_run_has_made_of_the_same_shard(home: Path) -> None:
    from flows.runs.candidates import SeedRows
    from tasks.engine.process import Settings
    from tasks.seeds.sources import open_source

    home.mkdir(exist_ok=True)
    settings = Settings(run="sft-1", home=home, ledger="", tables=str(home / "tables"))
    for seeds, expected in (("abcd", [["a", "b"], ["c", "d"]]), ("accd", [["a", "c"], ["d"]])):
        rows = SeedRows(open_source(list(seeds)), settings, 2, None)
        assert [table.read()["instruction"].to_list() for table in rows.take(None)] == expected
        rows.close()


def test_a_night_without_new_seeds_costs_nothing_and_leaves_the_dataset_alone(scripted: Scripted) -> None:
    model = scripted(rule)
    night(QUESTIONS)
    before = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*")}
    again = night(QUESTIONS[::-1])
    assert (again["rows"], again["requests"], again["ledger_hits"], again["revision"]) == (40, 0, 0, 1)
    assert again["changes"] == {"added": 0, "changed": 0, "gone": 0}
    assert {path: path.stat().st_mtime_ns for path in Path("out").rglob("*")} == before
    assert len(model.requests) == 40


def test_the_same_nights_in_two_folders_give_the_same_bytes(
    scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(rule)
    written = []
    for folder in ("one", "two"):
        monkeypatch.setenv("STILLROOM_HOME", str(tmp_path / folder / "home"))
        for until in (20, 40):
            night(QUESTIONS[:until], out=f"{folder}/out", rows=12)
        written.append(dataset_bytes(tmp_path / folder / "out"))
    assert written[0] == written[1]
    assert "revisions/r1/data/train.parquet" in written[0]


def test_rows_are_those_of_a_night_and_what_was_surplus_stands_first_in_the_next(scripted: Scripted) -> None:
    model = scripted(rule)
    seen: list[str] = []
    for rows in (10, 20, 30):
        summary = night(QUESTIONS, rows=10)
        assert (summary["rows"], summary["changes"]["added"]) == (rows, 10)
        assert asked()[: len(seen)] == seen
        seen = asked()
    assert seen == QUESTIONS[:30]
    assert len(model.requests) == 31  # the surplus of each night came from the ledger in the next


@pytest.mark.parametrize("start_from", ["magpie", "prompting"])
def test_a_night_without_seeds_goes_on_with_the_running_index(start_from: str, scripted: Scripted) -> None:
    def writes(request: Request) -> str:
        if request.messages is None or "answer is" not in rule(request) or "about" in text_of(request):
            return f"What is {request.seed} plus two?"
        return rule(request)

    scripted(writes)
    options = {"recipe": "basic", "rows": 10, "start_from": start_from}
    for rows in (10, 20, 30):
        summary = night(None, **options)
        assert (summary["rows"], summary["changes"]["added"]) == (rows, 10)
        assert 10 <= publications()[-1]["blank_rows"] - rows + 10 < 12
    refused = pl.read_parquet("out/rejects.parquet")["reason"].to_list()
    assert set(refused) <= {"surplus"}, "a night began with rows that there are"
    ids = pl.read_parquet("out/data/train.parquet")["row_id"]
    assert ids.n_unique() == 30
    whole = sft(**options | {"rows": 30, "out": "whole"})
    assert whole["requests"] <= 4 * 2  # three nights made what one run would have made
    assert pl.read_parquet("whole/data/train.parquet")["row_id"].to_list() == ids.to_list()


def test_another_model_makes_the_new_rows_and_the_earlier_ones_stay(scripted: Scripted) -> None:
    scripted(rule, "test")
    night(QUESTIONS[:10])
    before = answers()
    scripted(lambda request: f"Otherwise: {request.seed}", "other")
    night(QUESTIONS[:20], model="other")
    assert answers()[:10] == before
    made_by = pl.read_parquet("out/data/train.parquet")["response_model"].to_list()
    assert made_by == ["test"] * 10 + ["other"] * 10
    card = Path("out/README.md").read_text()
    assert "| other | " in card and "| test | " in card


def test_a_run_that_is_not_incremental_makes_the_whole_dataset(scripted: Scripted, tmp_path: Path) -> None:
    scripted(rule)
    night(QUESTIONS[:10])
    night(QUESTIONS[:20])
    whole = sft(recipe="respond", seeds=QUESTIONS[15:])
    assert whole["changes"] == {"added": 20, "changed": 0, "gone": 15}
    assert asked() == QUESTIONS[15:]
    assert loaded(tmp_path, "r2") == QUESTIONS[:20]
    assert night(QUESTIONS)["changes"]["added"] == 15  # the dataset has those no more


def test_rows_left_pending_by_a_budget_are_made_the_next_night(scripted: Scripted) -> None:
    model = scripted(rule)
    first = night(QUESTIONS, max_requests=25, model={"name": "test"})
    assert (first["rows"], first["pending"]) == (25, 15)
    second = night(QUESTIONS)
    assert (second["rows"], second["requests"], second["changes"]["added"]) == (40, 15, 15)
    assert sorted(asked()) == sorted(QUESTIONS)
    assert len(model.requests) == 40


@pytest.mark.parametrize(
    "format_", ["dpo", *(pytest.param(name, marks=pytest.mark.slow) for name in ("kto", "reward", "binarized"))]
)
def test_pairs_are_made_of_new_instructions_only_and_healed_in_every_format(
    format_: str, scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"recipe": "basic", "format": format_, "incremental": True, "max_attempts": 1}
    scripted(judged)
    dpo(**options | {"instructions": QUESTIONS[:12], "out": "whole", "incremental": False})
    scripted(failing(judged, lambda text: text in ("question 1", "question 7")), "test")
    monkeypatch.setenv("STILLROOM_HOME", str(tmp_path / "another"))
    first = dpo(**options, instructions=QUESTIONS[:6])
    second = dpo(**options, instructions=QUESTIONS[:12])
    assert second["rows"] > first["rows"]
    model = scripted(judged)
    assert dpo(**options, instructions=QUESTIONS[:12])["requests"] == 0
    for run in (first, second):
        retry(run["run"])
    assert {text_of(request) for request in model.requests if "Rating" not in text_of(request)} == {
        "question 1",
        "question 7",
    }
    made, expected = numbers("pairs"), numbers("whole")
    assert made == sorted(made)
    assert set(expected) - {1, 7} <= set(made) <= set(range(12))
    assert {1, 7} & set(made), "at least one of the healed has a pair and not a tie"


def numbers(folder: str) -> list[int]:
    """The numbers of the questions that a dataset of pairs of any format holds, in order."""
    rows = pl.read_parquet(f"{folder}/data/train.parquet").to_dicts()
    asked = (row["prompt"] if "prompt" in row else row["chosen"] for row in rows)
    return [int((turns if isinstance(turns, str) else turns[0]["content"]).split()[1]) for turns in asked]


def test_pairs_of_another_format_cannot_be_added(scripted: Scripted) -> None:
    model = scripted(judged)
    dpo(recipe="basic", instructions=QUESTIONS[:6])
    before = len(model.requests)
    with pytest.raises(ConfigError, match="another format"):
        dpo(recipe="basic", instructions=QUESTIONS, format="kto", incremental=True)
    assert len(model.requests) == before


def test_runs_are_listed_with_dataset_revision_and_changes(
    scripted: Scripted, capsys: pytest.CaptureFixture[str]
) -> None:
    from flows.command.main import runs

    scripted(rule)
    night(QUESTIONS[:10])
    night(QUESTIONS[:15])
    night(QUESTIONS[:15])
    runs()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ", 1)[1] for line in lines] == [
        "respond  10 rows  0 rejects  out r1 (10 added)",
        "respond  15 rows  0 rejects  out r2 (5 added)",
        "respond  15 rows  0 rejects  out r2 (no change)",
    ]


def test_a_run_that_another_process_has_taken_over_publishes_nothing(scripted: Scripted) -> None:
    from prefect import flow

    from flows.config import InstructionSFT
    from flows.runs.make import all_rows
    from flows.runs.plan import plan_of
    from flows.runs.run import Run
    from flows.runs.runners.shard_runner import ShardRunner
    from tasks.errors import Interrupted

    def lost() -> None:
        raise Interrupted("another process has begun it again")

    @flow(task_runner=ShardRunner())
    def standing_still() -> None:
        run = Run.start(plan_of(InstructionSFT(recipe="respond", seeds=QUESTIONS, model="test", out="out")))
        with run.under_way:
            _, made = all_rows(run)
            run.context.confirm = lost
            run.publish(made)

    model = scripted(rule)
    with pytest.raises(Interrupted, match="begun it again"):
        standing_still()
    assert len(model.requests) == len(QUESTIONS) and not Path("out/revisions.jsonl").exists()


def test_two_first_nights_at_once_are_both_in_the_dataset(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.runs.run import Run

    publish, others = Run.publish, [QUESTIONS[20:40]]

    def late(self: Run, tables: Any) -> Any:
        if others:  # another night publishes after this one began and before it publishes
            night(others.pop())
        return publish(self, tables)

    scripted(rule)
    monkeypatch.setattr(Run, "publish", late)
    summary = night([*QUESTIONS[:30], "Question  39"])
    assert summary["changes"] == {"added": 20, "changed": 0, "gone": 0}
    assert sorted(asked()) == sorted(QUESTIONS)
    assert [line["replaces"] for line in publications()] == [True, False]
    [duplicate] = pl.read_parquet("out/rejects.parquet").to_dicts()
    assert duplicate["reason"] == "duplicate_of_earlier"
    assert night(QUESTIONS)["requests"] == 0


def test_a_retry_keeps_the_rows_of_a_night_that_published_meanwhile(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.runs.run import Run

    scripted(failing(rule, lambda text: text == QUESTIONS[3]))
    first = night(QUESTIONS[:10], max_attempts=1, max_reject_fraction=1)
    publish, others = Run.publish, [QUESTIONS[:20]]

    def late(self: Run, tables: Any) -> Any:
        if others:
            night(others.pop(), max_attempts=1, max_reject_fraction=1)
        return publish(self, tables)

    scripted(rule)
    monkeypatch.setattr(Run, "publish", late)
    healed = retry(first["run"])
    assert healed["changes"] == {"added": 1, "changed": 0, "gone": 0}
    assert asked() == QUESTIONS[:20]
