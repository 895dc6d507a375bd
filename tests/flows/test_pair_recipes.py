"""Recipes of pairs, end to end on scripted models; and rows of every SFT recipe through every DPO recipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest

from flows.config import PreferenceDPO
from flows.recipes.recipe import Kind, recipe_names
from flows.runs.plan import plan_of
from tasks.errors import ConfigError
from tasks.models.base import Request
from tests.flows import test_code as code
from tests.flows import test_constrained as constrained
from tests.flows import test_deita as deita
from tests.flows import test_reasoning as reasoning
from tests.flows.recipes import test_documents as documents
from tests.flows.recipes import test_made_of_texts as texts
from tests.flows.test_dialogues import both as speaks
from tests.flows.test_instruction_sft import Scripted, dataset_bytes, rule, sft
from tests.flows.test_preference_dpo import dpo, judged
from tests.seeds.traces.logs import written

CASES = Path(__file__).parents[1] / "data" / "cases"
QUESTIONS = [f"question {number}" for number in range(12)]


def plays(request: Request) -> str:
    """Critic and reviser of the constitution too; a fifth of all responses keep to their principle."""
    assert request.messages is not None
    text = request.messages[-1]["content"]
    if "Broken: yes or no" in text:
        return f"Critique: it could be kinder.\nBroken: {'no' if request.seed % 5 == 0 else 'yes'}"
    if "</critique>" in text:
        return f"A kinder answer, number {request.seed % 9973}, for who asks."
    return judged(request)


def pairs() -> pl.DataFrame:
    return pl.read_parquet("pairs/data/train.parquet")


def test_on_policy_compares_a_model_with_itself_and_with_others(scripted: Scripted) -> None:
    scripted(plays)
    scripted(plays, "other")
    told: dict[str, Any] = {"recipe": "on_policy", "instructions": QUESTIONS, "pair": {"min_margin": 0.5}}
    first = dpo(**told, policy_pool={"on_policy": 3})
    rows = pairs()
    assert first["rows"] == rows.height > 0 and first["rows"] + first["rejects"] == 12
    assert set(rows["chosen_model"]) == set(rows["rejected_model"]) == {"test"}
    assert ((rows["score_chosen"] - rows["score_rejected"]) >= 0.5 - 1e-9).all()
    before = dataset_bytes(Path("pairs"))
    assert dpo(**told, policy_pool={"on_policy": 3})["requests"] == 0 and dataset_bytes(Path("pairs")) == before
    dpo(**told, policy_pool={"on_policy": 2, "off_policy": 1}, roles={"pool": ["other"]})
    sides = list(pairs().select("chosen_origin", "rejected_origin").iter_rows())
    assert all("on_policy" in two for two in sides) and any("off_policy" in two for two in sides)


def test_delta_makes_pairs_without_a_judge(scripted: Scripted) -> None:
    strong = scripted(plays)
    weak = scripted(lambda request: "No idea. " * (1 + 60 * (request.seed % 2)), "small")
    summary = dpo(recipe="delta", instructions=QUESTIONS, roles={"weak": ["small"]})
    rows = pairs()
    assert set(rows.select("chosen_model", "rejected_model").iter_rows()) == {("test", "small")}
    assert rows["score_chosen"].null_count() == rows.height == summary["rows"] > 0
    assert len(strong.requests) == len(weak.requests) == 12
    reasons = pl.read_parquet("pairs/rejects.parquet")["reason"].to_list()
    assert set(reasons) == {"length_gap"} and len(reasons) + rows.height == 12


def test_constitution_sets_an_answer_against_its_revision(scripted: Scripted) -> None:
    scripted(plays)
    told = {"principles": ["It is kind.", "It is brief."], "rounds": 2}
    summary = dpo(recipe="constitution", instructions=QUESTIONS, prompt_set="full", constitutional_revision=told)
    rows = pairs()
    assert summary["rows"] == rows.height > 6
    assert set(rows["chosen_origin"]) == {"revised"} and set(rows["rejected_origin"]) == {"pool"}
    assert {tuple(sorted(one)) for one in rows["principles"]} == {("It is brief.", "It is kind.")}
    assert set(pl.read_parquet("pairs/rejects.parquet")["reason"]) <= {"keeps_principles"}


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ({"recipe": "delta"}, "strong_weak needs one weak model"),
        ({"recipe": "delta", "roles": {"weak": ["test"]}}, "are the same"),
        ({"recipe": "on_policy", "policy_pool": {"off_policy": 2}}, "needs more models"),
        ({"recipe": "constitution", "prompt_set": "demo"}, "these prompts have none for constitutional_revision"),
    ],
    ids=["no weak model", "one model twice", "no other models", "no prompts"],
)
def test_what_a_recipe_lacks_is_told_before_anything_is_paid_for(
    told: dict[str, Any], what: str, scripted: Scripted
) -> None:
    model = scripted(plays)
    with pytest.raises(ConfigError, match=what):
        plan_of(PreferenceDPO(model="test", instructions=QUESTIONS, **told)).check()
    assert not model.requests


SFT: dict[str, dict[str, Any]] = {
    "respond": {"seeds": ["Name a river.", "Name a lake.", "Name a sea."]},
    "seeded": {"seeds": ["A text about rivers.", "A text about lakes."]},
    "evolved": {"seeds": ["A text about towns.", "A text about seas."]},
    "basic": {"rows": 3, "magpie": {"turns": 2, "stop_at_newline": False}},
    "deita": {"seeds": deita.SEEDS[:2], "curate": None},
    "magpie_ultra": {"rows": 3, "curate": None, "prompt_set": "full"},
    "dialogue": {"seeds": ["Name a hill.", "Name a wood."], "prompt_set": "full"},
    "everyday": {"rows": 2, "curate": None, "prompt_set": "full"},
    "constrained": {"seeds": constrained.SEEDS[:3], "constraints": constrained.KINDS, "prompt_set": "full"},
    "documents": {"seeds": "docs", "curate": None, "prompt_set": "full"},
    "reasoning": {"seeds": reasoning.PROBLEMS[:2], "curate": None, "prompt_set": "full"},
    "code": {"seeds": code.SEEDS[:1], "curate": None, "prompt_set": "full"},
    "traces": {"seeds": "logs", "curate": None},
    "personas": {"seeds": [{"persona": "a nurse"}, {"persona": "a pilot"}], "prompt_set": "full"},
    "attributes": {"rows": 2, "attributed_prompts": texts.LIBRARY, "prompt_set": "full"},
    "rewrite": {"seeds": [{"text": texts.TEXT}], "prompt_set": "full"},
    "summarise": {"seeds": [{"text": texts.TEXT}], "prompt_set": "full"},
}
DPO: dict[str, dict[str, Any]] = {
    "basic": {},
    "evolved": {},
    "critiqued": {},
    "on_policy": {"policy_pool": {"on_policy": 3}},
    "delta": {"roles": {"weak": ["small"]}, "pair": {"max_length_ratio": None}},
    "constitution": {"prompt_set": "full"},
    "verified": {"verified_scores": {"verifier": "parity.py:even"}, "model_pool": {"responses": 4}},
}
PARITY = """
from tasks.verify.verifier import Verification


