"""Instructions from seeds by Self-Instruct, made harder by Evol-Instruct, answered.

stillroom sft --recipe evolved --seeds seeds.jsonl
"""

from __future__ import annotations

from flows.recipes.recipe import Steps, Tables, recipe
from flows.recipes.self_instructed import self_instructed
from tasks.generate.evol_instruct import evol_instruct
from tasks.generate.text_generation import text_generation


@recipe("sft")
def evolved(run: Steps, seeds: Tables) -> Tables:
    """Instructions from seeds by Self-Instruct, made harder by Evol-Instruct, answered."""
    return run.through(text_generation, run.through(evol_instruct, self_instructed(run, seeds)))
