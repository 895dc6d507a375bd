"""Recipes `constrained` and `verified`: what is published keeps its constraints, and pairs need no judge."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from flows.config import InstructionSFT
from flows.runs.plan import plan_of
from tasks.errors import ConfigError
from tasks.models.base import Completion, Request
from tasks.verify.constraints.constraint import verify_constraints
from tests.flows.command.in_process import run_command
from tests.flows.test_instruction_sft import Scripted, dataset_bytes, rule, sft
from tests.flows.test_preference_dpo import dpo

SEEDS = [f"Say something about {thing}." for thing in ("tea", "rain", "chess", "salt", "wool", "clay", "ink", "oak")]
KINDS = {"kinds": ["keywords", "end_phrase", "no_comma", "start_phrase"]}


def obedient(request: Request) -> str:
    """Keeps the constraints that are in the instruction, except now and then."""
    assert request.messages is not None
    text = request.messages[-1]["content"]
    if request.seed % 3 == 0:
        return f"No, I will not do that, number {request.seed % 997}."
    words = re.findall(r"Work these words into your answer: (.*)\.", text)
    begin = re.findall(r'Begin with the exact words "([^"]*)"', text)
    end = re.findall(r'End with the exact words "([^"]*)"', text)
    body = " ".join(re.findall(r'"([^"]*)"', words[0]) if words else []).replace(",", "")
    return " ".join([*begin, f"there are {request.seed % 9973} of them", body, "here.", *end])


def test_every_published_row_keeps_its_constraints_and_again_costs_nothing(scripted: Scripted) -> None:
    model = scripted(obedient)
    first = sft(recipe="constrained", prompt_set="full", seeds=SEEDS, constraints=KINDS)
    rows = pl.read_parquet("out/data/train.parquet")
    assert first["rows"] == rows.height > 0
    assert len(model.requests) > rows.height  # some had to be asked again
    for row in rows.iter_rows(named=True):
        *_, asked, answered = row["messages"]
        verified = verify_constraints(row, answered["content"])
        assert verified.passed
        assert verified.figure == row["verification"]
        assert row["plain_instruction"] in SEEDS
        assert row["plain_instruction"] in asked["content"]
        assert all(one["text"] in asked["content"] for one in row["constraints"])
        assert 1 <= len(row["constraints"]) <= 3
    before = dataset_bytes(Path("out"))
    assert sft(recipe="constrained", prompt_set="full", seeds=SEEDS, constraints=KINDS)["requests"] == 0
    assert dataset_bytes(Path("out")) == before


def test_a_row_without_an_answer_that_passes_is_a_reject_with_the_kind_that_failed(scripted: Scripted) -> None:
    model = scripted(lambda request: f"No, {request.seed}.")
    summary = sft(
        recipe="constrained",
        prompt_set="full",
        seeds=SEEDS,
        constraints={"kinds": ["no_comma"]},
        max_attempts=2,
        max_reject_fraction=1,
        allow_empty=True,
    )
    assert (summary["rows"], len(model.requests)) == (0, 2 * len(SEEDS))
    rejects = pl.read_parquet("out/rejects.parquet")
    assert set(rejects["reason"]) == {"constraint_failed:no_comma"}
    assert set(rejects["attempts"]) == {2}
    assert set(rejects["detail"]) == {"no_comma: 1 commas"}


def test_what_self_instruct_makes_is_given_constraints_too(scripted: Scripted) -> None:
    scripted(lambda request: obedient(request) if "commas" in str(request.messages) else rule(request))
    summary = sft(
        recipe="constrained",
        prompt_set="full",
        instructions_from="self_instruct",
        seeds=SEEDS[:2],
        constraints={"kinds": ["no_comma"]},
    )
    assert summary["rows"] > 2
    rows = pl.read_parquet("out/data/train.parquet")
    assert all("something about number" in text for text in rows["plain_instruction"])


def test_pairs_are_of_one_that_passes_and_one_that_fails(scripted: Scripted) -> None:
    scripted(obedient)
    summary = dpo(recipe="verified", prompt_set="full", instructions=SEEDS, constraints=KINDS)
    pairs = pl.read_parquet("pairs/data/train.parquet")
    assert summary["rows"] == pairs.height > 0
    assert summary["rows"] + summary["rejects"] == len(SEEDS)
    for pair in pairs.iter_rows(named=True):
        assert pair["chosen"][0]["content"] != pair["rejected"][0]["content"]
        assert "will not" in pair["rejected"][0]["content"]
        assert "will not" not in pair["chosen"][0]["content"]
        assert (pair["score_chosen"], pair["score_rejected"]) == (1.0, 0.0)
        [why] = pair["ratings_rejected"]
        assert (why["judge"], why["aspect"]) == ("verifier constraints", "verified")
    asked = set(pl.read_parquet("pairs/provenance.parquet")["role"].drop_nulls())
    assert asked == {"pool[0]"}  # nobody else: no judge


def test_the_constraints_of_a_constrained_dataset_are_those_that_its_pairs_are_verified_by(scripted: Scripted) -> None:
    scripted(obedient)
    sft(recipe="constrained", prompt_set="full", seeds=SEEDS, constraints=KINDS)
    asked = {row["messages"][0]["content"] for row in pl.read_parquet("out/data/train.parquet").iter_rows(named=True)}
    dpo(recipe="verified", prompt_set="full", instructions="out")
    pairs = pl.read_parquet("pairs/data/train.parquet")
    assert pairs.height
    assert {pair["prompt"][-1]["content"] for pair in pairs.iter_rows(named=True)} <= asked


def test_a_verifier_of_ones_own_makes_pairs_without_constraints(scripted: Scripted, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "from tasks.verify.verifier import Verification\n\n\n"
        "def is_polite(row, answer):\n    return Verification('will not' not in answer, answer[:9], 'rude')\n"
    )
    scripted(obedient)
    summary = dpo(
        recipe="verified",
        prompt_set="full",
        instructions=SEEDS,
        verified_scores={"verifier": f"{tmp_path}/own.py:is_polite"},
    )
    assert summary["rows"] > 0
    pairs = pl.read_parquet("pairs/data/train.parquet")
    assert {pair["prompt"][-1]["content"] for pair in pairs.iter_rows(named=True)} <= set(SEEDS)
    reasons = set(pl.read_parquet("pairs/rejects.parquet")["reason"])
    assert reasons <= {"all_pass", "none_passes", "one_response"}


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"kinds": ["no_coma"]}, "no such kind of constraint: no_coma (did you mean no_comma?)"),
        ({"kinds": ["upper_case"]}, "this kind of constraint has no check in the language: upper_case in zh"),
        ({"kinds": ["no_comma"], "leave_out": ["no_comma"]}, "no constraint can be drawn in the language: zh"),
    ],
    ids=["unknown", "no_check", "none_left"],
)
def test_constraints_that_cannot_be_checked_are_refused_before_anything_is_asked(
    told: dict[str, Any], message: str, scripted: Scripted
) -> None:
    model = scripted(obedient)
    config = InstructionSFT(
        model="test", prompt_set="full", recipe="constrained", seeds=["说说茶。"], language="zh", constraints=told
    )
    with pytest.raises(ConfigError) as refused:
        plan_of(config).check(writes=False)
    assert str(refused.value).startswith(message)
    assert not model.requests


def test_the_demo_prompts_have_none_for_constraints(scripted: Scripted) -> None:
    scripted(obedient)
    with pytest.raises(ConfigError, match="these prompts have none for constraints: demo/en"):
        plan_of(InstructionSFT(model="test", prompt_set="demo", recipe="constrained", seeds=SEEDS)).check(writes=False)


def test_command_and_yaml_name_the_recipe_and_its_settings(scripted: Scripted) -> None:
    scripted(obedient)
    Path("seeds.jsonl").write_text("".join(json.dumps({"instruction": seed}) + "\n" for seed in SEEDS))
    told = {
        "recipe": "constrained",
        "seeds": "seeds.jsonl",
        "model": "test",
        "prompt_set": "full",
        "constraints": KINDS,
        "out": "by_yaml",
    }
    Path("constrained.yaml").write_text(yaml.safe_dump(told))
    assert run_command("sft", "--config", "constrained.yaml").returncode == 0
    kinds = f"constraints.kinds=[{','.join(KINDS['kinds'])}]"
    by_command = ("--seeds", "seeds.jsonl", "--model", "test", "--set", "prompt_set=full", "--set", kinds)
    assert run_command("sft", "--recipe", "constrained", "--out", "by_command", *by_command).returncode == 0
    assert dataset_bytes(Path("by_yaml")) == dataset_bytes(Path("by_command"))
    refused = run_command(
        "sft",
        "--recipe",
        "constrained",
        "--seeds",
        "seeds.jsonl",
        "--set",
        "prompt_set=full",
        "--set",
        "constraints.kinds=[rhyme]",
    )
    assert refused.returncode == 2
    assert "no such kind of constraint: rhyme" in refused.stderr


def test_solutions_whose_final_answer_is_right_are_chosen_over_those_that_are_wrong(scripted: Scripted) -> None:
    def solves(request: Request) -> Completion:
        number = int(str(request.messages[-1]["content"]).split()[2])  # type: ignore[index]
        return Completion(f"Let us count. The answer is {number + 2 if request.seed % 2 else number + 3}.")

    scripted(solves)
    problems = [{"question": f"What is {n} plus two?", "answer": f"We count.\n#### {n + 2}"} for n in range(6)]
    summary = dpo(recipe="verified", prompt_set="full", instructions=problems, verified_scores={"verifier": "answer"})
    pairs = pl.read_parquet("pairs/data/train.parquet")
    assert summary["rows"] == pairs.height > 2
    for pair in pairs.iter_rows(named=True):
        right = f"The answer is {int(pair['prompt'][-1]['content'].split()[2]) + 2}."
        assert right in pair["chosen"][0]["content"]
        assert right not in pair["rejected"][0]["content"]
