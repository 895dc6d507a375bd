"""A pool of responses to each instruction, judged by overall scores, paired.

stillroom dpo --recipe basic --instructions datasets/demo-sft
"""

from __future__ import annotations

from flows.recipes.judged import judged_pairs
from flows.recipes.recipe import Steps, Tables, recipe
from tasks.generate.model_pool import model_pool


@recipe("dpo")
def basic(run: Steps, instructions: Tables) -> Tables:
    """A pool of responses, overall scores, pairs."""
    return judged_pairs(run, run.through(model_pool, instructions), "overall")
