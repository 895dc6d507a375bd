"""From ratings to one score a response, and how far two orders of showing agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import reduce
from itertools import combinations
from operator import and_, or_
from statistics import fmean

from tasks.text.responses import Rating, Response

Key = tuple[str, str, int]  # judge, aspect, order


def scores_of(responses: Sequence[Response]) -> list[float | None]:
    """The mean rating of each response over judges, aspects and orders, N/A left out; None where there is none.

    Like is compared with like: where a judge failed on some of the responses, what it said of the others is left out of
    their means too, unless no judge rated them all. A response that nobody rated has no score and counts for nothing.
    """
    keys = [Counter(map(_key, response["ratings"])) for response in responses]
    rated = [counter for counter in keys if counter]
    if not rated:
        return [None] * len(responses)
    compared = reduce(and_, rated) or reduce(or_, rated)
    return [_mean(response["ratings"], compared) for response in responses]


def agreement_of(responses: Sequence[Response]) -> float | None:
    """How far the second order of showing agrees with the first, in [0, 1]; None with one order, or nothing to compare.

    Of all pairs of responses that one judge rated by one aspect in both orders, the share where both put the same
    response first, or both none: 1 is a judge whom the position does not sway.
    """
    rated: dict[tuple[str, str], dict[int, dict[int, float]]] = {}
    for position, response in enumerate(responses):
        for said in response["ratings"]:
            if said["rating"] is not None:
                orders = rated.setdefault((said["judge"], said["aspect"]), {}).setdefault(position, {})
                orders[said["order"]] = said["rating"]
    both = [[orders for orders in by_response.values() if {0, 1} <= orders.keys()] for by_response in rated.values()]
    same = [_sign(a[0] - b[0]) == _sign(a[1] - b[1]) for group in both for a, b in combinations(group, 2)]
    return fmean(same) if same else None


def _key(rating: Rating) -> Key:
    return rating["judge"], rating["aspect"], rating["order"]


def _mean(ratings: Sequence[Rating], compared: Counter[Key]) -> float | None:
    values = [said["rating"] for said in ratings if said["rating"] is not None and compared[_key(said)]]
    return fmean(values) if values else None


def _sign(difference: float) -> int:
    return (difference > 0) - (difference < 0)
