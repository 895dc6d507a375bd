"""A dataset in another format: what a run gives by `format`, and `stillroom export` without a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from flows.command.main import app
from tasks.errors import ConfigError
from tasks.models.base import Completion
from tasks.publish.derive import Derived
from tasks.publish.export import export
from tasks.publish.splits import splits_of
from tests.flows.test_instruction_sft import Scripted, rule, sft
from tests.flows.test_preference_dpo import dpo, judged

CASES = Path(__file__).parents[1] / "data" / "cases"
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]


def loaded(folder: str, tmp_path: Path, config: str | None = None) -> Any:
    from datasets import load_dataset

    return load_dataset(
        str(folder), config, split="train", cache_dir=str(tmp_path / f"cache-{len(list(tmp_path.iterdir()))}")
    )


def talk(*texts: str, system: str = "") -> dict[str, Any]:
    said = [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(texts)]
    return {"messages": [*([{"role": "system", "content": system}] if system else []), *said]}


SEEDS = [talk("a", "b", "c", system="Be brief."), talk("d")]


def sft_in(scripted: Scripted, **options: Any) -> dict[str, Any]:
    scripted(lambda request: f"to {(request.messages or ())[-1]['content']}")
    return sft(recipe="respond", seeds=options.pop("seeds", SEEDS), **options)


def test_sharegpt_has_the_system_prompt_and_turns_by_who_they_are_from(scripted: Scripted, tmp_path: Path) -> None:
    sft_in(scripted)
    export(Path("out"), Derived("sft", ("sharegpt",)), "exported")
    first, second = loaded("exported", tmp_path).to_list()
    assert first["conversations"] == [
        {"from": "human", "value": "a"},
        {"from": "gpt", "value": "b"},
        {"from": "human", "value": "c"},
        {"from": "gpt", "value": "to c"},
    ]
    assert (first["system"], second["system"]) == ("Be brief.", "")
    assert first["response_model"] == "test"


def test_alpaca_has_the_last_question_and_the_turns_before_as_history(scripted: Scripted, tmp_path: Path) -> None:
    sft_in(scripted)
    export(Path("out"), Derived("sft", ("alpaca",)), "exported")
    first, second = loaded("exported", tmp_path).to_list()
    assert {name: first[name] for name in ("instruction", "input", "output", "system", "history")} == {
        "instruction": "c",
        "input": "",
        "output": "to c",
        "system": "Be brief.",
        "history": [["a", "b"]],
    }
    assert second["history"] == []


def test_calls_of_tools_are_turns_of_sharegpt_and_left_out_of_alpaca(scripted: Scripted, tmp_path: Path) -> None:
    talks = [json.loads(line) for line in (CASES / "tool_turns.jsonl").read_text().splitlines()]
    sft_in(scripted, seeds=[talks[0] | {"tools": TOOLS}, talks[1]])
    made = export(Path("out"), Derived("sft", ("sharegpt", "alpaca")), "exported")
    called, plain = loaded("exported", tmp_path).to_list()
    assert [turn["from"] for turn in called["conversations"]] == ["human", "function_call", "observation", "gpt"]
    assert json.loads(called["conversations"][1]["value"]) == {"name": "weather", "arguments": {"city": "Hue"}}
    assert json.loads(called["tools"])[0]["function"]["name"] == "weather"
    assert plain["tools"] is None
    assert made.rows == {"sharegpt": 2, "alpaca": 1}
    assert made.left_out == {"alpaca": {"tool_turns": 1}}
    assert loaded("exported", tmp_path, "alpaca")["instruction"] == [talks[1]["messages"][0]["content"]]
    assert "alpaca: tool_turns 1" in Path("exported/README.md").read_text()


@pytest.mark.parametrize(
    ("roles", "reason"),
    [
        ("sua", None),
        ("uaua", None),
        ("usua", "system_turn_in_the_middle"),
        ("aua", "does_not_begin_with_the_user"),
        ("uuaa", "two_turns_of_one_side"),
    ],
)
def test_what_llama_factory_would_skip_is_left_out_with_its_reason(roles: str, reason: str | None) -> None:
    from tasks.publish.formats.sharegpt import not_in_sharegpt

    names = {"s": "system", "u": "user", "a": "assistant"}
    assert not_in_sharegpt([{"role": names[one], "content": "x"} for one in roles]) == reason


def test_marks_are_in_the_dialect_of_each_format(scripted: Scripted, tmp_path: Path) -> None:
    marked = talk("a", "b", "c")
    marked["messages"][1]["train"] = False
    sft_in(scripted, seeds=[marked, talk("d")])
    made = export(Path("out"), Derived("sft", ("sharegpt", "openai", "prompt_completion", "alpaca")), "exported")
    assert [turn["train"] for turn in loaded("exported", tmp_path)[0]["conversations"]] == [False, False, False, True]
    assert [turn["weight"] for turn in loaded("exported", tmp_path, "openai")[0]["messages"]] == [None, 0, None, 1]
    assert made.left_out == {"alpaca": {"turns_not_to_be_trained_on": 1}}


def test_several_formats_of_a_run_are_configs_and_the_first_is_the_default(scripted: Scripted, tmp_path: Path) -> None:
    formats = ["sharegpt", "messages", "prompt_completion"]
    shares = {"train": 0.5, "test": 0.5}
    summary = sft_in(scripted, seeds=[talk(f"q {at}") for at in range(12)], format=formats, splits=shares)
    from datasets import get_dataset_config_names, load_dataset

    names = get_dataset_config_names("out")
    assert names == ["default", *formats, "r1"]
    first = {name: load_dataset("out", name, cache_dir=str(tmp_path / "cache")) for name in names}
    assert all(set(rows) == {"train", "test"} for rows in first.values())
    assert all(sum(map(len, rows.values())) == 12 == summary["rows"] for rows in first.values())
    assert first["default"]["train"].column_names[:2] == ["row_id", "conversations"]
    for split in ("train", "test"):
        assert len({tuple(rows[split]["row_id"]) for rows in first.values()}) == 1


def test_a_night_with_other_formats_adds_to_the_same_rows(scripted: Scripted, tmp_path: Path) -> None:
    for night, formats in enumerate((["sharegpt"], ["sharegpt"], ["alpaca", "messages"])):
        sft_in(scripted, seeds=[talk(f"q {at}") for at in range(3 + night)], format=formats, incremental=True)
    assert len(loaded("out", tmp_path)) == len(loaded("out", tmp_path, "messages")) == 5
    assert loaded("out", tmp_path)["instruction"] == [f"q {at}" for at in range(5)]
    assert not Path("out/data/sharegpt").exists()
    assert Path("out/revisions/r2/data/sharegpt/train.parquet").exists()
    assert len(loaded("out/revisions/r2", tmp_path, "sharegpt")) == 4


def test_the_same_rows_in_other_formats_are_a_revision_of_their_own(scripted: Scripted, tmp_path: Path) -> None:
    for formats in (["sharegpt"], ["alpaca", "messages"], ["alpaca", "messages"]):
        sft_in(scripted, format=formats)
    lines = [json.loads(line) for line in Path("out/revisions.jsonl").read_text().splitlines()]
    assert [(line["revision"], line["changes"]["added"]) for line in lines] == [(1, 2), (2, 0), (2, 0)]
    assert len(loaded("out/revisions/r1", tmp_path, "sharegpt")) == len(loaded("out", tmp_path, "messages")) == 2


def test_pairs_are_given_in_every_format(scripted: Scripted, tmp_path: Path, subtests: pytest.Subtests) -> None:
    scripted(judged)
    summary = dpo(recipe="basic", instructions=[f"question {at}" for at in range(8)])
    for shape in ("reward", "kto", "binarized", "sharegpt", "alpaca"):
        with subtests.test(shape):
            made = export(Path("pairs"), Derived("dpo", (shape,)), "exported")
            rows = loaded("exported", tmp_path)
            assert len(rows) == made.rows[shape] == summary["rows"] * (2 if shape == "kto" else 1)
            assert ("KTOTrainer keeps their order" in Path("exported/README.md").read_text()) is (shape == "kto")
            if shape == "sharegpt":
                assert set(rows[0]["chosen"]) == {"from", "value"}
                assert rows[0]["conversations"][-1]["from"] == "human"
            if shape == "alpaca":
                assert isinstance(rows[0]["chosen"], str)


@pytest.mark.parametrize("shape", ["reward", "kto", "binarized"])
def test_the_number_of_rows_is_that_of_pairs_in_each_format(shape: str, scripted: Scripted) -> None:
    scripted(judged)
    summary = dpo(recipe="basic", instructions=[f"question {at}" for at in range(12)], format=shape, rows=3)
    assert summary["rows"] == 3 * (2 if shape == "kto" else 1)


def thinking(request: Any) -> Completion:
    text = (request.messages or ())[-1]["content"]
    thought = None if text == "q 0" else f"I think of {text}"
    return Completion(text=f"to {text}", finish_reason="stop", reasoning=thought)


def test_reasoning_stands_where_it_was_asked_for(scripted: Scripted, tmp_path: Path) -> None:
    scripted(thinking)
    sft(recipe="respond", seeds=["q 0", "q 1"], format=["messages", "prompt_completion"], reasoning="think")
    plain, thought = (row["messages"][-1]["content"] for row in loaded("out", tmp_path).to_list())
    assert (plain, thought) == ("to q 0", "<think>\nI think of q 1\n</think>\n\nto q 1")
    assert loaded("out", tmp_path, "prompt_completion")[1]["completion"][0]["content"] == thought
    assert loaded("out", tmp_path, "rows")[1]["messages"][-1]["content"] == "to q 1"
    export(Path("out"), Derived("sft", ("messages",), "column"), "column")
    assert loaded("column", tmp_path)["reasoning"] == [None, "I think of q 1"]
    export(Path("out"), Derived("sft", ("messages",), "reasoning_content"), "field")
    assert [turn["reasoning_content"] for turn in loaded("field", tmp_path)[1]["messages"]] == [None, "I think of q 1"]


def test_rows_in_both_modes_say_which_to_the_template(scripted: Scripted, tmp_path: Path) -> None:
    scripted(thinking)
    sft(recipe="respond", seeds=["q 0", "q 1"])
    export(Path("out"), Derived("sft", ("messages",), "reasoning_content", modes=True), "both")
    rows = loaded("both", tmp_path).to_list()
    assert [row["chat_template_kwargs"]["enable_thinking"] for row in rows] == [False, True, False]
    assert [row["messages"][-1]["reasoning_content"] for row in rows] == [None, "I think of q 1", None]
    assert len({row["row_id"] for row in rows}) == 3


def test_of_evolved_rows_the_reasoning_is_of_the_answer_that_stayed(scripted: Scripted) -> None:
    def evolves(request: Any) -> Completion:
        text = rule(request)
        return Completion(text=text, finish_reason="stop", reasoning=f"towards {text}")

    scripted(evolves)
    sft(recipe="evolved", seeds=[f"question {at}" for at in range(6)], curate=None)
    export(Path("out"), Derived("sft", ("messages",), "column"), "column")
    rows = pl.read_parquet("column/data/train.parquet")
    assert rows.height > 4
    for row in rows.iter_rows(named=True):
        assert row["reasoning"] == f"towards {row['messages'][-1]['content']}"


def test_json_lines_are_opened_as_well_and_have_no_empty_fields_of_turns(scripted: Scripted, tmp_path: Path) -> None:
    talks = [json.loads(line) for line in (CASES / "tool_turns.jsonl").read_text().splitlines()]
    sft_in(scripted, seeds=[talks[0] | {"tools": TOOLS}, talks[1]])
    export(Path("out"), Derived("sft", ("messages",)), "exported", as_json=True)
    lines = [json.loads(line) for line in Path("exported/data/train.jsonl").read_text().splitlines()]
    assert [set(turn) for turn in lines[1]["messages"]] == [{"role", "content"}] * 2
    assert len(loaded("exported", tmp_path)) == 2


MISTAKES = [
    (["out", "--format", "kto"], "sft datasets have no such format: kto"),
    (["out", "--format", "shareGPT"], "did you mean sharegpt?"),
    (["nowhere", "--format", "messages"], "no dataset there: nowhere"),
    (["out", "--format", "alpaca", "--reasoning", "reasoning_content"], "no field of a turn for reasoning: alpaca"),
    (["out", "--format", "messages", "--reasoning-modes"], "need its shape"),
    (["out", "--format", "messages", "--reasoning", "loud"], "bad value for --reasoning: loud"),
    (["out", "--format", "alpaca", "--out", "out"], "no export: out"),
    (["openai", "--format", "messages"], "the dataset is in another format: openai"),
]


def test_a_mistake_is_one_line_and_nothing_is_written(
    scripted: Scripted, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    sft_in(scripted)
    sft_in(scripted, out="openai", format="openai")
    before = sorted(path for path in tmp_path.rglob("*") if "cache" not in str(path))
    for words, said in MISTAKES:
        with subtests.test(" ".join(words)):
            result = CliRunner().invoke(app, ["export", *words])
            assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
            assert said in result.stderr
            assert sorted(path for path in tmp_path.rglob("*") if "cache" not in str(path)) == before


@pytest.mark.parametrize("as_json", [False, True], ids=["parquet", "jsonl"])
def test_a_split_of_which_the_format_can_say_nothing_is_none_of_the_export(
    as_json: bool, scripted: Scripted, tmp_path: Path
) -> None:
    from datasets import get_dataset_split_names

    shares = {"train": 0.5, "test": 0.5}
    texts = [f"q {at}" for at in range(8)]
    split = dict(zip(texts, splits_of(pl.DataFrame({"instruction": texts}), shares), strict=True))
    assert set(split.values()) == {"train", "test"}
    more = [{"role": "user", "content": "and then?"}]  # after another turn of the user: alpaca cannot say it
    seeds = [talk(text)["messages"] + (more if where == "test" else []) for text, where in split.items()]
    sft_in(scripted, seeds=[{"messages": turns} for turns in seeds], splits=shares)
    made = export(Path("out"), Derived("sft", ("alpaca",)), "x", as_json=as_json)
    assert made.rows["alpaca"] == list(split.values()).count("train") < len(texts)
    assert get_dataset_split_names("x") == ["train"]
    assert not list(Path("x").rglob("test*"))


def test_an_export_of_which_the_format_can_say_nothing_leaves_an_earlier_one(scripted: Scripted) -> None:
    twice = [{"role": "user", "content": text} for text in ("first", "and then?")]
    sft_in(scripted, seeds=[{"messages": twice}])
    export(Path("out"), Derived("sft", ("messages",)), "x")
    before = {path: path.stat().st_mtime_ns for path in Path("x").rglob("*")}
    with pytest.raises(ConfigError, match=r"no row can be given in the format.*turns_do_not_alternate 1"):
        export(Path("out"), Derived("sft", ("alpaca",)), "x")
    assert {path: path.stat().st_mtime_ns for path in Path("x").rglob("*")} == before


def test_an_export_takes_the_place_of_an_earlier_one_whole(scripted: Scripted) -> None:
    sft_in(scripted)
    for formats in (("sharegpt", "alpaca"), ("messages",)):
        result = CliRunner().invoke(
            app, ["export", "out", *(w for f in formats for w in ("--format", f)), "--out", "x", "--json"]
        )
        assert json.loads(result.stdout)["rows"] == dict.fromkeys(formats, 2)
    assert sorted(str(path) for path in Path("x").rglob("*") if path.is_file()) == [
        "x/README.md",
        "x/data/train.parquet",
    ]
    assert not [path for path in Path().iterdir() if path.name.startswith("tmp")]


def test_an_export_goes_to_a_url(scripted: Scripted) -> None:
    import fsspec

    sft_in(scripted)
    store = fsspec.filesystem("memory")
    for formats in (("sharegpt", "alpaca"), ("messages",)):
        export(Path("out"), Derived("sft", formats), "memory://bucket/exported", as_json=True)
    assert sorted(store.find("/bucket/exported")) == ["/bucket/exported/README.md", "/bucket/exported/data/train.jsonl"]
    assert b"data/train.jsonl" in store.cat_file("/bucket/exported/README.md")
    store.pipe_file("/bucket/theirs/file", b"")
    with pytest.raises(ConfigError, match="no export"):
        export(Path("out"), Derived("sft", ("messages",)), "memory://bucket/theirs")


def test_an_export_to_a_url_that_was_cut_short_is_made_by_the_same_command(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fsspec

    sft_in(scripted)
    store = fsspec.filesystem("memory")
    url, wanted = "memory://bucket/cut", Derived("sft", ("sharegpt",))

    def failing(*_: Any, **__: Any) -> None:
        raise OSError("the store is away")

    for earlier in (False, True):
        with monkeypatch.context() as patch, pytest.raises(OSError, match="the store is away"):
            patch.setattr(store, "put_file", failing)
            export(Path("out"), wanted, url)
        assert b"data/" not in store.cat_file(f"{url}/README.md"), "no card says that it is whole"
        assert export(Path("out"), wanted, url).rows == {"sharegpt": 2}, earlier
        assert b"data/train.parquet" in store.cat_file(f"{url}/README.md")
