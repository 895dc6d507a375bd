"""Both pipelines on the built-in models, through the same code as any other transformers model."""

from __future__ import annotations

import polars as pl
import pytest

from tasks.notices import heard
from tests.flows.test_instruction_sft import Scripted, sft
from tests.flows.test_preference_dpo import dpo


def test_the_demo_model_makes_both_kinds_of_dataset_and_again_at_no_cost(scripted: Scripted) -> None:
    options = {"model": "demo", "recipe": "evolved", "max_seeds": 6, "seeds": None, "max_reject_fraction": 1}
    first = sft(**options)
    assert first["rows"] > 0
    assert first["requests"] > 0
    rows = pl.read_parquet("out/data/train.parquet")
    assert {"user", "assistant"} == {turn["role"] for messages in rows["messages"] for turn in messages}
    assert sft(**options)["requests"] == 0
    pairs = dpo(model="demo", recipe="basic", instructions="out")
    assert pairs["rows"] + pairs["rejects"] == first["rows"]
    assert dpo(model="demo", recipe="basic", instructions="out")["requests"] == 0


def test_magpie_draws_instructions_out_of_the_demo_model(scripted: Scripted) -> None:
    summary = sft(model="demo", recipe="basic", rows=5, max_reject_fraction=1)
    assert summary["rows"] == 5


@pytest.mark.slow
def test_the_second_model_makes_verified_pairs_of_its_constrained_rows(scripted: Scripted) -> None:
    told: list[str] = []
    with heard(told.append):
        summary = sft(model="demo-2", recipe="constrained", seeds=None, max_seeds=12, max_reject_fraction=1)
    assert not [line for line in told if "not used" in line]
    assert summary["rows"] >= 6
    pairs = dpo(model="demo-2", recipe="verified", instructions="out")
    assert pairs["rows"] > 0
    made = pl.read_parquet("pairs/data/train.parquet")
    assert (made["score_chosen"] == 1).all() and (made["score_rejected"] == 0).all()


@pytest.mark.parametrize("recipe", ["reasoning", "dialogue"])
def test_the_second_model_plays_its_other_recipes(recipe: str, scripted: Scripted) -> None:
    summary = sft(model="demo-2", recipe=recipe, seeds=None, max_seeds=8, max_reject_fraction=1)
    assert summary["rows"] >= 4
    assert sft(model="demo-2", recipe=recipe, seeds=None, max_seeds=8, max_reject_fraction=1)["requests"] == 0
