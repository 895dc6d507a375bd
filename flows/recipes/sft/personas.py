"""What people would ask, who are given or made from texts, answered.

stillroom sft --recipe personas --seeds personas.jsonl --model MODEL
stillroom sft --recipe personas --seeds articles/ --model MODEL
"""

from __future__ import annotations

from flows.recipes.recipe import Steps, Tables, recipe
from tasks.generate.persona_prompts import persona_prompts
from tasks.generate.text_generation import text_generation
from tasks.generate.text_personas import text_personas


@recipe("sft", columns=("persona", "prompt_kind"))
def personas(run: Steps, seeds: Tables) -> Tables:
    """Messages that people would send, who are given or made from texts (Persona Hub), answered."""
    return run.through(text_generation, run.through(persona_prompts, run.through(text_personas, seeds)))
