"""Recipe `traces`: logs of agents become a dataset without a model, marks and tools in each format's dialect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from tasks.models.base import Request
from tasks.publish.derive import Derived
from tasks.publish.export import export
from tests.flows.test_instruction_sft import Scripted, sft
from tests.seeds.traces.logs import PASSWORD, TOKEN, written


def never(request: Request) -> str:
    raise AssertionError("nothing is asked")


def test_logs_become_conversations_and_no_model_is_asked(home: Path, scripted: Scripted) -> None:
    model = scripted(never)
    summary = sft(recipe="traces", seeds=str(written(home.parent / "logs")), curate=None)
    rows = pl.read_parquet("out/data/train.parquet").to_dicts()
    assert (summary["rows"], len(rows), model.requests) == (4, 4, [])
    assert {(row["agent"], row["redactions"]) for row in rows} == {
        ("claude_code", 1),
        ("claude_code", 0),
        ("codex", 0),
        ("openai", 1),
    }
    rejects = pl.read_parquet("out/rejects.parquet")
    assert rejects["reason"].unique().to_list() == ["bad_seed"] and rejects.height == 3
    everything = b"".join(path.read_bytes() for path in Path("out").rglob("*") if path.is_file())
    texts = json.dumps(rows) + json.dumps(rejects.to_dicts(), default=str)
    assert TOKEN not in texts and PASSWORD not in texts and TOKEN.encode() not in everything


def test_marks_and_tools_are_in_each_formats_dialect(home: Path, scripted: Scripted) -> None:
    scripted(never)
    sft(recipe="traces", seeds=str(written(home.parent / "logs")), curate=None)
    rows = pl.read_parquet("out/data/train.parquet").to_dicts()
    for row in rows:
        marks = [turn["train"] for turn in row["messages"] if turn["role"] == "assistant"]
        failed = [
            _failed(row["messages"], at) for at, turn in enumerate(row["messages"]) if turn["role"] == "assistant"
        ]
        assert marks == [not one for one in failed]
        called = {call["function"]["name"] for turn in row["messages"] for call in turn["tool_calls"] or ()}
        assert called <= {tool["function"]["name"] for tool in json.loads(row["tools"] or "[]")}
    export(Path("out"), Derived("sft", ("openai", "prompt_completion")), "shown", as_json=True)
    openai = [json.loads(line) for line in Path("shown/data/train.jsonl").read_text().splitlines()]
    weights = [turn.get("weight") for row in openai for turn in row["messages"] if turn["role"] == "assistant"]
    assert sorted(set(weights)) == [0, 1] and weights.count(0) == 3
    split = [json.loads(line) for line in Path("shown/data/prompt_completion/train.jsonl").read_text().splitlines()]
    assert len(split) == weights.count(1), "a row for each turn that is trained on"


def _failed(turns: list[dict[str, Any]], at: int) -> bool:
    results = [turn["content"] for turn in turns[at + 1 : at + 1 + len(turns[at]["tool_calls"] or ())]]
    return any(one in ("exit 1", "no such file", '{"error": "denied"}') for one in results)


def test_a_log_that_ends_with_a_question_is_carried_on_where_that_is_told(home: Path, scripted: Scripted) -> None:
    model = scripted(lambda request: f"You are welcome, number {len(request.messages or ())}.")
    folder = written(home.parent / "logs")
    summary = sft(recipe="traces", seeds=str(folder / "codex.jsonl"), agent_traces={"carry_on": True}, curate=None)
    assert (summary["rows"], len(model.requests)) == (1, 1)
    [row] = pl.read_parquet("out/data/train.parquet").to_dicts()
    assert row["messages"][-1]["content"] == "You are welcome, number 8."
    assert json.loads(model.requests[0].tools or "[]")[0]["function"]["name"] == "shell"
