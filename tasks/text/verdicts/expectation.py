"""A score of 1 to 6 as an expectation: over the likelihoods of the six digits, where a model reports them; else as it is written.

    expected({"4": -0.7, "5": -0.9, "the": -3.0})      # 4.45: (4 * e**-0.7 + 5 * e**-0.9) / (e**-0.7 + e**-0.9)

Deita (arXiv:2312.15685) scores so: the logits of the first token of the answer at the digits, softmax over the six, the
mean. It tells apart what the likeliest digit alone does not. A digit that is not among the reported tokens (20 at most)
is less likely than all of them, and counts as nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.errors import Unusable
from tasks.models.answers.families import KNOWN
from tasks.models.base import TokenLogprobs
from tasks.text.verdicts.ranks import HIGHEST_RANK
from tasks.text.verdicts.ratings import overall_of, rating_at
from tasks.text.words import nfc

LEADS = " \t\r\n*_`\"'[(【「"
DIGIT = re.compile(rf"[1-{HIGHEST_RANK}]")


@dataclass(frozen=True, slots=True)
class Expectation:
    """The parser of a score. With the likelihoods of its tokens it is an expectation, without them what is written."""

    def __call__(self, text: str) -> float:
        """The score that is written. Raises Unusable (rating_)."""
        return written_score(text)

    def weighed(self, text: str, logprobs: Sequence[TokenLogprobs] | None, reasoned: bool) -> float:
        """The expectation where the tokens tell it, else the score that is written. Raises Unusable (rating_)."""
        at = _position(logprobs or (), reasoned)
        found = None if at is None or not logprobs else expected(logprobs[at].top or {logprobs[at].token: 0.0})
        return written_score(text) if found is None else found


def expected(top: Mapping[str, float]) -> float | None:
    """The mean of the digits 1 to 6, weighed by their log-probabilities (natural); None where none of them is there."""
    weights: dict[int, float] = {}
    for token, logprob in top.items():
        if DIGIT.fullmatch(token.strip()) and math.isfinite(logprob):
            digit = int(token.strip())
            weights[digit] = weights.get(digit, 0.0) + math.exp(logprob)
    total = sum(weights.values())
    return sum(digit * weight for digit, weight in sorted(weights.items())) / total if total else None


def written_score(text: str) -> float:
    """The score at the beginning of a text, or behind its label. Raises Unusable (rating_missing, rating_unclear ...)."""
    said = nfc(KNOWN.parse(text).text).strip()
    start = said.lstrip(LEADS)
    if start[:1].isdigit():
        value, _ = rating_at(start, HIGHEST_RANK)
    else:
        rating = overall_of(said, HIGHEST_RANK).rating  # which is mapped onto 1 to 5
        value = None if rating is None else 1 + (rating - 1) * (HIGHEST_RANK - 1) / 4
    if value is None:
        raise Unusable("rating_missing", "not applicable is no score")
    return value


def _position(logprobs: Sequence[TokenLogprobs], reasoned: bool) -> int | None:
    """Where the score stands: at the first token that is not blank; after reasoning at the last digit."""
    if reasoned:
        return next((at for at in reversed(range(len(logprobs))) if DIGIT.fullmatch(logprobs[at].token.strip())), None)
    return next((at for at, one in enumerate(logprobs) if one.token.strip(LEADS)), None)
