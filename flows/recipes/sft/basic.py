"""Instructions from the model itself, answered: no seeds.

stillroom sft --recipe basic --rows 100                          # by Magpie
stillroom sft --recipe basic --rows 100 --set start_from=prompting
"""

from __future__ import annotations

from flows.recipes.recipe import Steps, Tables, recipe
from tasks.generate.basic_prompting import basic_prompting
from tasks.generate.magpie import magpie
from tasks.generate.text_generation import text_generation


@recipe("sft", blank=True)
def basic(run: Steps, blanks: Tables) -> Tables:
    """Instructions that the model writes by itself (Magpie, or prompts about topics), answered."""
    step = basic_prompting if run.options.get("start_from") == "prompting" else magpie
    return run.through(text_generation, run.through(step, blanks))
