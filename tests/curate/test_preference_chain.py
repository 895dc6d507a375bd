"""Pool, evolve, judge and pair on the engine: the laws over the whole chain, with models that fail."""

from __future__ import annotations

import random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.curate.pair import Pair, pair
from tasks.engine.admission import Admission
from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.requests.asking import Member
from tasks.engine.row import seed_row_id
from tasks.engine.shard import Outcome, run_shard
from tasks.engine.technique import Technique
from tasks.generate.evol_quality import EvolQuality, evol_quality
from tasks.generate.model_pool import ModelPool, model_pool
from tasks.judge.critique import Critique, critique
from tasks.judge.ultrafeedback import UltraFeedback, ultrafeedback
from tasks.models.base import Completion, Request
from tasks.models.config import ModelConfig
from tasks.models.scripted import Rule, ScriptedModel

ROLES = {
    "Rate each": "judge",
    "Rate it": "judge",
    "make this response better": "critic",
    "Write this response": "writer",
}


def role_of(request: Request) -> str:
    text = request.messages[-1]["content"] if request.messages else ""
    return next((role for words, role in ROLES.items() if words in text), "writer")


def unreliable(failing: float) -> Rule:
    """Writes, criticises and judges; this share of its answers is of no use, in one way or another."""

    def rule(request: Request) -> str | Completion:
        dice = random.Random(request.seed)
        if dice.random() < failing:
            return dice.choice(
                ["", "Rating: 8/10", "Response 1: rating 47", Completion("cut", "length"), "As an AI, no. 3/5"]
            )
        if role_of(request) == "judge":
            lines = [f"Response {i}: rating {dice.choice([1, 2, 3.5, 4, 'N/A'])} - so it is" for i in range(1, 9)]
            text = request.messages[-1]["content"] if request.messages else ""
            count = text.count("\nResponse ") - 1 if "Rate each" in text else 0
            return "\n".join(lines[:count]) if count else f"Rating: {dice.randint(1, 5)}\nReason: so it is"
        return " ".join(dice.choices(["boil", "the", "soup", "slowly", "with", "salt", "and", "thyme"], k=9))

    return rule


def run(
    technique: Technique[Any], frame: pl.DataFrame, rules: list[Rule], params: Any, max_attempts: int = 3
) -> Outcome:
    context = Context(max_attempts=max_attempts)
    panel = [ScriptedModel(rule, name=f"m{i}") for i, rule in enumerate(rules)]
    members = [Member(model, ModelConfig(name=model.name)) for model in panel]
    models = Models({"generator": members[:1], "pool": members, "judge": members}, context)
    admission = Admission()
    admission.widen(64)
    return run_shard(technique, frame, models, params, context, admission=admission)


def instructions(count: int) -> pl.DataFrame:
    rows = [{"instruction": f"How is soup {n} made?"} for n in range(count)]
    return pl.DataFrame([{"row_id": seed_row_id(row)} | row for row in rows])


def hold_law_one(frame: pl.DataFrame, outcome: Outcome) -> None:
    """Every row in is a parent of one or more rows out (by provenance), or exactly one reject."""
    parents = set(outcome.provenance["parents"].explode()) if outcome.provenance.height else set()
    rejects = outcome.rejects["row_id"].to_list()
    assert len(rejects) == len(set(rejects))
    assert parents | set(rejects) == set(frame["row_id"])
    assert not parents & set(rejects)


CHAIN: list[tuple[Technique[Any], Any]] = [
    (model_pool, ModelPool(responses=3)),
    (evol_quality, EvolQuality(evolved=2)),
    (critique, Critique()),
    (ultrafeedback, UltraFeedback(aspects="paper", second_order=True)),
    (pair, Pair(max_pairs_per_instruction=2)),
]


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from([0.0, 0.2, 0.5, 0.8]), st.integers(1, 8), st.integers(1, 3), st.sampled_from(["overall", "paper"])
)
def test_nothing_is_lost_on_the_way_to_pairs(failing: float, rows: int, models: int, aspects: Any) -> None:
    frame = instructions(rows)
    for technique, params in CHAIN:
        told = UltraFeedback(aspects=aspects) if technique is ultrafeedback else params
        outcome = run(technique, frame, [unreliable(failing)] * models, told)
        hold_law_one(frame, outcome)
        assert not {"invalid_input", "invalid_output"} & set(outcome.rejects["reason"])
        frame = outcome.rows
        if not frame.height:
            return
    assert (frame["score_chosen"] > frame["score_rejected"]).all()


def test_the_same_inputs_give_the_same_tables() -> None:
    def once() -> list[pl.DataFrame]:
        frames, frame = [], instructions(12)
        for technique, params in CHAIN:
            outcome = run(technique, frame, [unreliable(0.3)] * 2, params)
            frame = outcome.rows
            frames += [outcome.rows, outcome.rejects, outcome.losses, outcome.provenance]
        return frames

    for first, second in zip(once(), once(), strict=True):
        assert first.equals(second)


def test_a_fifth_of_unusable_judgements_costs_only_the_repeated_requests() -> None:
    pools = run(model_pool, instructions(60), [unreliable(0)], ModelPool()).rows
    unusable = []

    def fifth(request: Request) -> str | Completion:
        if random.Random(request.seed).random() < 0.2:
            unusable.append(request)
            return "I like both!"
        return unreliable(0)(request)  # type: ignore[return-value]

    asked: list[Request] = []
    outcome = run(ultrafeedback, pools, [lambda request: asked.append(request) or fifth(request)], UltraFeedback(), 9)
    assert not outcome.rejects.height
    assert 10 < len(unusable) < 50
    assert len(asked) == 120 + len(unusable)


def test_where_a_judge_stays_unusable_pairs_are_formed_from_the_others() -> None:
    pools = run(model_pool, instructions(40), [unreliable(0)] * 2, ModelPool()).rows

    def bad(_: Request) -> str:
        return "I like both!"

    def good(request: Request) -> str:
        return f"Rating: {request.seed % 5 + 1}\nReason: so it is"

    outcome = run(ultrafeedback, pools, [bad, good], UltraFeedback())
    assert not outcome.rejects.height
    assert outcome.losses["raw"].unique().to_list() == ["I like both!"]
    pairs = run(pair, outcome.rows, [bad], Pair())
    assert pairs.rows.height > 20
    assert set(pairs.rejects["reason"]) == {"tie"}
    assert pairs.rows["judges"].explode().unique().to_list() == ["m1"]
    alone = run(ultrafeedback, pools, [bad], UltraFeedback())
    assert alone.rejects.select("kind", "reason", "raw").unique().rows() == [("failed", "no_rating", "I like both!")]
    assert alone.rejects.height == 40


@pytest.mark.parametrize("strategy", ["evolved_vs_original", "stronger_model_first"])
def test_pairs_without_a_judge_have_no_scores(strategy: Any) -> None:
    pools = run(model_pool, instructions(20), [unreliable(0)] * 2, ModelPool()).rows
    evolved = run(evol_quality, pools, [unreliable(0)], EvolQuality()).rows
    pairs = run(pair, evolved, [unreliable(0)] * 2, Pair(strategy=strategy))
    assert pairs.rows.height == 20
    assert pairs.rows["score_chosen"].null_count() == 20
