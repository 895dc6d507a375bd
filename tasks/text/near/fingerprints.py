"""Runs of words chosen so that two texts that share enough words in a row share one of them (winnowing).

Schleimer, Wilkerson and Aiken 2003: of every so many runs that follow each other the one with the least number is taken.
A text that stands within a longer one shares its fingerprints, but for those at its ends.
"""

from __future__ import annotations

import numpy as np

from tasks.text.near.hashed import Hashed, Numbers, Positions, gathered, word_runs

RUN, WINDOW = 5, 4  # words in a run, and runs of which one is taken
SHARED = RUN + WINDOW - 1
"""Words in a row that two texts have to share for a common fingerprint; a shorter text has none."""


def fingerprints(said: Hashed) -> tuple[Positions, Numbers]:
    """The fingerprints of texts: the text that each belongs to, ascending, and its number; each once a text."""
    [(_, numbers, begins)] = list(word_runs(said, [RUN])) if len(said.words) else [(RUN, said.words, said.starts[:0])]
    counts = np.bincount(said.owners[begins], minlength=len(said.starts) - 1)
    starts = np.cumsum(counts) - counts
    places = gathered(starts, np.maximum(counts - WINDOW + 1, 0))  # where a window begins that lies in one text
    if not len(places):
        return np.zeros(0, np.int64), np.zeros(0, np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(numbers, WINDOW)[places]
    taken = np.unique(places + windows.argmin(axis=1))
    owners, keys = said.owners[begins][taken], numbers[taken]
    order = np.lexsort([keys, owners])
    owners, keys = owners[order], keys[order]
    fresh = np.concatenate([[True], (owners[1:] != owners[:-1]) | (keys[1:] != keys[:-1])])
    return owners[fresh], keys[fresh]
