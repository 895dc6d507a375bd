"""Instructions from seeds by Self-Instruct, answered.

stillroom sft --recipe seeded --seeds seeds.jsonl
"""

from __future__ import annotations

from flows.recipes.recipe import Steps, Tables, recipe
from flows.recipes.self_instructed import self_instructed
from tasks.generate.text_generation import text_generation


@recipe("sft")
def seeded(run: Steps, seeds: Tables) -> Tables:
    """Instructions from seeds by Self-Instruct, answered."""
    return run.through(text_generation, self_instructed(run, seeds))
