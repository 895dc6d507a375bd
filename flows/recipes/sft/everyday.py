"""Small talk over everyday topics between two simulated speakers with personas of their own: no seeds.

stillroom sft --recipe everyday --rows 100 --model MODEL
"""

from __future__ import annotations

from flows.recipes.recipe import Steps, Tables, recipe
from tasks.generate.talks.small_talk import small_talk


@recipe("sft", blank=True)
def everyday(run: Steps, blanks: Tables) -> Tables:
    """Small talk about everyday things, between two speakers who are different people (SmolTalk, arXiv:2502.02737)."""
    return run.through(small_talk, blanks)
