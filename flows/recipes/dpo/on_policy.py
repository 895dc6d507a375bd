"""Several responses of the model that is to be trained, the best against the worst; other models' beside them where asked for.

stillroom dpo --recipe on_policy --instructions datasets/demo-sft --model MODEL --judge JUDGE
stillroom dpo --recipe on_policy --instructions F --set judged_by=reward --set pair.min_margin=1 --set policy_pool.off_policy=3
"""

from __future__ import annotations

from flows.recipes.judged import judged_pairs
from flows.recipes.recipe import Steps, Tables, recipe
from tasks.curate.pair import Pair
from tasks.generate.policy_pool import ON_POLICY, policy_pool


@recipe("dpo")
def on_policy(run: Steps, instructions: Tables) -> Tables:
    """Several responses of one model, the best against the worst; with others, one of its own in each pair (Tulu 3, arXiv:2411.15124)."""
    return judged_pairs(run, run.through(policy_pool, instructions), "paper", Pair(one_side=ON_POLICY))
