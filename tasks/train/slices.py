"""Parts of a dataset: the rows that share a value of a column, or whose numbers lie in one of four bands.

parts_of(["maths", "cooking", "maths"])      # ["maths", "cooking", "maths"]
parts_of([1.0, 2.0, 3.0, 4.0])               # ["1 to 1", "2 to 2", "3 to 3", "4 to 4"]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

BANDS = 4
MOST_SLICES = 8
FEWEST_IN_SLICE = 20
"""A slice with fewer rows teaches too little to be told from chance."""
NO_VALUE = "(none)"


def parts_of(values: Sequence[Any]) -> list[str]:
    """The part that each value belongs to, in words. More numbers than `BANDS` different ones are put into quarters."""
    known = [one for one in values if one is not None]
    numbers = {float(one) for one in known if isinstance(one, int | float) and not isinstance(one, bool)}
    if len(numbers) <= BANDS or not all(isinstance(one, int | float) for one in known):
        return [NO_VALUE if one is None else str(one) for one in values]
    edges = np.unique(np.quantile([float(one) for one in known], np.linspace(0, 1, BANDS + 1)))
    names = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
    inner = edges[1:-1]
    return [NO_VALUE if one is None else names[int(np.searchsorted(inner, float(one), side="left"))] for one in values]


def largest_slices(parts: Sequence[str]) -> list[str]:
    """The parts with the most rows, at most `MOST_SLICES`, each of `FEWEST_IN_SLICE` or more, by size and name."""
    counts = sorted(Counter(parts).items(), key=lambda one: (-one[1], one[0]))
    return [part for part, count in counts[:MOST_SLICES] if count >= FEWEST_IN_SLICE]
