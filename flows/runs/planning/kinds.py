"""What each kind of run (SFT, DPO, curation) is told apart from the others, under the names that a plan has for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import polars as pl

from flows.config import InstructionSFT, PreferenceDPO, RunConfig
from flows.curate_dataset import CurateDataset
from flows.curation import CURATION
from flows.recipes.recipe import Recipe, load_recipe
from flows.runs.shapes import as_conversations, as_they_stand
from tasks.models.open import BUILT_IN_SEEDS
from tasks.publish.derive import Derived
from tasks.publish.formats.preference import FORMATS

MAIN_FORMATS = ("sft", "dpo")  # of rows that others are made of


@dataclass(frozen=True)
class KindPlan:
    """The part of a plan that its kind decides (see `flows.runs.plan.RunPlan`)."""

    recipe: Recipe
    seeds: Any
    derived: Derived
    columns: Mapping[str, str]
    max_seeds: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    shape: Callable[[pl.DataFrame], pl.DataFrame] = as_they_stand


def kind_plan(config: RunConfig) -> KindPlan:
    """What the config's kind decides. Raises ConfigError for a recipe or a format that there is not."""
    if isinstance(config, InstructionSFT):
        found = _of_sft(config)
    elif isinstance(config, PreferenceDPO):
        found = _of_dpo(config)
    else:
        assert isinstance(config, CurateDataset)
        found = KindPlan(CURATION, tuple(config.mixture) or config.source, Derived("sft", ()), config.columns)
    found.derived.check()
    if config.rows_format in MAIN_FORMATS:
        return found
    return replace(found, derived=replace(found.derived, formats=()))


def _of_sft(config: InstructionSFT) -> KindPlan:
    recipe, seeds = load_recipe("sft", config.recipe), config.seeds
    if seeds is None and recipe.seeds_optional:
        recipe = replace(recipe, blank=True)
    elif seeds is None and config.model.name in BUILT_IN_SEEDS:
        seeds = str(BUILT_IN_SEEDS[config.model.name])
    told = {name: getattr(config, name) for name in ("mode", "start_from", "instructions_from")}
    own = config.rows_format.removeprefix("sft").removeprefix("-") or "messages"
    return KindPlan(
        recipe,
        seeds,
        Derived("sft", config.formats, config.reasoning, config.reasoning_modes),
        config.columns,
        config.max_seeds,
        options=told | {"blank": recipe.blank},
        shape=partial(as_conversations, own, recipe.columns),
    )


def _of_dpo(config: PreferenceDPO) -> KindPlan:
    return KindPlan(
        load_recipe("dpo", config.recipe),
        config.instructions,
        Derived("dpo", config.formats),
        config.columns,
        config.max_instructions,
        options={"judged_by": config.judged_by, "verifier": config.verified_scores.verifier},
        shape=FORMATS[config.rows_format],
    )
