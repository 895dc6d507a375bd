"""A judge as a gate of instruction datasets: what stays has its score, what goes its figure, and all is paid for once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.errors import ConfigError
from tasks.models.base import Request
from tasks.publish.origin import origin_of
from tests.flows.test_instruction_sft import Scripted, dataset_bytes, rule, sft

SEEDS = [f"question {number}" for number in range(12)]
RESPOND: dict[str, Any] = {"recipe": "respond", "seeds": SEEDS, "roles": {"judge": ["strict"]}, "prompt_set": "full"}
NAMES = ("correct", "complete", "clear", "safe")


def by_question(request: Request) -> str:
    """All fours for even questions, all twos for odd ones."""
    assert request.messages is not None
    text = request.messages[-1]["content"]
    number = int(text.partition("question ")[2].partition("\n")[0])
    value = 2 if number % 2 else 4
    return "\n".join(f"Criterion {n}\nReason: so it is\nRating: {value}" for n in range(1, 5))


def test_rows_below_the_threshold_are_filtered_and_the_others_keep_their_score(scripted: Scripted) -> None:
    scripted(rule)
    judge = scripted(by_question, "strict")
    plain = sft(**RESPOND | {"roles": {}}, out="plain")
    summary = sft(**RESPOND, curate={"rate": {}})
    assert (summary["rows"], summary["rejects"], summary["requests"]) == (6, 6, 12)
    rows = pl.read_parquet("out/data/train.parquet")
    assert rows["score"].to_list() == [4.0] * 6
    assert {one["aspect"] for one in rows["ratings"][0]} == set(NAMES)
    assert set(rows["row_id"]) < set(pl.read_parquet("plain/data/train.parquet")["row_id"]), "ids are as without it"
    rejects = pl.read_parquet("out/rejects.parquet")
    assert set(rejects.select("kind", "reason", "technique").rows()) == {("filtered", "low_rating", "rate")}
    assert rejects["detail"][0].startswith("score 2, at least 3 (correct 2")
    assert {one["rating"] for one in json.loads(rejects["raw"][0])} == {2.0}
    before = dataset_bytes(Path("out"))
    again = sft(**RESPOND, curate={"rate": {}})
    assert (again["requests"], len(judge.requests)) == (0, 12)
    assert dataset_bytes(Path("out")) == before
    raised = sft(**RESPOND, curate={"rate": {"threshold": 2}})
    assert (raised["rows"], raised["requests"]) == (12, 0), "the answers are on record"
    assert plain["rows"] == 12


def test_rows_counts_those_that_stay(scripted: Scripted) -> None:
    scripted(rule)
    scripted(by_question, "strict")
    assert sft(**RESPOND, curate={"rate": {}}, rows=5)["rows"] == 5
    assert pl.read_parquet("out/data/train.parquet").height == 5


def test_provenance_names_the_judge_of_a_row_and_its_origin_ends(scripted: Scripted) -> None:
    scripted(rule)
    scripted(by_question, "strict")
    sft(**RESPOND, curate={"rate": {}})
    row_id = pl.read_parquet("out/data/train.parquet")["row_id"][0]
    lines = [line for line in origin_of(Path("out"), row_id) if line["row_id"] == row_id]
    assert [(line["technique"], line["model"]) for line in lines] == [
        ("text_generation", "test"),
        ("rate", "strict"),
    ]


def test_a_budget_that_ends_before_the_judge_leaves_rows_pending_and_the_next_run_goes_on(scripted: Scripted) -> None:
    scripted(rule)
    scripted(by_question, "strict")
    cut = sft(**RESPOND, curate={"rate": {}}, max_requests=15)
    assert cut["pending"] == 9
    assert sft(**RESPOND, curate={"rate": {}}, incremental=True)["requests"] == 9
    assert pl.read_parquet("out/data/train.parquet").height == 6


def test_a_dataset_without_scores_takes_rows_with_them(scripted: Scripted) -> None:
    scripted(rule)
    scripted(by_question, "strict")
    sft(**RESPOND | {"seeds": SEEDS[:4]})
    grown = sft(**RESPOND, curate={"rate": {}}, incremental=True)
    assert grown["rows"] == 8
    assert pl.read_parquet("out/data/train.parquet")["score"].null_count() == 4


@pytest.mark.parametrize("recipe", ["basic", "seeded", "evolved"])
def test_every_recipe_has_the_gate(recipe: str, scripted: Scripted) -> None:
    scripted(rule)
    scripted(lambda _: "\n".join(f"Criterion {n}\nReason: so\nRating: 4" for n in range(1, 5)), "fair")
    told = {"recipe": recipe, "roles": {"judge": ["fair"]}, "prompt_set": "full", "curate": {"rate": {}}}
    summary = sft(**told, rows=3, **({} if recipe == "basic" else {"seeds": ["iron", "copper"]}))
    assert summary["rows"] == 3
    assert pl.read_parquet("out/data/train.parquet")["score"].to_list() == [4.0] * 3


def test_mistakes_are_told_before_anything_is_asked(scripted: Scripted) -> None:
    from tests.flows.test_preference_dpo import dpo

    model = scripted(rule)
    with pytest.raises(ConfigError, match=r"more judges than there are: 2 \(there is 1 judge"):
        sft(recipe="respond", seeds=SEEDS, prompt_set="full", curate={"rate": {"min_judges": 2}})
    with pytest.raises(ConfigError, match=r"curate\.rate is for rows that are trained on by themselves"):
        dpo(recipe="basic", instructions=SEEDS, curate={"rate": {}})
    assert not model.requests


RUBRIC = "1. [essential] It answers.\n2. [important] It says why.\n3. [pitfall] It is rude."


def by_rubric(request: Request) -> str:
    """Writes a rubric; finds everything in answers to even questions, and in pools what the seed says."""
    assert request.messages is not None
    text = request.messages[-1]["content"]
    if "entries, a line each" in text:
        return RUBRIC
    if "Met: yes or no" not in text:
        return f"The answer is {request.seed % 9973}, for all that I know."
    met = ("yes", "yes", "no") if request.seed % 2 else ("yes", "no", "no")
    if "question " in text and int(text.partition("question ")[2].partition("\n")[0]) % 2:
        met = ("no", "no", "yes")
    return "\n".join(f"Criterion {n}\nReason: so it is\nMet: {one}" for n, one in enumerate(met, 1))


def test_rows_are_checked_by_a_rubric_of_their_own(scripted: Scripted) -> None:
    scripted(rule)
    scripted(by_rubric, "strict")
    summary = sft(**RESPOND, curate={"rubrics": {"threshold": 0.5}})
    assert (summary["rows"], summary["requests"]) == (6, 12 + 24)
    rows = pl.read_parquet("out/data/train.parquet")
    assert rows["rubric"].to_list() == [[line.partition(". ")[2] for line in RUBRIC.splitlines()]] * 6
    assert set(rows["rubric_score"].round(3)) <= {1.0, round(1 / 1.7, 3)}
    assert set(pl.read_parquet("out/rejects.parquet")["reason"]) == {"low_rubric_score"}
    assert sft(**RESPOND, curate={"rubrics": {"threshold": 0.5}})["requests"] == 0


def test_pairs_are_judged_by_rubrics_in_place_of_ratings(scripted: Scripted) -> None:
    from tests.flows.test_preference_dpo import dpo

    scripted(by_rubric)
    told = {"recipe": "basic", "instructions": [f"topic {n}" for n in range(12)], "prompt_set": "full"}
    summary = dpo(**told, judged_by="rubrics", model_pool={"responses": 4})
    pairs = pl.read_parquet("pairs/data/train.parquet")
    assert summary["rows"] == pairs.height > 3
    assert set(pairs["score_chosen"]) == {5.0} and set(pairs["score_rejected"].round(3)) == {round(1 + 4 / 1.7, 3)}
    assert pairs["ratings_chosen"][0][0]["aspect"] == "rubric"
    assert dpo(**told, judged_by="rubrics", model_pool={"responses": 4})["requests"] == 0


def test_the_built_in_prompts_have_none_for_rubrics(scripted: Scripted) -> None:
    model = scripted(rule)
    with pytest.raises(ConfigError, match=r"these prompts have none for rubrics: demo/en \(give --set prompt_set=full"):
        sft(recipe="respond", seeds=SEEDS, curate={"rubrics": {}})
    assert not model.requests


def by_length(request: Request) -> str:
    """A reward model that likes long answers."""
    assert request.scored_by == "score" and request.messages is not None
    return repr(len(request.messages[-1]["content"]) / 8)


def of_many_lengths(request: Request) -> str:
    assert request.messages is not None
    return "It is so" + ", and so" * (request.seed % 7) + "."


def test_a_reward_model_is_a_gate_of_rows(scripted: Scripted) -> None:
    scripted(of_many_lengths)
    scripted(by_length, "rm")
    told = {"recipe": "respond", "seeds": SEEDS, "roles": {"reward": ["rm"]}}
    every = sft(**told, curate={"reward_model": {}, "filters": None})
    scores = pl.read_parquet("out/data/train.parquet")["reward"]
    assert every["rows"] == 12 and scores.n_unique() > 3
    limit = float(scores.sort()[6])
    some = sft(**told, curate={"reward_model": {"threshold": limit}, "filters": None})
    assert (some["rows"], some["requests"]) == ((scores >= limit).sum(), 0)
    assert set(pl.read_parquet("out/rejects.parquet")["reason"]) == {"low_reward"}


def logits(folder: Path, talks: Sequence[Sequence[Any]]) -> list[float]:
    """What transformers says of conversations, one at a time."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForSequenceClassification.from_pretrained(folder)
    texts = [tokenizer.apply_chat_template(talk, tokenize=False) for talk in talks]
    with torch.inference_mode():
        ids = [tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"] for text in texts]
        found = [model(input_ids=one).logits for one in ids]
    return [float(one[0, 0]) for one in found]


def test_a_real_reward_model_scores_rows_as_transformers_does(scripted: Scripted, tmp_path: Path) -> None:
    from tests.models.local.test_reward import save_reward_model

    folder = save_reward_model(tmp_path / "reward")
    scripted(of_many_lengths)
    reward = {"name": str(folder), "dtype": "float32", "device": "cpu"}
    told = {"recipe": "respond", "seeds": SEEDS, "roles": {"reward": [reward]}}
    assert sft(**told, curate={"reward_model": {}, "filters": None})["rows"] == 12
    every = pl.read_parquet("out/data/train.parquet")
    wanted = logits(folder, every["messages"].to_list())
    assert every["reward"].to_list() == pytest.approx(wanted, abs=2e-4)
    limit = float(every["reward"].sort()[6])
    some = sft(**told, curate={"reward_model": {"threshold": limit}, "filters": None})
    kept = pl.read_parquet("out/data/train.parquet")
    assert some["requests"] == 0
    assert kept["row_id"].to_list() == every.filter(pl.col("reward") >= limit)["row_id"].to_list()
    gone = pl.read_parquet("out/rejects.parquet")
    assert set(gone["reason"]) == {"low_reward"} and kept.height + gone.height == 12


def test_pairs_are_the_best_and_the_worst_by_a_reward_model(scripted: Scripted) -> None:
    from tests.flows.test_preference_dpo import dpo

    scripted(of_many_lengths)
    scripted(by_length, "rm")
    told = {"recipe": "basic", "instructions": SEEDS, "roles": {"reward": ["rm"]}, "model_pool": {"responses": 5}}
    summary = dpo(**told, judged_by="reward", curate={"filters": None})
    pairs = pl.read_parquet("pairs/data/train.parquet")
    assert summary["rows"] == pairs.height > 8
    for row in pairs.iter_rows(named=True):
        assert row["score_chosen"] == len(row["chosen"][0]["content"]) / 8 > row["score_rejected"]
        assert (row["judges"], row["ratings_chosen"][-1]["aspect"]) == (["rm"], "reward")
    assert dpo(**told, judged_by="reward", curate={"filters": None})["requests"] == 0


def test_rows_are_held_against_a_base_and_one_has_to_be_named(scripted: Scripted) -> None:
    model = scripted(of_many_lengths)
    scripted(by_length, "rm")
    scripted(lambda _: "It is so, and so, and so.", "base")
    told = {"recipe": "respond", "seeds": SEEDS, "curate": {"reward_model": {"above_base": 0}, "filters": None}}
    with pytest.raises(ConfigError, match="above_base needs a model to be above"):
        sft(**told, roles={"reward": ["rm"]})
    assert not model.requests
    sft(**told, roles={"reward": ["rm"], "base": ["base"]})
    rewards = pl.read_parquet("out/data/train.parquet")["reward"]
    gone = pl.read_parquet("out/rejects.parquet")["reason"]
    assert len(rewards) + len(gone) == len(SEEDS)
    assert rewards.min() > len("It is so, and so, and so.") / 8
    assert set(gone) == {"not_above_base"}


@pytest.mark.parametrize("roles", [{}, {"reward": ["rm", "rm2"]}], ids=["none", "two"])
def test_a_reward_model_has_to_be_named_and_one_alone(roles: dict[str, Any], scripted: Scripted) -> None:
    from tests.flows.test_preference_dpo import dpo

    model = scripted(rule)
    for name in ("rm", "rm2"):
        scripted(by_length, name)
    with pytest.raises(ConfigError, match="reward_model needs one reward model"):
        sft(recipe="respond", seeds=SEEDS, curate={"reward_model": {}}, roles=roles)
    with pytest.raises(ConfigError, match="reward_scores needs one reward model"):
        dpo(recipe="basic", instructions=SEEDS, judged_by="reward", roles=roles)
    assert not model.requests
