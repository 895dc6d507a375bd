"""How every preference recipe ends: responses critiqued where the user asks for it, judged, paired."""

from __future__ import annotations

from typing import Literal

from flows.recipes.recipe import Steps, Tables
from tasks.curate.pair import Pair, pair
from tasks.judge.critique import critique
from tasks.judge.reward_scores import reward_scores
from tasks.judge.rubric_ratings import rubric_ratings
from tasks.judge.ultrafeedback import UltraFeedback, ultrafeedback


def judged_pairs(
    run: Steps, pools: Tables, aspects: Literal["paper", "overall"], pairing: Pair | None = None
) -> Tables:
    """Pairs of pools of responses; `aspects`: what is judged, `pairing`: how pairs are formed, unless the user says it."""
    if run.has(critique):
        pools = run.through(critique, pools)
    if run.options.get("judged_by") == "rubrics":
        return run.through(pair, run.through(rubric_ratings, pools), pairing)
    if run.options.get("judged_by") == "reward":
        return run.through(pair, run.through(reward_scores, pools), pairing)
    return run.through(pair, run.through(ultrafeedback, pools, UltraFeedback(aspects=aspects)), pairing)