def even(row, answer):
    return Verification(len(answer) % 2 == 0, f"{len(answer)} characters", "odd")
"""


RULES = {
    "deita": deita.rule,
    "dialogue": speaks,
    "everyday": speaks,
    "constrained": constrained.obedient,
    "documents": documents.rule,
    "reasoning": reasoning.solver,
    "code": code.plays,
    "personas": texts.rule,
    "attributes": texts.rule,
    "rewrite": texts.rule,
    "summarise": texts.rule,
}


def test_no_recipe_is_left_out_below() -> None:
    assert {"sft": set(SFT), "dpo": set(DPO)} == {kind: set(recipe_names(kind)) for kind in get_args(Kind)}


@pytest.fixture
def sft_rows(scripted: Scripted) -> list[dict[str, Any]]:
    """Rows of every SFT recipe as they are published, with the recipe as `made_by`; and two conversations by hand."""
    rows = []
    written(Path("logs"))
    Path("docs").mkdir()
    Path("docs/ferries.md").write_text(documents.FERRIES)
    Path("parity.py").write_text(PARITY)
    for recipe, told in SFT.items():
        scripted(RULES.get(recipe, rule))
        sft(recipe=recipe, out=recipe, **told)
        made = pl.read_parquet(f"{recipe}/data/train.parquet").to_dicts()
        assert made, recipe
        rows += [{"messages": row["messages"], "made_by": recipe} for row in made]
    talk = json.loads((CASES / "tool_turns.jsonl").read_text().splitlines()[0])["messages"]
    said = {"role": "assistant", "content": "It is 31 degrees there."}
    return [*rows, {"messages": [*talk, said], "made_by": "tools"}]


@pytest.mark.slow
def test_rows_of_every_sft_recipe_go_on_into_every_dpo_recipe(
    sft_rows: list[dict[str, Any]], scripted: Scripted
) -> None:
    Path("all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in sft_rows))
    for recipe, told in DPO.items():
        scripted(lambda request: f"Rarely so: {request.seed % 9973}.", "small")
        scripted(plays)
        summary = dpo(recipe=recipe, instructions="all.jsonl", keep_columns=["made_by"], out=recipe, **told)
        assert summary["rows"] + summary["rejects"] == len(sft_rows), recipe
        failed = pl.read_parquet(f"{recipe}/rejects.parquet").filter(pl.col("kind") == "failed")
        assert failed.is_empty(), failed["reason"].to_list()
        rows = pl.read_parquet(f"{recipe}/data/train.parquet").to_dicts()
        there = {row["made_by"] for row in rows} | set(_sources_of_ties(recipe))
        assert there == {*SFT, "tools"}, recipe
        for row in rows:
            assert _plain(row["prompt"]) in [_plain(one["messages"][:-1]) for one in sft_rows], "all turns but the last"


def _sources_of_ties(recipe: str) -> list[str]:
    """Of rows that came to the end and are no pair: whose responses were rated alike, or that kept their principle."""
    rejects = pl.read_parquet(f"{recipe}/rejects.parquet").filter(pl.col("kind") == "filtered")
    return [json.loads(json.loads(row)["kept_columns"])["made_by"] for row in rejects["input"]]


def _plain(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Turns as a pair has them: marks of what to train on are of no use there, which the run says."""
    return [{name: value for name, value in turn.items() if value and name != "train"} for turn in turns]
