"""Recipe `magpie_ultra`, end to end on scripted models: what is made, what it is curated by, and what the user changes of it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.config import InstructionSFT
from flows.runs.plan import plan_of
from tasks.errors import ConfigError
from tasks.models.base import Request
from tests.flows.test_instruction_sft import Scripted, dataset_bytes, sft

WORDS = [
    "lever",
    "tide",
    "yeast",
    "violin",
    "glass",
    "chess",
    "paper",
    "honey",
    "thunder",
    "salt",
    "moss",
    "river",
    "cedar",
    "wheel",
    "lamp",
    "clay",
    "rope",
    "storm",
    "mirror",
    "wool",
]
ULTRA: dict[str, Any] = {"recipe": "magpie_ultra", "prompt_set": "full", "embedder": "ngrams"}


def told(seed: int, count: int) -> str:
    """Words drawn from a seed."""
    return " ".join(random.Random(seed).choices(WORDS, k=count))


def asks(request: Request) -> str:
    """Writes users' turns, raw."""
    return f"How do {told(request.seed, 6)} go together?"


def answers(request: Request) -> str:
    return f"It is known: {told(request.seed, 10 + request.seed % 50)}."


def judges(request: Request) -> str:
    text = request.messages[-1]["content"] if request.messages else ""
    if "Verdict: safe or unsafe" in text:
        return f"Reason: so it is.\nVerdict: {'unsafe' if request.seed % 4 == 0 else 'safe'}\nCategories: none"
    if "Difficulty:" in text:
        return "Intent: to know\nKnowledge: some\nDifficulty: easy"
    if "Quality:" in text:
        return f"Explanation: clear\nQuality: {'average' if request.seed % 3 == 0 else 'good'}"
    return "Category: information seeking\nOther categories: none"


def test_conversations_are_made_tagged_guarded_and_chosen(scripted: Scripted) -> None:
    asker, responder, judge = scripted(asks), scripted(answers, "responder"), scripted(judges, "judge")
    roles = {"responder": ["responder"], "judge": ["judge"]}
    summary = sft(**ULTRA, rows=6, roles=roles)
    rows = pl.read_parquet("out/data/train.parquet")
    assert summary["rows"] == rows.height == 6
    users = {sum(turn["role"] == "user" for turn in talk) for talk in rows["messages"]}
    assert users <= {1, 2, 3} and len(users) > 1
    assert all(talk[0]["role"] == "system" for talk in rows["messages"])
    assert len({talk[0]["content"] for talk in rows["messages"]}) > 1, "several categories"
    assert {turn["content"][:8] for talk in rows["messages"] for turn in talk if turn["role"] == "assistant"} == {
        "It is kn"
    }
    assert set(rows["input_quality"]) == {"good"} and set(rows["safety"]) == {"safe"}
    assert asker.requests[0].sampling.temperature == responder.requests[0].sampling.temperature == 0.8
    assert all(request.prompt is not None for request in asker.requests) and judge.requests
    reasons = set(pl.read_parquet("out/rejects.parquet")["reason"])
    assert {"unsafe", "input_quality", "not_selected"} <= reasons
    before = dataset_bytes(Path("out"))
    assert sft(**ULTRA, rows=6, roles=roles)["requests"] == 0 and dataset_bytes(Path("out")) == before


def test_the_longest_of_those_that_are_unlike_each_other_are_chosen(scripted: Scripted) -> None:
    scripted(lambda request: asks(request) if request.prompt else answers(request))
    curate = {"tags": None, "guard": None, "diversify": {"by": "longest", "candidates": 12, "threshold": 0.999}}
    sft(**ULTRA, rows=4, curate=curate, magpie={"turns": 1, "min_turns": 1})
    kept = [len(talk[-1]["content"]) for talk in pl.read_parquet("out/data/train.parquet")["messages"]]
    rejects = pl.read_parquet("out/rejects.parquet").filter(pl.col("reason") == "not_selected")
    lost = [float(detail.removeprefix("score ")) for detail in rejects["detail"]]
    assert len(kept) == 4 and lost and min(kept) >= max(lost) - 1


def plan(**told: Any) -> Any:
    return plan_of(InstructionSFT(**{**ULTRA, "model": "demo", "rows": 3} | told))


def test_what_the_recipe_curates_by_is_the_users_to_change() -> None:
    ours = plan().curate
    assert ours.tags.keep_quality == ("good", "excellent") and ours.guard and ours.diversify.by == "longest"
    assert ours.reward_model is None, "without a reward model there is no reward"
    assert plan(roles={"reward": ["some/model"]}).curate.reward_model.threshold is None
    told = plan(curate={"tags": None, "diversify": None}).curate
    assert (told.tags, told.diversify) == (None, None) and told.guard
    assert plan(curate={"tags": {"keep_quality": ["excellent"]}}).curate.tags.keep_quality == ("excellent",)
    bare = plan(curate=None).curate
    assert (bare.tags, bare.guard, bare.diversify) == (None, None, None)


def test_other_recipes_curate_as_they_did() -> None:
    curate = plan_of(InstructionSFT(recipe="basic", model="demo", rows=3)).curate
    assert (curate.tags, curate.guard, curate.reward_model, curate.diversify) == (None, None, None, None)


def test_prompts_that_are_missing_are_told_before_anything_is_paid_for() -> None:
    with pytest.raises(ConfigError, match=r"these prompts have none|no system prompts of a task category"):
        plan(prompt_set="demo").check(writes=False)
