"""Instructions that are given are answered.

stillroom sft --recipe respond --seeds instructions.jsonl
"""

from __future__ import annotations

from flows.recipes.recipe import Steps, Tables, recipe
from tasks.generate.text_generation import text_generation


@recipe("sft")
def respond(run: Steps, seeds: Tables) -> Tables:
    """Answers to given instructions."""
    return run.through(text_generation, seeds)
