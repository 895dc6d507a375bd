"""The set of shingles that a text is compared by: its words, and every two words in a row.

Words alone would take "is A above B" and "is B above A" for the same. Pairs alone would lose a text of ten words for one
word changed: two pairs of nine are gone, 7 of 11 left, while with the words it is 16 of 22. In a script without spaces
a word is a character, so these are its single characters and pairs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.text.near.hashed import Hashed, Positions, distinct, ends_of, gathered, hashed, word_runs

LENGTHS = (1, 2)  # words in a shingle
HALF = np.uint64(32)
# Mathematical signs, and numbers with a sign: "2 - 3" and "2 + 3" hold the same words and ask for different things, and so
# do C, C++ and C#.
FIGURE = re.compile(r"[+<>=|~^±×÷≤≥≠]|(?<=[a-z])#(?![\w#])|(?:[-−*/]\s*)?\d+(?:[.,:]\d+)*%?")
HAS_FIGURE = re.compile(r"[\d+<>=|~^±×÷≤≥≠#]")  # most texts have none, and this is told sooner

Marks = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class ShingleSets:
    """Sets of shingles end to end, each sorted. `marks`: a shingle each. `starts`: of each set, and the end of the last."""

    marks: Marks
    starts: Positions

    @property
    def sizes(self) -> Positions:
        """How many shingles each set has."""
        return np.diff(self.starts)

    def at(self, rows: Positions) -> ShingleSets:
        """These sets, in this order."""
        counts = self.sizes[rows]
        return ShingleSets(self.marks[gathered(self.starts[rows], counts)], ends_of(counts))


def shingle_sets(texts: Sequence[str]) -> ShingleSets:
    """The shingles of each text. A text without a word has none."""
    return shingle_sets_of(hashed(texts))


def shingle_sets_of(said: Hashed) -> ShingleSets:
    """The same of words as numbers."""
    owners = said.owners.astype(np.uint64) << HALF
    # the upper half of a shingle's number below its text: one sort brings all sets in order at once
    keys = [owners[whole] | (numbers >> HALF) for _, numbers, whole in word_runs(said, LENGTHS)]
    unique = distinct(np.concatenate(keys))
    counts = np.bincount((unique >> HALF).astype(np.int64), minlength=len(said.starts) - 1)
    return ShingleSets(unique.astype(np.uint32), ends_of(counts))


def figures(text: str) -> str:
    """The numbers, mathematical signs and sharps (C#) of a text in order, as one text; "" where there are none.

    `text` is `normalised`, so that figures of full width are such, too.
    """
    if not HAS_FIGURE.search(text):
        return ""
    return " ".join("".join(found.split()) for found in FIGURE.findall(text))
