"""Recipe `reasoning` and pass rates from seeds to the files that a trainer reads."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.config import InstructionSFT
from flows.runs.plan import plan_of
from tasks.errors import ConfigError
from tasks.models.base import Request
from tasks.publish.derive import Derived
from tasks.publish.export import export
from tests.flows.test_instruction_sft import Scripted, dataset_bytes, sft

PROBLEMS = [
    {"question": f"What is {n} plus 10?", "answer": f"{n} + 10 = <<{n}+10={n + 10}>>{n + 10}\n#### {n + 10}"}
    for n in range(8)
]
ASKED: dict[str, Any] = {"recipe": "reasoning", "seeds": PROBLEMS, "prompt_set": "full"}
STUDENT: dict[str, Any] = {"roles": {"student": ["small"]}, "curate": {"pass_rate": {"samples": 4}}}


def sum_in(request: Request) -> int:
    assert request.messages is not None
    return sum(map(int, re.findall(r"\d+", request.messages[-1]["content"])[:2]))


def solver(request: Request) -> str:
    """Gets every problem but the last one right, in one sample of two at least."""
    right = sum_in(request)
    off = right == 17 or request.seed % 3 == 0
    return f"<think>\nI add, number {request.seed % 5}.\n</think>\n\nWe add.{' So.' * (request.seed % 3)} \\boxed{{{right + off}}}"


def student(request: Request) -> str:
    """Always right below 13, never above 14, else by chance."""
    right = sum_in(request)
    passes = right < 13 or (right < 15 and request.seed % 2 == 0)
    return f"\\boxed{{{right if passes else 0}}}"


def test_right_solutions_are_published_and_the_next_run_asks_nothing(scripted: Scripted) -> None:
    scripted(solver)
    told = ASKED | {"rejection_sampling": {"samples": 8}, "reasoning": "think"}
    first = sft(**told)
    rows = pl.read_parquet("out/data/train.parquet")
    assert (first["rows"], rows.height, first["requests"]) == (7, 7, 64)
    assert rows["ground_truth"].sort().to_list() == [str(n) for n in range(10, 17)]
    thoughts = pl.read_parquet("out/data/messages/train.parquet") if Path("out/data/messages").exists() else rows
    for row in thoughts.iter_rows(named=True):
        answer = row["messages"][-1]["content"]
        assert answer.endswith(f"\\boxed{{{row['ground_truth']}}}")
        seed = int(re.findall(r"number (\d)", answer)[0])
        lines = pl.read_parquet("out/provenance.parquet").filter(pl.col("row_id") == row["row_id"])
        assert [line % 5 for line in lines["seed"].drop_nulls()] == [seed], "the thoughts are those of its own sample"
    rejects = pl.read_parquet("out/rejects.parquet")
    assert rejects.select("kind", "reason", "technique").rows() == [("filtered", "wrong_answer", "rejection_sampling")]
    assert rejects["detail"][0] == "0 of 8: found 18, right is 17"
    before = dataset_bytes(Path("out"))
    again = sft(**told)
    assert (again["requests"], dataset_bytes(Path("out"))) == (0, before)
    more = sft(**ASKED | {"rejection_sampling": {"samples": 10}})
    assert more["requests"] == 16, "the first eight are in the ledger"


def test_problems_that_teach_something_are_exported_as_trainers_read_them(scripted: Scripted) -> None:
    scripted(solver)
    scripted(student, "small")
    told = (
        ASKED | STUDENT | {"rejection_sampling": {"samples": 8, "user_turn": "asked"}, "format": ["messages", "grpo"]}
    )
    sft(**told)
    rows = pl.read_parquet("out/data/train.parquet")
    assert set(rows["ground_truth"]) <= {"13", "14"} and rows["pass_rate"].is_between(0, 1, closed="none").all()
    grpo = pl.read_parquet("out/data/grpo/train.parquet")
    assert grpo.columns[1:5] == ["prompt", "ground_truth", "verifier", "pass_rate"]
    assert [turns[-1]["role"] for turns in grpo["prompt"]] == ["user"] * rows.height
    assert all("\\boxed{}" in turns[-1]["content"] for turns in grpo["prompt"])
    out = export(Path("out"), Derived("sft", ("verl", "open_instruct")), "rl", as_json=True)
    assert out.rows == {"verl": rows.height, "open_instruct": rows.height}
    verl = json.loads(Path("rl/data/train.jsonl").read_text().splitlines()[0])
    assert verl["data_source"] == "lighteval/MATH" and verl["prompt"] == grpo["prompt"][0].to_list()
    assert verl["reward_model"] == {"style": "rule", "ground_truth": rows["ground_truth"][0]}
    assert verl["extra_info"]["pass_rate"] == rows["pass_rate"][0]
    tulu = json.loads(Path("rl/data/open_instruct/train.jsonl").read_text().splitlines()[0])
    assert (tulu["dataset"], tulu["ground_truth"]) == ("math", rows["ground_truth"][0])
    assert tulu["messages"][:-1] == verl["prompt"], "open-instruct takes all turns but the last"


def test_a_dataset_that_is_there_gets_its_pass_rates(scripted: Scripted) -> None:
    from flows.curate import curate
    from flows.curate_dataset import CurateDataset

    scripted(solver)
    scripted(student, "small")
    sft(**ASKED | {"rejection_sampling": {"samples": 8}})
    config = CurateDataset(source="out", out="tried", prompt_set="full", **STUDENT)
    assert curate(config)["rows"] == pl.read_parquet("tried/data/train.parquet").height > 0
    assert set(pl.read_parquet("tried/data/train.parquet")["ground_truth"]) <= {"13", "14"}


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (
            {"seeds": ["What is 1 plus 10?"]},
            "a problem without an answer to check by: the list of seeds: What is 1 plus",
        ),
        (
            {"seeds": [{"question": "?", "answer": "\\sqrt{2}"}]},
            "an answer that is an expression needs the extra maths",
        ),
        ({"curate": {"pass_rate": {}}}, "pass_rate needs one student model"),
        ({"recipe": "respond", "format": "grpo", "seeds": ["x"]}, "the format needs rows with a known answer: grpo"),
        (STUDENT | {"recipe": "respond", "seeds": ["x"]}, "curate.pass_rate needs rows with a known answer"),
        (
            {"seeds": [PROBLEMS[0] | {"verifier": "mine"}], "keep_columns": ["verifier"]},
            "keep_columns names a column that the dataset has already: verifier",
        ),
        ({"prompt_set": "demo"}, "these prompts have none for rejection_sampling: demo/en"),
    ],
)
def test_what_is_missing_is_told_before_anything_is_paid_for(
    home: Path, scripted: Scripted, monkeypatch: pytest.MonkeyPatch, told: dict[str, Any], message: str
) -> None:
    monkeypatch.setattr("tasks.text.final_answers.compare.is_installed", lambda: False)
    model = scripted(solver)
    scripted(student, "small")
    with pytest.raises(ConfigError, match=re.escape(message)):
        plan_of(InstructionSFT(**{"model": "test", "out": "out"} | ASKED | told)).check()
    assert not model.requests


@pytest.mark.parametrize(
    "seeds",
    [
        [{"problem": "1 + 1?", "solution": "It is \\boxed{2}", "answer": 2}],
        [{"prompt": "1 + 1?", "ground_truth": ["2"]}],
        [{"question": "1 + 1?", "answer": "2"}, {"question": "1 + 2?", "answer": 3}],
        [{"messages": [{"role": "user", "content": "1 + 1?"}], "ground_truth": "2"}],
    ],
    ids=["MATH", "verl's list", "numbers among texts", "open-instruct"],
)
def test_known_answers_are_read_as_files_have_them(home: Path, scripted: Scripted, seeds: list[Any]) -> None:
    scripted(lambda request: f"\\boxed{{{sum_in(request)}}}")
    assert sft(recipe="reasoning", seeds=seeds, prompt_set="full", curate=None)["rows"] == len(seeds)
