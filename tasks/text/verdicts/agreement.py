"""How far judges agree: Krippendorff's alpha (2011, "Computing Krippendorff's Alpha-Reliability").

    alpha = Alpha()
    alpha.add([1, 2]); alpha.add([3, 3])        # what the judges said of one text, and of another
    alpha.interval(), alpha.ordinal()

1 is agreement, 0 what chance would give, below 0 is worse than chance. Units with one value count for nothing. Memory is a
number for each pair of values that were ever said of one unit, and the order of units changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import permutations

DIGITS = 2
Distance = Callable[[float, float], float]


class Alpha:
    """Units are added one by one; `units`: those with two values or more."""

    def __init__(self) -> None:
        self.units = 0
        self._pairs: Counter[tuple[int, float, float]] = Counter()  # (values of the unit, one, another)

    def add(self, values: Sequence[float]) -> None:
        """What judges said of one unit, in any order. Values are told apart to two digits behind the point."""
        if len(values) < 2:
            return
        self.units += 1
        said = [round(value, DIGITS) for value in values]
        self._pairs.update((len(said), one, other) for one, other in permutations(said, 2))

    def interval(self) -> float | None:
        """Alpha where a rating's distance from another is their difference; None where all ratings are the same."""
        return self._alpha(lambda _counts: lambda one, other: (one - other) ** 2)

    def ordinal(self) -> float | None:
        """Alpha where only the order of ratings counts: two are as far apart as many ratings lie between them."""
        return self._alpha(_ordinal)

    def _alpha(self, metric: Callable[[dict[float, float]], Distance]) -> float | None:
        coincidences: dict[tuple[float, float], float] = {}
        for (size, one, other), count in sorted(self._pairs.items()):
            coincidences[one, other] = coincidences.get((one, other), 0.0) + count / (size - 1)
        counts: dict[float, float] = {}
        for (one, _), weight in coincidences.items():
            counts[one] = counts.get(one, 0.0) + weight
        distance, whole = metric(counts), sum(counts.values())
        observed = sum(weight * distance(*pair) for pair, weight in coincidences.items())
        expected = sum(counts[one] * counts[other] * distance(one, other) for one, other in permutations(counts, 2))
        return 1 - (whole - 1) * observed / expected if expected else None


def _ordinal(counts: dict[float, float]) -> Distance:
    """How many ratings lie between two, half of those at both ends among them, squared."""
    below, seen = dict[float, float](), 0.0
    for value in sorted(counts):
        below[value] = seen + counts[value] / 2
        seen += counts[value]
    return lambda one, other: (below[one] - below[other]) ** 2


def wilson(right: float, of: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927); 0 to 1 where there is nothing to go by."""
    if not of:
        return 0.0, 1.0
    z, share = 1.959964, right / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * (share * (1 - share) / of + z * z / (4 * of * of)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)
