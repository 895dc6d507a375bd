"""What both of Deita's scorers can be told (Liu et al. 2023, arXiv:2312.15685, section 3.2).

The asking itself stands in each of their files, where the roles that a step asks are read from.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from statistics import fmean
from typing import Literal

from pydantic import Field

from tasks.engine.technique import Params
from tasks.models.base import Sampling
from tasks.text.verdicts.forms import Form, whole_number
from tasks.text.verdicts.ranks import HIGHEST_RANK, ranks_of


class DeitaScores(Params):
    """How a judge is asked for a score."""

    method: Literal["rank", "score"] = Field(
        "rank",
        description="rank: variants side by side in one question; score: each by itself, as turns without variants are",
    )
    sampling: Sampling = Field(
        Sampling(temperature=0.0, max_new_tokens=8, logprobs=20),
        description="of a single score: a digit, with the log-probabilities of the others where the judge reports them",
    )
    rank_sampling: Sampling = Field(
        Sampling(temperature=0.0, max_new_tokens=512), description="of a ranking of variants, a line for each"
    )


def rank_form(label: str, count: int) -> Form[list[float]]:
    """How a judge gives the ranks of `count` variants: a line for each, "Response 1: 5"."""
    fields = {f"{label} {at}": whole_number(HIGHEST_RANK) for at in range(1, count + 1)}
    return Form(partial(ranks_of, count=count), fields, f"{label} 1:")


def mean_ranks(answered: Sequence[Sequence[float]], order: Sequence[int]) -> list[float]:
    """The mean rank of each variant. `order`: which variant was shown at each place."""
    by_place = {at: fmean(ranks[shown] for ranks in answered) for shown, at in enumerate(order)}
    return [by_place[at] for at in range(len(order))]
