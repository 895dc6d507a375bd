"""How far the judges of a run can be trusted, measured on what they said in it.

- Agreement: Krippendorff's alpha of several judges, for each aspect.
- Position: of the pairs of responses that a judge saw side by side and told apart, the share in which it preferred the one
  shown earlier. The order is drawn, so that 0.5 is a judge whom it does not sway. Where both orders were shown
  (`second_order`), also the share of pairs whose verdict turned with the order.
- Length: of the pairs that a judge told apart, the share in which it preferred the longer one. Longer may be better: 0.5 is
  not the mark to reach, but 0.9 is a warning.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from statistics import fmean
from typing import Any

from tasks.judge.ultrafeedback import ASPECTS, shown_orders
from tasks.text.responses import Rating, Response, make_response
from tasks.text.verdicts.agreement import Alpha

SIDE_BY_SIDE = frozenset(aspect for aspects in ASPECTS.values() for aspect in aspects)
DIGITS = 4


class JudgeStatistics:
    """What judges said, added row by row; memory does not grow with the rows."""

    def __init__(self) -> None:
        self._alphas: defaultdict[str, Alpha] = defaultdict(Alpha)
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def add_ratings(self, ratings: Iterable[Mapping[str, Any]]) -> None:
        """What was said of one response."""
        by_aspect: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for said in ratings:
            self._counts[said["judge"]]["ratings"] += 1
            if said["rating"] is not None:
                by_aspect[said["aspect"]][said["judge"]].append(said["rating"])
        for aspect, by_judge in by_aspect.items():
            self._alphas[aspect].add([fmean(values) for values in by_judge.values()])

    def add_pool(self, responses: Sequence[Mapping[str, Any]], run_seed: int) -> None:
        """The responses to one instruction, in the order that their judges' technique leaves them in."""
        pool = [make_response(**response) for response in responses]
        for one in pool:
            self.add_ratings(one["ratings"])
        for judge in {said["judge"] for one in pool for said in one["ratings"]}:
            self._count_lengths(judge, pool)
            self._count_positions(judge, pool, run_seed)

    def _count_lengths(self, judge: str, pool: Sequence[Response]) -> None:
        scores = [_mean(said for said in one["ratings"] if said["judge"] == judge) for one in pool]
        lengths = [len(one["text"]) for one in pool]
        for i, j in combinations(range(len(pool)), 2):
            one, other = scores[i], scores[j]
            if one is not None and other is not None and one != other and lengths[i] != lengths[j]:
                self._counts[judge]["lengths"] += 1
                self._counts[judge]["longer"] += (one > other) is (lengths[i] > lengths[j])

    def _count_positions(self, judge: str, pool: Sequence[Response], run_seed: int) -> None:
        """By aspect and order, the pairs that were told apart, with which of them stood first."""
        told: defaultdict[tuple[str, int], dict[int, float]] = defaultdict(dict)
        for place, one in enumerate(pool):
            for said in one["ratings"]:
                if said["judge"] == judge and said["aspect"] in SIDE_BY_SIDE and said["rating"] is not None:
                    told[said["aspect"], said["order"]][place] = said["rating"]
        orders = shown_orders(pool, run_seed, second=True)
        count = self._counts[judge]
        for (aspect, order), ratings in told.items():
            shown = [place for place in orders[min(order, len(orders) - 1)] if place in ratings]
            turned = told.get((aspect, 1), {}) if order == 0 else {}
            for earlier, later in combinations(shown, 2):
                difference = ratings[earlier] - ratings[later]
                count["positions"] += difference != 0
                count["first"] += difference > 0
                if earlier in turned and later in turned:
                    count["both_orders"] += 1
                    count["turned"] += difference * (turned[earlier] - turned[later]) < 0

    def told(self) -> dict[str, Any] | None:
        """All figures as plain JSON; None where nothing was rated."""
        if not self._counts:
            return None
        agreement = {aspect: _agreement(alpha) for aspect, alpha in sorted(self._alphas.items()) if alpha.units}
        return {"agreement": agreement, "judges": {name: _told(self._counts[name]) for name in sorted(self._counts)}}


def _mean(ratings: Iterable[Rating]) -> float | None:
    values = [said["rating"] for said in ratings if said["rating"] is not None]
    return fmean(values) if values else None


def _agreement(alpha: Alpha) -> dict[str, Any]:
    found = {"interval": alpha.interval(), "ordinal": alpha.ordinal()}
    return {"units": alpha.units} | {name: None if one is None else round(one, DIGITS) for name, one in found.items()}


def _told(count: Counter[str]) -> dict[str, Any]:
    return {
        "ratings": count["ratings"],
        "position": {"pairs": count["positions"], "first_preferred": _share(count["first"], count["positions"])},
        "orders": {"pairs": count["both_orders"], "turned": _share(count["turned"], count["both_orders"])},
        "length": {"pairs": count["lengths"], "longer_preferred": _share(count["longer"], count["lengths"])},
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, DIGITS) if whole else None
