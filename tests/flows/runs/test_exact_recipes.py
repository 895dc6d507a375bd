"""`rows: N` is N rows after all curation, for each recipe that there is, on models that play its roles."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.recipes.catalogue import all_recipes
from tasks.models.base import Request
from tests.flows import test_code as code
from tests.flows import test_constrained as constrained
from tests.flows import test_deita as deita
from tests.flows import test_magpie_ultra as ultra
from tests.flows import test_pair_recipes as pair_recipes
from tests.flows import test_reasoning as reasoning
from tests.flows.recipes import test_documents as documents
from tests.flows.recipes import test_made_of_texts as texts
from tests.flows.runs.test_exact_rows import DPO_RECIPES, SFT_RECIPES
from tests.flows.test_dialogues import both
from tests.flows.test_instruction_sft import Scripted, rule, sft
from tests.flows.test_preference_dpo import dpo
from tests.seeds.traces.logs import CALL, TOOLS

ROWS = 5
QUESTIONS = [f"What is known of {thing}?" for thing in texts.WORDS]
ONE_OF_THREE = """
def one_of_three(row):
    return "one_of_three" if int(row["row_id"], 16) % 3 == 0 else None
"""


def ultras(request: Request) -> str:
    """All three models of Magpie's recipe in one."""
    if request.prompt:
        return ultra.asks(request)
    judging = ("Verdict:", "Difficulty:", "Quality:", "Category:")
    text = request.messages[-1]["content"] if request.messages else ""
    return ultra.judges(request) if any(word in text for word in judging) else ultra.answers(request)


def log(number: int) -> dict[str, Any]:
    """A conversation with a call of a tool."""
    return {
        "tools": TOOLS,
        "messages": [
            {"role": "user", "content": f"{QUESTIONS[number]} Log me in."},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "p1", "content": "done"},
            {"role": "assistant", "content": f"It is done, {texts.WORDS[number]}."},
        ],
    }


def chapters(count: int) -> list[dict[str, str]]:
    """Pieces of a text about ferries."""
    return [
        {"context": f"{texts.WORDS[n].title()} number {n} goes there. It comes back at noon."} for n in range(count)
    ]


FULL = {"prompt_set": "full"}
Told = tuple[Callable[[Request], str], dict[str, Any]]
MADE: dict[str, Told] = {
    "sft-attributes": (texts.rule, {"attributed_prompts": texts.LIBRARY, **FULL}),
    "sft-code": (code.plays, {"seeds": [f"a ferry with {n} decks" for n in range(10, 40)], **FULL}),
    "sft-constrained": (constrained.obedient, {"seeds": QUESTIONS, "constraints": constrained.KINDS, **FULL}),
    "sft-deita": (deita.rule, {"seeds": deita.SEEDS}),
    "sft-dialogue": (both, {"seeds": QUESTIONS, **FULL}),
    "sft-documents": (documents.rule, {"seeds": chapters(8), "document_questions": {"questions": 3}, **FULL}),
    "sft-everyday": (both, FULL),
    "sft-magpie_ultra": (
        ultras,
        {"embedder": "ngrams", "curate": {"diversify": {"by": "longest", "threshold": 0.99}}, **FULL},
    ),
    "sft-personas": (texts.rule, {"seeds": [{"text": f"{texts.TEXT} {n}"} for n in range(8)], **FULL}),
    "sft-reasoning": (
        reasoning.solver,
        {"seeds": [{"question": f"What is {n} plus 10?", "answer": f"#### {n + 10}"} for n in range(30)], **FULL},
    ),
    "sft-rewrite": (texts.rule, FULL),
    "sft-summarise": (texts.rule, {"summarising": {"sentences": [3]}, **FULL}),
    "sft-traces": (rule, {"seeds": "logs.jsonl"}),
    "dpo-constitution": (pair_recipes.plays, {"instructions": QUESTIONS, **FULL}),
    "dpo-delta": (
        pair_recipes.plays,
        {"instructions": QUESTIONS, "roles": {"weak": ["small"]}, "pair": {"max_length_ratio": None}},
    ),
    "dpo-on_policy": (pair_recipes.plays, {"instructions": QUESTIONS, "policy_pool": {"on_policy": 3}}),
    "dpo-verified": (constrained.obedient, {"instructions": QUESTIONS, "constraints": constrained.KINDS, **FULL}),
}
SLOW = {"sft-code"}  # it runs programs


def test_no_recipe_is_left_out() -> None:
    elsewhere = {*(f"sft-{name}" for name, _ in SFT_RECIPES), *(f"dpo-{name}" for name in DPO_RECIPES)}
    assert {one.full_name for one in all_recipes()} == {*MADE, *elsewhere}


@pytest.mark.parametrize("recipe", [pytest.param(one, marks=[pytest.mark.slow] if one in SLOW else []) for one in MADE])
def test_a_recipe_makes_so_many_rows_where_a_third_is_filtered(recipe: str, scripted: Scripted) -> None:
    kind, _, name = recipe.partition("-")
    plays, told = MADE[recipe]
    scripted(lambda request: f"Rarely so: {request.seed % 9973}.", "small")
    scripted(plays)
    Path("mine.py").write_text(ONE_OF_THREE)
    Path("logs.jsonl").write_text("".join(json.dumps(log(number)) + "\n" for number in range(len(QUESTIONS))))
    curate = {"filters": {"own": "mine.py:one_of_three"}, **told.get("curate", {})}
    run = sft if kind == "sft" else dpo
    summary = run(**{**told, "recipe": name, "rows": ROWS, "curate": curate, "max_reject_fraction": 1, "out": "out"})
    assert summary["rows"] == pl.read_parquet("out/data/train.parquet").height == ROWS
    assert "one_of_three" in set(pl.read_parquet("out/rejects.parquet")["reason"])
