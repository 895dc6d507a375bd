"""A pool of responses to each instruction, with some made better by EvolQuality, judged by overall scores, paired.

stillroom dpo --recipe evolved --instructions datasets/demo-sft
"""

from __future__ import annotations

from flows.recipes.judged import judged_pairs
from flows.recipes.recipe import Steps, Tables, recipe
from tasks.generate.evol_quality import evol_quality
from tasks.generate.model_pool import model_pool


@recipe("dpo")
def evolved(run: Steps, instructions: Tables) -> Tables:
    """A pool of responses with some made better by EvolQuality, overall scores, pairs."""
    return judged_pairs(run, run.through(evol_quality, run.through(model_pool, instructions)), "overall")
