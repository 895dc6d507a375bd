"""Judges measured: against people's pairs before a run and by a command, and on what they said, in the manifest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flows.command.main import app
from flows.runs.manifests import manifest
from tasks.errors import ConfigError
from tasks.models.base import Request
from tasks.notices import heard
from tests.flows.test_instruction_sft import Scripted, rule, sft
from tests.flows.test_preference_dpo import dpo, judged

PAIRS = Path(__file__).parents[1] / "data" / "preference_pairs" / "dpo_en_demo.jsonl"
SEEDS = [f"question {number}" for number in range(8)]


@pytest.fixture
def pairs(home: Path) -> str:
    """Ten pairs in which the chosen answer is the longer one in seven."""
    lines = []
    for number in range(10):
        long, short = f"It is {number}, since that is so.", f"It is {number}."
        chosen, rejected = (long, short) if number < 7 else (short, long)
        lines.append(json.dumps({"prompt": f"What is {number}?", "chosen": chosen, "rejected": rejected}))
    Path("pairs.jsonl").write_text("\n".join(lines))
    return "pairs.jsonl"


def response_in(request: Request) -> str:
    assert request.messages is not None
    return request.messages[-1]["content"].partition("<response>\n")[2].partition("\n</response>")[0]


def likes_length(request: Request) -> str:
    """A judge that finds what has a reason better, by any way of judging."""
    assert request.messages is not None
    if request.scored_by:
        return repr(float(len(request.messages[-1]["content"])))
    text = request.messages[-1]["content"]
    if "entries, a line each" in text:
        return "1. [essential] It answers.\n2. [important] It gives a reason."
    has_reason = "since" in response_in(request)
    if "Met: yes or no" in text:
        return f"Criterion 1\nReason: so\nMet: yes\nCriterion 2\nReason: so\nMet: {'yes' if has_reason else 'no'}"
    if "Criterion 1" in text:
        return "\n".join(f"Criterion {n}\nReason: so\nRating: {4 if has_reason else 2}" for n in range(1, 5))
    return f"Reason: so\nRating: {4 if has_reason else 2}"


def likes_nothing(request: Request) -> str:
    return "Reason: so\nRating: 3" if "Criterion 1" not in str(request.messages) else "I cannot say."


def run_command(*words: str) -> Any:
    return CliRunner().invoke(app, ["judges", *words])


def test_the_command_compares_ratings_and_rubrics_of_each_judge(pairs: str, scripted: Scripted) -> None:
    model = scripted(likes_length, "length")
    scripted(likes_nothing, "nothing")
    words = (pairs, "--judge", "length", "--judge", "nothing", "--set", "prompt_set=full")
    outcome = run_command(*words, "--json")
    assert outcome.exit_code == 0, outcome.output
    found = json.loads(outcome.stdout.splitlines()[-1])
    told = {(one["judge"], one["by"]): one for one in found["judges"]}
    for by in ("ultrafeedback", "rubric_ratings"):
        figures = told["length", by]
        assert (figures["pairs"], figures["agreement"], figures["longer_preferred"]) == (10, 0.7, 1.0)
        assert figures["longer_chosen"] == 0.7
    assert (told["nothing", "ultrafeedback"]["ties"], told["nothing", "ultrafeedback"]["agreement"]) == (10, 0.5)
    assert (told["nothing", "rubric_ratings"]["failed"], told["nothing", "rubric_ratings"]["agreement"]) == (10, None)
    assert found["requests"] > 0 and len(model.requests) == 20 + 30
    again = run_command(*words)
    assert "0 requests paid" in again.stdout and "length   ultrafeedback   10     70%" in again.stdout
    assert "nothing as a judge (ultrafeedback) agrees with people in 50%" in again.output


def test_the_command_takes_real_pairs_and_a_reward_model(home: Path, scripted: Scripted) -> None:
    scripted(likes_length, "rm")
    outcome = run_command(str(PAIRS), "--reward", "rm", "--by", "reward", "--rows", "40", "--json")
    assert outcome.exit_code == 0, outcome.output
    [figures] = json.loads(outcome.stdout.splitlines()[-1])["judges"]
    assert figures["by"] == "reward_scores" and figures["pairs"] + figures["failed"] == 40
    assert figures["agreement"] == pytest.approx(figures["longer_chosen"], abs=0.05), "it is nothing but length"
    assert figures["longer_preferred"] == 1.0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "no judge"),
        (("--judge", "length", "--by", "rubric"), "did you mean rubrics?"),
        (("--judge", "length", "--rows", "0"), "bad value for --rows"),
        (("--judge", "length", "--by", "reward"), "reward_scores needs one reward model"),
        (("--judge", "length"), "these prompts have none for rubric_ratings"),
    ],
)
def test_mistakes_of_the_command_are_one_line(
    words: tuple[str, ...], told: str, pairs: str, scripted: Scripted
) -> None:
    model = scripted(likes_length, "length")
    outcome = run_command(pairs, *words)
    assert outcome.exit_code == 2 and told in outcome.output
    assert not model.requests


def test_what_is_no_pair_is_a_mistake(home: Path, scripted: Scripted) -> None:
    scripted(likes_length, "length")
    Path("rows.jsonl").write_text('{"instruction": "a", "response": "b"}')
    outcome = run_command("rows.jsonl", "--judge", "length")
    assert outcome.exit_code == 2 and "these are no preference pairs" in outcome.output


@pytest.mark.parametrize("gate", ["rate", "rubrics", "reward_model"])
def test_a_run_measures_its_judges_first_and_tells_of_one_below(gate: str, pairs: str, scripted: Scripted) -> None:
    scripted(rule)
    scripted(likes_length, "length")
    told: dict[str, Any] = {
        "recipe": "respond",
        "seeds": SEEDS,
        "prompt_set": "full",
        "roles": {"judge": ["length"], "reward": ["length"]},
        "curate": {gate: {"threshold": 0} if gate == "rubrics" else {}, "filters": None},
        "calibrate": {"pairs": pairs, "least_agreement": 0.75},
        "allow_empty": True,
    }
    lines: list[str] = []
    with heard(lines.append):
        summary = sft(**told)
    [figures] = manifest(summary["run"])["judges"]["calibration"]
    assert (figures["by"], figures["pairs"], figures["agreement"]) == (gate, 10, 0.7)
    assert [line for line in lines if f"length as a judge ({gate}) agrees with people in 70% of 10 pairs" in line]
    assert sft(**told)["requests"] == 0


def test_the_manifest_says_how_far_judges_agree_and_what_sways_them(scripted: Scripted) -> None:
    scripted(judged)
    for name in ("a", "b"):
        scripted(judged, name)
    told = {"recipe": "critiqued", "instructions": SEEDS, "roles": {"judge": ["a", "b"]}, "curate": {"filters": None}}
    summary = dpo(**told, ultrafeedback={"aspects": "paper", "second_order": True})
    section = manifest(summary["run"])["judges"]
    assert set(section["agreement"]) == {"instruction_following", "truthfulness", "honesty", "helpfulness"}
    assert set(section["judges"]) == {"a", "b"} and "calibration" not in section
    position = section["judges"]["a"]["position"]
    assert position["pairs"] > 20 and 0 <= position["first_preferred"] <= 1
    assert section["judges"]["a"]["orders"]["pairs"] > 20


def test_rows_that_went_are_in_the_agreement_as_well(scripted: Scripted) -> None:
    scripted(rule)
    for name, low in (("a", 2), ("b", 1)):
        scripted(lambda request, low=low: ratings(request, low), name)
    told = {"recipe": "respond", "seeds": SEEDS, "prompt_set": "full", "roles": {"judge": ["a", "b"]}}
    summary = sft(**told, curate={"rate": {}})
    assert summary["rows"] == 4
    agreement = manifest(summary["run"])["judges"]["agreement"]
    assert {name: one["units"] for name, one in agreement.items()} == dict.fromkeys(
        ("correct", "complete", "clear", "safe"), 8
    )
    assert 0.8 < agreement["correct"]["interval"] < 1


def ratings(request: Request, low: int) -> str:
    assert request.messages is not None
    number = int(request.messages[-1]["content"].partition("question ")[2].partition("\n")[0])
    return "\n".join(f"Criterion {n}\nReason: so\nRating: {low if number % 2 else 5}" for n in range(1, 5))


def test_calibration_without_a_judge_is_a_mistake(pairs: str, scripted: Scripted) -> None:
    model = scripted(rule)
    with pytest.raises(ConfigError, match="calibrate needs a step that judges: text_generation, filters"):
        sft(recipe="respond", seeds=SEEDS, calibrate={"pairs": pairs})
    assert not model.requests
