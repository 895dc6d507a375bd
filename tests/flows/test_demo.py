"""Both pipelines on the built-in model, through the same code as any other transformers model."""

from __future__ import annotations

import polars as pl

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
