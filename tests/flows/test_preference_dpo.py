"""The preference pipeline under Prefect, on scripted models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.models.base import Request
from tasks.notices import heard
from tests.flows.test_instruction_sft import Scripted, dataset_bytes, rule, sft


def judged(request: Request) -> str:
    """Answers, makes answers longer, and rates them by their last digit."""
    assert request.messages is not None
    text = request.messages[-1]["content"]
    if "Rating: a number" in text or ("Rating: a whole number" in text and "<response 1>" not in text):
        return f"Rating: {1 + request.seed % 5}\nReason: it says what it says."
    if "Response 1" in text:
        count = sum(1 for n in range(1, 9) if f"Response {n}:" in text or f"<response {n}>" in text)
        return "\n".join(f"Response {n}: rating {1 + (request.seed >> n) % 5} - so it is" for n in range(1, count + 1))
    return f"The answer is {request.seed % 9973}, since {request.seed % 7919} things speak for it."


def dpo(**options: Any) -> dict[str, Any]:
    from flows.config import PreferenceDPO
    from flows.preference_dpo import preference_dpo

    return preference_dpo(PreferenceDPO(**{"model": "test", "out": "pairs", "max_reject_fraction": 1} | options))


@pytest.mark.parametrize("recipe", ["basic", "evolved", "critiqued"])
def test_a_dataset_of_the_sft_flow_becomes_pairs_and_again_costs_nothing(recipe: str, scripted: Scripted) -> None:
    scripted(rule)
    sft(recipe="respond", seeds=[f"question {i}" for i in range(30)])
    scripted(judged)
    first = dpo(recipe=recipe, instructions="out")
    pairs = pl.read_parquet("pairs/data/train.parquet")
    assert first["rows"] == pairs.height > 0
    assert (pairs["score_chosen"] > pairs["score_rejected"]).all()
    assert first["rows"] + first["rejects"] == 30  # one pair an instruction, or a reject
    assert [turn["role"] for turn in pairs["prompt"][0]] == ["user"]
    assert [turn["role"] for turn in pairs["chosen"][0]] == ["assistant"]
    before = dataset_bytes(Path("pairs"))
    assert dpo(recipe=recipe, instructions="out")["requests"] == 0
    assert dataset_bytes(Path("pairs")) == before


def test_a_pool_of_models_and_several_judges_play_their_roles(scripted: Scripted) -> None:
    strong, weak = scripted(judged, "strong"), scripted(judged, "weak")
    judges = [scripted(judged, "judge-a"), scripted(judged, "judge-b")]
    summary = dpo(
        recipe="basic",
        instructions=[f"question {i}" for i in range(10)],
        model="strong",
        roles={"pool": ["strong", "weak"], "judge": ["judge-a", "judge-b"]},
    )
    assert summary["rows"] > 0
    assert len(strong.requests) == len(weak.requests) == 10
    assert [len(judge.requests) for judge in judges] == [20, 20]
    pairs = pl.read_parquet("pairs/data/train.parquet")
    assert set(pairs["chosen_model"]) | set(pairs["rejected_model"]) == {"strong", "weak"}
    assert set(pairs["judges"][0]) == {"judge-a", "judge-b"}


@pytest.mark.parametrize("format_", ["reward", "kto", "binarized"])
def test_other_formats_have_the_columns_of_their_trainers(format_: str, scripted: Scripted) -> None:
    scripted(judged)
    dpo(recipe="basic", instructions=[f"question {i}" for i in range(6)], format=format_)
    columns = set(pl.read_parquet("pairs/data/train.parquet").columns)
    expected = {
        "reward": {"chosen", "rejected", "margin"},
        "kto": {"prompt", "completion", "label"},
        "binarized": {"prompt", "chosen", "rejected", "messages"},
    }
    assert expected[format_] <= columns


def test_a_real_preference_set_is_judged_anew_with_its_own_responses(scripted: Scripted) -> None:
    model = scripted(judged)
    file = Path(__file__).parents[1] / "data" / "preference_pairs" / "dpo_en_demo.jsonl"
    summary = dpo(recipe="basic", instructions=str(file), model_pool={"keep_responses": True})
    records = [json.loads(line) for line in file.read_text().splitlines()]
    assert summary["rows"] + summary["rejects"] == len(records)
    assert summary["rows"] > len(records) / 2
    given = {record[side]["value"].strip() for record in records for side in ("chosen", "rejected")}
    pairs = pl.read_parquet("pairs/data/train.parquet")
    used = {turns[0]["content"].strip() for side in ("chosen", "rejected") for turns in pairs[side]}
    assert len(used - given) <= 2  # where two given responses are the same, the pool is asked for another
    assert {"system"} < {turns[0]["role"] for turns in pairs["prompt"]}
    assert max(len(turns) for turns in pairs["prompt"]) > 2
    written = [r for r in model.requests if r.messages and "Rating: a number" not in r.messages[-1]["content"]]
    assert len(written) <= 2 < len(model.requests)


def test_responses_rewritten_after_a_critique_stand_against_their_originals(scripted: Scripted) -> None:
    scripted(judged)
    options = {
        "instructions": [f"question {i}" for i in range(10)],
        "critique": {},
        "pair": {"strategy": "evolved_vs_original"},
    }
    summary = dpo(recipe="basic", **options)
    pairs = pl.read_parquet("pairs/data/train.parquet")
    assert summary["rows"] == pairs.height > 0
    assert set(pairs["chosen_origin"]) == {"revised"}
    assert set(pairs["rejected_origin"]) == {"pool"}


def test_rows_is_the_number_of_pairs_and_what_is_left_over_is_said(scripted: Scripted) -> None:
    scripted(judged)
    questions, said = [f"question {i}" for i in range(60)], list[str]()
    with heard(said.append):
        assert dpo(recipe="basic", instructions=questions, rows=12)["rows"] == 12
        assert said == []
        some = dpo(recipe="basic", instructions=questions, rows=12, max_candidates=6, out="some")
        assert 0 < some["rows"] <= 6
        assert f"{some['rows']} of 12 rows: 6 candidates are used up" in said[0]
        assert dpo(recipe="basic", instructions=questions[:8], rows=12, out="few")["rows"] <= 8
        assert "all that there are" in said[1]
