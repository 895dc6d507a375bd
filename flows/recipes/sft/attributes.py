"""Instructions with given attributes in given shares, answered: a dataset that is made of what its config says.

stillroom sft --recipe attributes --rows 1000 --config attributes.yaml
"""

from __future__ import annotations

from flows.recipes.recipe import Steps, Tables, recipe
from tasks.generate.attributed_prompts import attributed_prompts
from tasks.generate.text_generation import text_generation


@recipe("sft", blank=True, columns=("topic", "attributes"))
def attributes(run: Steps, blanks: Tables) -> Tables:
    """Instructions whose attributes and topics have the shares that the config says, answered."""
    return run.through(text_generation, run.through(attributed_prompts, blanks))
