"""How far two measurements of the same items differ, with an interval, and what so many items could show at all.

    difference([1, 1, 0, 1], [0, 1, 0, 0])      # mean 0.5, with the interval that resampling the items gives

Both students meet the same items, so an item's difference is resampled, not each student's mean: what makes an item hard
for both cancels (the paired bootstrap, Efron 1979; Koehn 2004 for language models).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TIMES = 10_000
AT_ONCE = 500  # resamples drawn at once: so many times the items lie in memory
LOW, HIGH = 2.5, 97.5  # per cent
NEEDED = 2.8  # standard errors: a difference of so many is found four times in five (1.96 + 0.84)


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean difference with its 95 % interval. `visible`: the smallest that so many items show four times in five."""

    mean: float
    low: float
    high: float
    items: int
    visible: float

    @property
    def is_shown(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0

    @property
    def is_none(self) -> bool:
        """Whether no item has another figure than before."""
        return self.low == self.high == self.visible == 0


def difference(ours: Sequence[float], theirs: Sequence[float], seed: int = 0) -> Difference:
    """`ours` less `theirs`, item by item. Raises ValueError where they are not of the same items, or of none."""
    if len(ours) != len(theirs) or not len(ours):
        raise ValueError(f"{len(ours)} and {len(theirs)} items: they have to be the same, and some")
    gaps = np.asarray(ours, np.float64) - np.asarray(theirs, np.float64)
    means = _resampled(gaps, seed)
    low, high = np.percentile(means, (LOW, HIGH))
    error = float(gaps.std(ddof=1) / np.sqrt(len(gaps))) if len(gaps) > 1 else 0.0
    return Difference(float(gaps.mean()), float(low), float(high), len(gaps), NEEDED * error)


def _resampled(gaps: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """The means of resamples of the items."""
    draw = np.random.default_rng(seed)
    parts = (gaps[draw.integers(0, len(gaps), (AT_ONCE, len(gaps)))].mean(axis=1) for _ in range(TIMES // AT_ONCE))
    return np.concatenate(list(parts))
