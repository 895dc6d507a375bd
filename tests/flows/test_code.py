"""Recipe `code` and the verifier `tests`: from seeds to rows with a proof, to pairs, pass rates and what RL trainers read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.config import InstructionSFT, PreferenceDPO
from flows.runs.plan import plan_of
from tasks.errors import ConfigError
from tasks.models.base import Request
from tasks.publish.derive import Derived
from tasks.publish.export import export
from tasks.verify.code.mutants import mutants
from tasks.verify.code.verify import verify_tests
from tests.flows.test_instruction_sft import Scripted, dataset_bytes, sft
from tests.flows.test_preference_dpo import dpo

SEEDS = [f"a ferry with {n} decks" for n in (3, 5, 8, 9)]
CODE: dict[str, Any] = {"recipe": "code", "seeds": SEEDS, "prompt_set": "full", "code_solutions": {"mutants": 3}}
STUDENT: dict[str, Any] = {"roles": {"student": ["small"]}, "curate": {"pass_rate": {"samples": 8}}}


def said(request: Request) -> str:
    assert request.messages is not None
    return request.messages[-1]["content"]


def plays(request: Request) -> str:
    """Writes a task, tests of it, and solutions: of the task about 5 tests that test nothing, of that about 9 no right solution."""
    text = said(request)
    if "<piece>" in text:
        number = re.findall(r"\d+", text)[0]
        return f"Add {number} to each number.\n\n`def add_{number}(xs: list[int]) -> list[int]`\n\nOf nothing comes nothing."
    number = int(re.findall(r"add_(\d+)", text)[0])
    if "<task>" in text:
        checks = [f"assert add_{number}([{x}]) == [{x + number}]" for x in range(4)]
        if number == 5:
            checks = [f"assert isinstance(add_{number}([{x}]), list)" for x in range(4)]
        return "```python\n" + "\n".join(checks) + "\n```"
    return solution(number, wrong=number == 9 or request.seed % 2 == 0, seed=request.seed)


def solution(number: int, *, wrong: bool, seed: int) -> str:
    if number == 5:
        return f"```python\ndef add_{number}(xs):\n    return [x + 5 for x in xs]\n```"
    off = number + 1 if wrong else number
    return f"Number {seed % 97}.\n\n```python\ndef add_{number}(xs):\n    return [x + {off} for x in xs]\n```"


def student(request: Request) -> str:
    """Always right about 3, by chance about 8."""
    number = int(re.findall(r"add_(\d+)", said(request))[0])
    return solution(number, wrong=number != 3 and request.seed % 2 == 0, seed=request.seed)


def test_rows_have_their_proof_and_the_next_run_asks_nothing(scripted: Scripted) -> None:
    scripted(plays)
    sft(**CODE)
    rows = pl.read_parquet("out/data/train.parquet")
    assert sorted(re.findall(r"add_(\d)", " ".join(rows["ground_truth"]))[::4]) == ["3", "8"]
    for row in rows.iter_rows(named=True):
        answer = row["messages"][-1]["content"]
        assert verify_tests(row, answer).passed
        assert row["verifier"] == "tests" and len(json.loads(row["ground_truth"])) == 4
        assert row["mutants"] == 3 and row["mutants_killed"] >= 2
        assert row["verification"] == f"4 of 4 tests pass; {row['mutants_killed']} of 3 mutants fail"
        assert not verify_tests(row, answer.replace("x +", "x -")).passed
    rejects = pl.read_parquet("out/rejects.parquet").select("kind", "reason", "technique").rows()
    assert sorted(rejects) == [
        ("filtered", "tests_failed", "code_solutions"),
        ("filtered", "tests_too_weak", "code_solutions"),
    ]
    before = dataset_bytes(Path("out"))
    assert (sft(**CODE)["requests"], dataset_bytes(Path("out"))) == (0, before)


@pytest.mark.slow
def test_rows_go_on_as_pairs_of_one_that_passes_and_one_that_fails(scripted: Scripted) -> None:
    scripted(plays)
    sft(**CODE)
    asked = dpo(
        recipe="verified", instructions="out", out="pairs", verified_scores={"verifier": "tests"}, prompt_set="full"
    )
    pairs = pl.read_parquet("pairs/data/train.parquet").to_dicts()
    assert asked["rows"] == len(pairs) > 0
    tests = dict(zip(*pl.read_parquet("out/data/train.parquet").select(_user(), "ground_truth"), strict=True))
    for pair in pairs:
        row = {"ground_truth": tests[pair["prompt"][-1]["content"]]}
        assert verify_tests(row, pair["chosen"][0]["content"]).passed
        assert not verify_tests(row, pair["rejected"][0]["content"]).passed


def _user() -> pl.Expr:
    return pl.col("messages").list.get(-2).struct.field("content").alias("user")


@pytest.mark.slow
def test_pass_rates_are_those_of_the_tests_and_trainers_read_them(scripted: Scripted) -> None:
    scripted(plays)
    scripted(student, "small")
    sft(**CODE | STUDENT)
    rows = pl.read_parquet("out/data/train.parquet")
    assert set(pl.read_parquet("out/rejects.parquet")["reason"]) >= {"too_easy"}
    assert rows["pass_rate"].is_between(0, 1, closed="none").all() and rows.height == 1
    out = export(Path("out"), Derived("sft", ("grpo", "verl", "open_instruct")), "rl", as_json=True)
    assert out.rows == {"grpo": 1, "verl": 1, "open_instruct": 1}
    grpo = json.loads(Path("rl/data/train.jsonl").read_text())
    assert (grpo["verifier"], grpo["prompt"][-1]["role"]) == ("tests", "user")
    tulu = json.loads(Path("rl/data/open_instruct/train.jsonl").read_text())
    assert tulu["dataset"] == "code" and len(json.loads(tulu["ground_truth"])) == 4


def test_tests_that_seeds_bring_along_are_kept_and_nobody_is_asked_for_any(scripted: Scripted) -> None:
    model = scripted(plays)
    seeds = [{"text": "Add 3 to each number.", "test_list": ["assert add_3([1]) == [4]", "assert add_3([]) == []"]}]
    sft(**CODE | {"seeds": seeds})
    [row] = pl.read_parquet("out/data/train.parquet").to_dicts()
    assert all("<task>" not in said(request) and "<piece>" not in said(request) for request in model.requests)
    assert row["messages"][0]["content"] == "Add 3 to each number.\n\nThe program has to define: add_3."
    assert row["ground_truth"] == json.dumps(seeds[0]["test_list"])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (InstructionSFT(model="test", **CODE), "there is no sandbox to run programs of models in"),
        (
            PreferenceDPO(
                model="test",
                recipe="verified",
                instructions=[{"prompt": "f?", "tests": ["assert f()"]}],
                verified_scores={"verifier": "tests"},
            ),
            "there is no sandbox to run programs of models in",
        ),
        (
            InstructionSFT(model="test", **CODE | {"seeds": [{"prompt": "f?", "tests": ["print(f())"]}]}),
            "these are no tests: the list of seeds: there is no test in it",
        ),
        (InstructionSFT(model="test", **CODE | {"prompt_set": "demo"}), "these prompts have none for code_tasks"),
    ],
    ids=["sft without a sandbox", "dpo without a sandbox", "seeds without tests", "no prompts"],
)
def test_what_is_missing_is_told_before_anything_is_paid_for(
    home: Path, scripted: Scripted, monkeypatch: pytest.MonkeyPatch, config: Any, message: str
) -> None:
    model = scripted(plays)
    if "sandbox" in message:
        monkeypatch.setattr("tasks.verify.sandbox.choose.sandbox_fault", lambda _: "not here")
    with pytest.raises(ConfigError, match=re.escape(message)):
        plan_of(config).check()
    assert not model.requests


def test_mutants_are_drawn_by_the_row_and_nothing_else() -> None:
    import random

    code = "def f(x):\n    '''Doc.'''\n    if x > 3 and x != 9:\n        return x * 2 + 1\n    return 'no'"
    one, other = (list(mutants(code, random.Random(7), 6)) for _ in range(2))
    assert one == other and len(set(one)) == 6 and all("Doc." in mutant for mutant in one)
    assert list(mutants(code, random.Random(8), 6)) != one
