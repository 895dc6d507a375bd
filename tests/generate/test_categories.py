"""Magpie's system prompts by task category."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from tasks.errors import ConfigError
from tasks.generate.magpie import Magpie, magpie
from tasks.generate.system_prompts import CATEGORIES, category_system, check_categories
from tasks.models.scripted import ScriptedModel
from tasks.storage.digest import canonical
from tasks.text.categories import Category
from tasks.text.prompts import FULL, Prompts, languages_of
from tasks.text.words import word_count
from tests.generate.test_magpie import talking
from tests.rows import a_row, models_of

LANGUAGES = languages_of(FULL)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_a_system_prompt_for_each_of_twelve_categories(language: str) -> None:
    lists = Prompts(FULL, language).lists("magpie")
    assert set(lists) == set(CATEGORIES) == set(get_args(Category))
    texts = [text for some in lists.values() for text in some]
    assert len(set(texts)) == len(texts) == 12
    assert all(35 <= word_count(text) <= 200 and "\n" not in text for text in texts)
    assert all("AI" in text for text in texts), "it describes an assistant"
    if language != "en":
        assert not [text for text in texts if re.search(r"\b(?:the|and|you|of)\b", text)]


def test_the_categories_are_drawn_by_their_weights() -> None:
    lists = {one: (one,) for one in CATEGORIES}
    drawn = Counter(category_system(a_row(number=n), "all", lists) for n in range(4000))
    expected = {one: weight / sum(CATEGORIES.values()) for one, weight in CATEGORIES.items()}
    assert all(abs(drawn[one] / 4000 - share) < 0.02 for one, share in expected.items())
    only = Counter(category_system(a_row(number=n), {"math": 3, "coding": 1, "other": 0}, lists) for n in range(1000))
    assert set(only) == {"math", "coding"} and 690 < only["math"] < 810


def test_no_categories_change_nothing_of_what_names_a_blank_row() -> None:
    assert b"categories" not in canonical(Magpie())
    assert b"categories" in canonical(Magpie(categories="all"))


@pytest.mark.parametrize(
    "told", [{"cooking": 1}, {"math": -1}, {"math": 0}, "some"], ids=["unknown", "negative", "none above 0", "no dict"]
)
def test_categories_that_there_are_not_are_refused(told: Any) -> None:
    with pytest.raises((ValidationError, ConfigError)):
        Magpie(categories=told)


def test_a_set_without_categories_is_an_error_before_anything_is_asked() -> None:
    with pytest.raises(ConfigError, match="no system prompts of a task category: math"):
        Magpie(categories={"math": 1}).blank_rows(Prompts("demo", "en").lists("magpie"))
    check_categories("all", Prompts(FULL, "ja").lists("magpie"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_model_is_shown_the_system_prompt_of_a_category_in_the_language(language: str) -> None:
    model, prompts = ScriptedModel(talking), Prompts(FULL, language)
    [row] = asyncio.run(magpie(a_row(number=1), models_of(model, prompts=prompts), Magpie(categories={"math": 1})))
    assert (row["system"],) == prompts.lists("magpie")["math"]
    assert row["system"] in (model.requests[0].prompt or "")


def test_a_mixed_run_draws_from_the_language_of_the_row() -> None:
    prompts = Prompts.of(FULL, ["vi", "ja"], None)
    for language in ("vi", "ja"):
        models = models_of(talking, prompts=prompts)
        [row] = asyncio.run(magpie(a_row(language=language), models, Magpie(categories="all")))
        assert row["system"] in str(Prompts(FULL, language).lists("magpie"))


def test_system_prompts_of_the_users_own_go_before_the_categories() -> None:
    models = models_of(talking, prompts=Prompts(FULL, "en"))
    [row] = asyncio.run(magpie(a_row(number=1), models, Magpie(categories="all", systems={"You teach.": 1})))
    assert row["system"] == "You teach."
