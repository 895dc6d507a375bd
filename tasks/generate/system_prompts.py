"""Which system prompt a row is asked with: one for all, drawn by weight or by task category, or the row's own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator

from tasks.engine.row import Row
from tasks.errors import ConfigError
from tasks.text.categories import Category


def _weighted(systems: dict[str, float]) -> dict[str, float]:
    if any(weight < 0 or not math.isfinite(weight) for weight in systems.values()):
        raise ConfigError("a system prompt has a weight below zero or not finite", systems, "weights are 0 or more")
    if systems and not any(systems.values()):
        raise ConfigError("no system prompt has a weight above zero", systems, "give at least one a weight, such as 1")
    return systems


SystemPrompts = Annotated[dict[str, float], AfterValidator(_weighted)]
"""System prompt -> weight. Weights are relative: they need not sum to one."""


CATEGORIES: dict[Category, float] = {
    **dict.fromkeys(("reasoning", "coding", "math", "data_analysis"), 0.125),
    **dict.fromkeys(("editing", "role_playing", "creative_writing"), 0.1),
    **dict.fromkeys(("information_seeking", "planning", "advice_seeking", "brainstorming", "other"), 0.05),
}
"""The task categories of Magpie's tags, with the weights of SmolTalk's Magpie-Ultra, which has none for `other`."""


def _categories(told: Literal["all"] | dict[Category, float]) -> Literal["all"] | dict[Category, float]:
    if isinstance(told, dict):
        _weighted({str(category): weight for category, weight in told.items()})
    return told


Categories = Annotated[Literal["all"] | dict[Category, float], AfterValidator(_categories)]
"""Task categories with weights; `all`: the twelve with those of `CATEGORIES`."""


def category_system(row: Row, told: Categories, texts: Mapping[str, Sequence[str]]) -> str:
    """The system prompt of a category drawn for the row; `texts`: of each category those in the row's language."""
    weights = CATEGORIES if told == "all" else told
    category = row.choose(list(weights), "category", weights=list(weights.values()))
    return row.choose(texts[category], "system of category")


def check_categories(told: Categories, texts: Mapping[str, Sequence[str]]) -> None:
    """Raise ConfigError where the prompts have no system prompt for one of the categories."""
    if missing := [one for one in (CATEGORIES if told == "all" else told) if not texts.get(one)]:
        fix = "the set `full` has all of them; in a folder of your own they are lists in magpie/lists.yaml"
        raise ConfigError("the prompts have no system prompts of a task category", ", ".join(missing), fix)


def system_of(row: Row, system: str, systems: dict[str, float], sample: int = 0) -> str:
    """The system prompt: drawn from `systems` by (seed, row, sample), else `system`, else the row's own, else ""."""
    if systems:
        return row.choose(list(systems), "system", sample, weights=list(systems.values()))
    return system or row.get("system") or ""
