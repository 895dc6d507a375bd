"""MinHash signatures in bands (Broder 1997; Leskovec et al., Mining of Massive Datasets, 3.4): texts that share a band
are candidates for being near duplicates.

Bands are so many that a pair at the threshold itself is a candidate in 99 of 100 cases; a library whose number of bands
balances misses against false candidates finds half of these. False candidates cost a comparison each and no row.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log

import numpy as np

from tasks.text.near.hashed import NEXT, Numbers, mixed, numbers_of, powers
from tasks.text.near.shingles import ShingleSets

FOUND = 0.99  # of the pairs at the threshold
ROWS = ((0.9, 8), (0.75, 6), (0.6, 4), (0.45, 3))  # least threshold and minima a band: 16 to 18 bands at 0.8 and 0.7


@dataclass(frozen=True, slots=True)
class Bands:
    """How many bands a signature has, and how many minima make a band."""

    count: int
    rows: int


def bands_for(threshold: float) -> Bands:
    """The bands that make candidates of the share FOUND of the pairs whose Jaccard is `threshold`."""
    rows = next((rows for least, rows in ROWS if threshold >= least), 2)
    if threshold >= 1:
        return Bands(1, rows)
    return Bands(ceil(log(1 - FOUND) / log(1 - threshold**rows)), rows)


def band_keys(sets: ShingleSets, bands: Bands) -> Numbers:
    """The bands of each set as numbers, an array of sets x bands. Sets that are empty have bands that mean nothing."""
    keys = np.zeros((len(sets.sizes), bands.count), np.uint64)
    filled = np.flatnonzero(sets.sizes)
    if not len(filled):
        return keys
    marks, begins = mixed(sets.marks.astype(np.uint64)), sets.starts[:-1][filled]
    flips, factors = numbers_of(bands.count * bands.rows, 3), numbers_of(bands.count * bands.rows, 4) | np.uint64(1)
    weights = powers(NEXT, bands.rows)
    work = np.empty_like(marks)
    for at, (flip, factor) in enumerate(zip(flips, factors, strict=True)):
        np.bitwise_xor(marks, flip, out=work)
        np.multiply(work, factor, out=work)
        keys[filled, at // bands.rows] += mixed(np.minimum.reduceat(work, begins)) * weights[at % bands.rows]
    return mixed(keys + numbers_of(bands.count, 5))
