"""A response criticised by a principle and revised: the original against the revision, without a judge.

stillroom dpo --recipe constitution --instructions datasets/demo-sft --model MODEL
stillroom dpo --recipe constitution --instructions F --config principles.yaml
"""

from __future__ import annotations

from flows.recipes.recipe import Steps, Tables, recipe
from tasks.curate.pair import Pair, pair
from tasks.generate.constitutional_revision import constitutional_revision
from tasks.generate.model_pool import ModelPool, model_pool

ONE = ModelPool(responses=1, min_responses=1, keep_responses=True)
REVISED = Pair(strategy="evolved_vs_original")


@recipe("dpo")
def constitution(run: Steps, instructions: Tables) -> Tables:
    """A response (the row's own, where it has one) against its revision by principles drawn from a constitution (arXiv:2212.08073)."""
    pools = run.through(model_pool, instructions, ONE)
    return run.through(pair, run.through(constitutional_revision, pools), REVISED)
