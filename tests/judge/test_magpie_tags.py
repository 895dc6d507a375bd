"""Magpie's tags of rows, and the rows that go by them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from tasks.columns import TAG_COLUMNS
from tasks.engine.row import Row
from tasks.errors import ConfigError, Filtered, Unusable
from tasks.judge.magpie_tags import MagpieTags, check_tags, magpie_tags
from tasks.models.base import Request
from tasks.models.scripted import ScriptedModel
from tasks.text.prompts import DEMO, FULL, Prompts, languages_of
from tests.flows.test_instruction_sft import sft
from tests.rows import a_row, models_of

Scripted = Callable[..., ScriptedModel]
SAID = {
    "Quality:": "Explanation: clear\nQuality: {quality}",
    "Difficulty:": "Intent: to know\nKnowledge: metals\nDifficulty: {difficulty}",
    "Other categories:": "Category: {category}\nOther categories: reasoning",
}


def judge(quality: str = "good", difficulty: str = "easy", category: str = "information seeking") -> ScriptedModel:
    told = {"quality": quality, "difficulty": difficulty, "category": category}

    def answer(request: Request) -> str:
        return next(said.format(**told) for field, said in SAID.items() if field in asked(request))

    return ScriptedModel(answer)


def asked(request: Request) -> str:
    return (request.messages or ())[-1]["content"]


def tagged(model: ScriptedModel, row: Row | None = None, **params: Any) -> Row:
    row = row or a_row(instruction="Name a metal.", response="Iron.")
    models = models_of([], judge=model, prompts=Prompts(FULL, "en"))
    [kept] = asyncio.run(magpie_tags(row, models, MagpieTags(**params)))
    return kept


def test_a_row_that_stays_is_the_same_row_with_its_tags_beside_it() -> None:
    row = a_row(instruction="Name a metal.", response="Iron.")
    kept = tagged(judge(), row)
    assert kept.row_id == row.row_id and {name: kept[name] for name in row} == dict(row)
    assert {name: kept[name] for name in TAG_COLUMNS} == {
        "input_quality": "good",
        "quality_explanation": "clear",
        "difficulty": "easy",
        "intent": "to know",
        "knowledge": "metals",
        "task_category": "information_seeking",
        "other_task_category": ["reasoning"],
        "input_language": None,
    }


@pytest.mark.parametrize(
    ("keep", "reason", "detail"),
    [
        ({"keep_quality": ("good", "excellent")}, "input_quality", "average, kept: good, excellent"),
        ({"keep_difficulty": ("hard", "very hard")}, "input_difficulty", "easy, kept: hard, very hard"),
        ({"keep_category": ("math", "coding")}, "input_category", "information_seeking, kept: math, coding"),
    ],
)
def test_a_row_with_another_tag_goes_and_no_further_tag_is_paid_for(keep: Any, reason: str, detail: str) -> None:
    model = judge(quality="average")
    with pytest.raises(Filtered) as refusal:
        tagged(model, **keep)
    assert (refusal.value.reason, refusal.value.detail) == (reason, detail)
    assert len(model.requests) == 1
    [name] = keep
    told = {"quality": ("excellent", "good"), "difficulty": ("hard", "very hard"), "category": ("math", "coding")}
    for value in told[name.removeprefix("keep_")]:
        tagged(judge(**{name.removeprefix("keep_"): value}), **keep)


def test_a_tag_that_decides_rejects_the_row_where_it_cannot_be_had_and_any_other_is_a_loss() -> None:
    with pytest.raises(Unusable, match="tag_unclear"):
        tagged(judge(quality="so-so"), keep_quality=("good",))
    row = a_row(instruction="Name a metal.", response="Iron.")
    kept = tagged(judge(difficulty="so-so"), row, keep_quality=("good",))
    assert (kept["difficulty"], kept["intent"], kept["input_quality"]) == (None, None, "good")
    assert [loss.reason for loss in row.losses] == ["tag_unclear"]


def test_the_language_is_known_without_a_request_and_one_that_cannot_be_told_stays() -> None:
    pytest.importorskip("py3langid")
    model, long = judge(), "Hãy kể tên ba loại trái cây nổi trên mặt nước và giải thích vì sao chúng nhẹ hơn nước."
    row = a_row(instruction=long, response="Táo.")
    assert tagged(model, row, tags=("language",))["input_language"] == "vi"
    with pytest.raises(Filtered, match="input_language: vi, kept: en"):
        tagged(model, row, tags=("language",), keep_language=("en",))
    assert tagged(model, tags=("language",), keep_language=("vi",))["input_language"] is None
    assert not model.requests


def test_of_a_conversation_all_that_is_asked_is_shown_and_not_the_answer() -> None:
    turns = [{"role": "user", "content": "Name a metal."}, {"role": "assistant", "content": "Iron."}]
    model = judge()
    tagged(model, a_row(messages=[*turns, {"role": "user", "content": "And a gas?"}], response="Neon, of course."))
    assert all("Name a metal." in asked(one) and "And a gas?" in asked(one) for one in model.requests)
    assert not any("Neon" in asked(one) for one in model.requests)


def test_mistakes_are_told() -> None:
    with pytest.raises(ValidationError, match="keep_quality needs the tag quality"):
        MagpieTags(tags=("difficulty",), keep_quality=("good",))
    with pytest.raises(ConfigError, match=r"these prompts have none for curate\.tags: demo/en"):
        check_tags(MagpieTags(), Prompts(DEMO, "en"))
    for language in languages_of(FULL):
        check_tags(MagpieTags(), Prompts(FULL, language))


@pytest.mark.parametrize("recipe", ["respond", "basic", "seeded", "evolved"])
def test_every_sft_recipe_has_tags_as_columns_and_rows_counts_what_they_leave(recipe: str, scripted: Scripted) -> None:
    from tests.flows.test_instruction_sft import rule

    def answer(request: Request) -> str:
        if request.messages is None or not any(field in asked(request) for field in SAID):
            return rule(request)
        text = asked(request)
        tags = {"quality": "good" if sum(map(ord, text)) % 2 else "poor", "difficulty": "easy", "category": "math"}
        return next(said.format(**tags) for field, said in SAID.items() if field in text)

    scripted(answer)
    summary = sft(
        recipe=recipe,
        seeds=[f"question {at} about the river" for at in range(40)],
        rows=6,
        prompt_set="full",
        curate={"tags": {"keep_quality": ["good", "excellent"]}, "deduplicate": None, "filters": None},
    )
    rows = pl.read_parquet("out/data/train.parquet")
    assert summary["rows"] == rows.height == 6
    assert set(rows["input_quality"]) == {"good"} and set(rows["task_category"]) == {"math"}
    rejects = pl.read_parquet("out/rejects.parquet")
    gone = rejects.filter(technique="magpie_tags")
    assert gone.height and set(gone["reason"]) == {"input_quality"}
    lines = pl.read_parquet("out/provenance.parquet").filter(technique="magpie_tags")
    assert set(lines["role"]) == {"judge"} and set(rows["row_id"]) <= set(lines["row_id"])
    steps = Path("out/README.md").read_text().partition("### Models")[0]
    assert f"input_quality {gone.height}" in steps
