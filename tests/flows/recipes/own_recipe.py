"""A recipe of somebody's own, with a technique of their own that lies beside it."""

from __future__ import annotations

from own_steps import shorten

from flows.recipes.recipe import Steps, Tables, recipe
from tasks.generate.text_generation import text_generation


@recipe("sft")
def short(run: Steps, seeds: Tables) -> Tables:
    """Instructions made shorter, answered."""
    return run.through(text_generation, run.through(shorten, seeds))
