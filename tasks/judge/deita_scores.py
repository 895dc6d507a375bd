"""What both of Deita's scorers can be told (Liu et al. 2023, arXiv:2312.15685, section 3.2).

The asking itself stands in each of their files, where the roles that a step asks are read from.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.engine.technique import Params
from tasks.models.base import Sampling


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
