"""The real Jaccard similarity of pairs of sets, many pairs at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tasks.text.near.hashed import Positions
from tasks.text.near.shingles import HALF, ShingleSets

AT_ONCE = 1 << 21  # shingles compared in one sort: 16 MB


def jaccard(ours: ShingleSets, theirs: ShingleSets, left: Positions, right: Positions) -> NDArray[np.float64]:
    """For each pair of rows the shingles that both sets have, of those that either has; 0 for two empty sets."""
    sizes = ours.sizes[left] + theirs.sizes[right]
    both = shared_sizes(ours, theirs, left, right)
    similarities: NDArray[np.float64] = both / np.maximum(sizes - both, 1)
    return similarities


def shared_sizes(ours: ShingleSets, theirs: ShingleSets, left: Positions, right: Positions) -> Positions:
    """For each pair of rows how many shingles both sets have."""
    ends = np.cumsum(ours.sizes[left] + theirs.sizes[right])
    found = np.zeros(len(left), np.int64)
    start = 0
    while start < len(left):
        done = ends[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(ends, done + AT_ONCE, "right")))
        found[start:end] = _shared(ours.at(left[start:end]), theirs.at(right[start:end]))
        start = end
    return found


def _shared(ours: ShingleSets, theirs: ShingleSets) -> Positions:
    """How many shingles the first sets of both have in common, and the second, and so on."""
    keys = np.concatenate([_marked(ours), _marked(theirs)])
    keys.sort()
    twice = keys[1:][keys[1:] == keys[:-1]]
    return np.bincount((twice >> HALF).astype(np.int64), minlength=len(ours.starts) - 1)


def _marked(sets: ShingleSets) -> NDArray[np.uint64]:
    owners = np.repeat(np.arange(len(sets.starts) - 1, dtype=np.uint64), sets.sizes)
    return (owners << HALF) | sets.marks
