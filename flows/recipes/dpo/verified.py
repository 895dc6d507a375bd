"""A pool of responses to each instruction, of which a verifier lets some pass and some not: no judge is asked.

stillroom dpo --recipe verified --instructions datasets/sft-constrained --model MODEL

Lambert et al. 2024 (arXiv:2411.15124). Instructions without constraints are given some first, where constraints are what
is verified.
"""

from __future__ import annotations

from flows.recipes.recipe import Steps, Tables, recipe
from tasks.curate.pair import pair
from tasks.curate.verified_scores import verified_scores
from tasks.generate.constraints import constraints
from tasks.generate.model_pool import ModelPool, model_pool

FOUR = ModelPool(responses=4)


@recipe("dpo")
def verified(run: Steps, instructions: Tables) -> Tables:
    """A pool of responses, scored by a verifier; pairs of one that passes and one that fails."""
    if run.options.get("verifier", "constraints") == "constraints":
        instructions = run.through(constraints, instructions)
    return run.through(pair, run.through(verified_scores, run.through(model_pool, instructions, FOUR)))
