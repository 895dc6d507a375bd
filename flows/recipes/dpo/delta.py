"""A strong model's response against a much weaker one's, without a judge.

stillroom dpo --recipe delta --instructions datasets/demo-sft --model STRONG --set roles.weak='[WEAK]'
"""

from __future__ import annotations

from flows.recipes.recipe import Steps, Tables, recipe
from tasks.curate.pair import Pair, pair
from tasks.generate.strong_weak import strong_weak

BY_ORIGIN = Pair(strategy="strong_vs_weak", max_length_ratio=3)


@recipe("dpo")
def delta(run: Steps, instructions: Tables) -> Tables:
    """A strong model's response against a weaker one's of about the same length: no judge (delta learning, arXiv:2507.06187)."""
    return run.through(pair, run.through(strong_weak, instructions), BY_ORIGIN)
