"""How values lie: their mean with its interval, and counts in bins."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Z = 1.96  # of an interval of 95 %
MOST_BINS, SHOWN_BINS = 200, 30
"""Bins that are kept, and those that are shown: where values lie too far apart for them, bins become ten times as wide."""
MOST = 1e12
"""A number beyond this is none that is measured."""


@dataclass(slots=True)
class Spread:
    """How many values, their mean with the half width of its 95 % interval, and counts in bins, by lower edge.

    `width`: of a bin; None: they are powers of two.
    """

    width: float | None = None
    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    bins: Counter[float] = field(default_factory=Counter)

    def add(self, values: Sequence[float]) -> None:
        """Count values."""
        width = self.width
        for value in values:
            self.count += 1
            self.total += value
            self.squares += value * value
            self.bins[_edge(value, width) if width else _power(value)] += 1
        while self.width and len(self.bins) > MOST_BINS:
            self._widen()

    def _widen(self) -> None:
        assert self.width is not None, "powers of two are few"
        self.width *= 10
        wider = Counter[float]()
        for edge, count in self.bins.items():
            wider[_edge(edge, self.width)] += count
        self.bins = wider

    @property
    def mean(self) -> float:
        """The mean, 0 of nothing."""
        return self.total / self.count if self.count else 0.0

    @property
    def error(self) -> float:
        """Half the width of the 95 % interval of the mean."""
        if self.count < 2:
            return 0.0
        variance = max(0.0, self.squares / self.count - self.mean**2)
        return Z * math.sqrt(variance / (self.count - 1))

    def filled(self) -> list[tuple[float, float, int]]:
        """The bins from the lowest to the highest with their edges, those that are empty in between too."""
        if not self.bins:
            return []
        while self.width and (max(self.bins) - min(self.bins)) / self.width > SHOWN_BINS:
            self._widen()
        low, high = min(self.bins), max(self.bins)
        if self.width is None:
            edges = [0.0] if low == 0 else []
            edges += [2.0**power for power in range(int(math.log2(max(low, 1))), int(math.log2(max(high, 1))) + 1)]
            return [(edge, 2 * edge if edge else 1.0, self.bins[edge]) for edge in edges]
        count = round((high - low) / self.width) + 1
        each = ((round(low + at * self.width, 9), round(low + (at + 1) * self.width, 9)) for at in range(count))
        return [(edge, end, self.bins[edge]) for edge, end in each]


def interval_of_share(part: int, whole: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    if not whole:
        return 0.0, 1.0
    share, spread = part / whole, Z * Z / whole
    centre = share + spread / 2
    half = Z * math.sqrt(share * (1 - share) / whole + spread / (4 * whole))
    return max(0.0, (centre - half) / (1 + spread)), min(1.0, (centre + half) / (1 + spread))


def number_in(value: Any) -> float | None:
    """The number that a value is, None where it is none, or none that can be measured."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and abs(value) < MOST else None


def _edge(value: float, width: float) -> float:
    return round(math.floor(value / width) * width, 9)


def _power(value: float) -> float:
    return 2.0 ** int(math.log2(value)) if value >= 1 else 0.0
