"""As `evolved`, with scores by aspect and critiques, as UltraFeedback has them.

stillroom dpo --recipe critiqued --instructions datasets/demo-sft
"""

from __future__ import annotations

from flows.recipes.judged import judged_pairs
from flows.recipes.recipe import Steps, Tables, recipe
from tasks.generate.evol_quality import evol_quality
from tasks.generate.model_pool import model_pool


@recipe("dpo")
def critiqued(run: Steps, instructions: Tables) -> Tables:
    """A pool of responses with some made better by EvolQuality, scores by aspect with critiques, pairs."""
    return judged_pairs(run, run.through(evol_quality, run.through(model_pool, instructions)), "paper")
