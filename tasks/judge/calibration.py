"""A judge against pairs whose better answer people have chosen: how often does it say what they said?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from tasks.engine.technique import Params
from tasks.judge.rate import Rate
from tasks.judge.reward_model import RewardModel
from tasks.judge.rubrics import Rubrics
from tasks.text.verdicts.agreement import wilson

DIGITS = 4
SCORED_IN = {"rate": "score", "rubrics": "rubric_score", "reward_model": "reward"}
"""The steps that judge rows one by one, and the column that each leaves its score in."""
OF_POOLS = ("ultrafeedback", "rubric_ratings", "reward_scores")
"""The steps that judge the responses to one instruction."""


class Calibrate(BaseModel):
    """What the judges are measured by before a run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pairs: str = Field(
        description="a file, a folder or hf:NAME with `chosen` and `rejected` answers, which people have told apart"
    )
    rows: int = Field(50, ge=1, le=10_000, description="the first pairs of it that are judged")
    least_agreement: float = Field(
        0.6, ge=0, le=1, description="share of pairs in which a judge has to say what people said, else it is told"
    )


class JudgedPair(NamedTuple):
    """The scores of a pair's answers, None where a judge gave none, and their lengths in characters."""

    chosen: float | None
    rejected: float | None
    chosen_length: int
    rejected_length: int


def figures_of(pairs: Sequence[JudgedPair]) -> dict[str, Any]:
    """How often a judge agrees with people, as plain JSON.

    `agreement`: the share of the judged pairs in which it puts the chosen answer first, a tie counting half, with its 95 %
    interval. `longer_preferred`: of the pairs that it tells apart, those in which the longer one wins; `longer_chosen`: the
    same of people.
    """
    judged = [(one.chosen, one.rejected, one) for one in pairs if one.chosen is not None and one.rejected is not None]
    right = sum(chosen > rejected for chosen, rejected, _ in judged)
    ties = sum(chosen == rejected for chosen, rejected, _ in judged)
    apart = [
        (chosen > rejected) is (one.chosen_length > one.rejected_length)
        for chosen, rejected, one in judged
        if chosen != rejected and one.chosen_length != one.rejected_length
    ]
    lengths = [one.chosen_length > one.rejected_length for one in pairs if one.chosen_length != one.rejected_length]
    low, high = wilson(right + ties / 2, len(judged))
    return {
        "pairs": len(judged),
        "failed": len(pairs) - len(judged),
        "ties": ties,
        "agreement": _share(right + ties / 2, len(judged)),
        "low": round(low, DIGITS),
        "high": round(high, DIGITS),
        "longer_preferred": _share(sum(apart), len(apart)),
        "longer_chosen": _share(sum(lengths), len(lengths)),
    }


def _share(part: float, whole: int) -> float | None:
    return round(part / whole, DIGITS) if whole else None


def keeping_all(params: Params) -> Params:
    """The same judging without a limit, so that no answer is refused."""
    if isinstance(params, Rate):
        criteria = tuple(one.model_copy(update={"least": None}) for one in params.criteria)
        return params.model_copy(update={"threshold": 1.0, "criteria": criteria, "min_judges": 1})
    if isinstance(params, Rubrics):
        return params.model_copy(update={"threshold": 0.0, "all_essential": False, "min_judges": 1})
    if isinstance(params, RewardModel):
        return params.model_copy(update={"threshold": None, "above_base": None})
    return params.model_copy(update={"min_judges": 1} if "min_judges" in type(params).model_fields else {})


def is_below(figures: Mapping[str, Any], least: float) -> bool:
    """Whether a judge agrees less than it has to, or gave nothing to go by."""
    return figures["agreement"] is None or figures["agreement"] < least
