"""Instructions answered, or rows of any recipe that have their answers, carried on by a simulated user for several turns.

stillroom sft --recipe dialogue --seeds datasets/sft-evolved --model MODEL
stillroom sft --recipe dialogue --seeds questions.jsonl --model MODEL --set carry_on.turns=5
"""

from __future__ import annotations

from flows.recipes.recipe import Steps, Tables, recipe
from tasks.generate.talks.carry_on import carry_on
from tasks.generate.text_generation import text_generation


@recipe("sft")
def dialogue(run: Steps, seeds: Tables) -> Tables:
    """First turns with their answers, the row's own where it has one, carried on by a simulated user (UltraChat, arXiv:2305.14233)."""
    return run.through(carry_on, run.through(text_generation, seeds))
