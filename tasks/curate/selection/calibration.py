"""From which similarity on two rows say the same: a property of the embedder, measured on the rows of the run.

Deita's 0.9 is for its own encoder. Unrelated texts lie at 0.8 for one embedder (e5) and at 0.1 for another (n-grams), so the
threshold is put at a distance above what shuffled pairs of the pool have: twice as far above their median as the
highest hundredth begins, and at most half way from there to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.curate.selection.pool import Indices, Scores, SelectionPool
from tasks.storage.digest import number

FEWEST = 50  # rows that can be calibrated on: of fewer, two duplicates are in the highest hundredth of all pairs
MOST_PAIRS = 200_000
PAIRS_AT_ONCE = 8192
HIGH, ABOVE = 0.99, 2.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """A threshold, and what it comes from: median and highest hundredth of the similarities of so many shuffled `pairs`."""

    threshold: float
    median: float
    high: float
    pairs: int


def calibrated(pool: SelectionPool, seed: int) -> Calibration | None:
    """The threshold for the rows of a pool, None where they are too few.

    Each row is paired with others at a distance in a shuffled order that ids and seed alone decide.
    """
    assert pool.vectors is not None, "a threshold is calibrated on embeddings"
    fit = pool.fit
    if len(fit) < FEWEST:
        return None
    shuffled = fit[sorted(range(len(fit)), key=lambda at: number(seed, pool.ids[int(fit[at])], "calibration"))]
    distances = min(len(fit) - 1, max(1, MOST_PAIRS // len(fit)))
    found = np.concatenate([_at_distance(pool, shuffled, by) for by in range(1, distances + 1)])
    median, high = (round(float(value), 4) for value in np.quantile(found, [0.5, HIGH]))
    threshold = min(median + ABOVE * (high - median), (high + 1) / 2)
    return Calibration(round(threshold, 3), median, high, len(found))


def _at_distance(pool: SelectionPool, shuffled: Indices, by: int) -> Scores:
    """The similarities of each row and the one so far behind it."""
    assert pool.vectors is not None
    others, parts = np.roll(shuffled, -by), []
    for begin in range(0, len(shuffled), PAIRS_AT_ONCE):
        block = slice(begin, begin + PAIRS_AT_ONCE)
        parts.append(
            np.einsum("ij,ij->i", pool.vectors[shuffled[block]], pool.vectors[others[block]], dtype=np.float64)
        )
    return np.concatenate(parts)
