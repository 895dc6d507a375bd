"""ROUGE-L: how alike two texts are by their longest common subsequence of words, and a pool to look up the likest in.

    pool = Pool(["Name three fruits.", "Write a poem about the sea."])
    pool.most_similar("Write a poem about rain.")      # Similar(position=1, score=0.727...)

Lin 2004 (ROUGE-L, F with beta 1). Agrees with the PyPI package rouge-score without stemming on ASCII text; elsewhere
words are those of `words.py`.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from rapidfuzz.distance import LCSseq

from tasks.text.words import words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Similar(NamedTuple):
    """The most similar text of a pool: its position, and ROUGE-L F in [0, 1]."""

    position: int
    score: float


def rouge_l(a: str, b: str) -> float:
    """ROUGE-L F of two texts, in [0, 1]; 0 where one has no words. Symmetric."""
    return _f(words(a), words(b))


def _f(a: Sequence[str] | Sequence[int], b: Sequence[str] | Sequence[int]) -> float:
    # 2PR / (P + R) in one division: through P and R the rounding puts 14/20 above 0.7, and equal would not be kept
    return 2 * LCSseq.similarity(a, b) / (len(a) + len(b)) if a and b else 0.0


class Pool:
    """Texts that a new one is compared with. Exact: texts are passed over only where a bound says they cannot win.

    The words that two texts share, repetitions counted, are at least their common subsequence. An inverted index counts
    them for the whole pool in one pass; the subsequence itself is found only where that bound reaches the best so far.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._vocabulary: dict[str, int] = {}
        self.texts: list[str] = []
        self._encoded: list[list[int]] = []
        self._lengths = array("q")
        self._holders: dict[tuple[int, int], array[int]] = {}  # (word, how often so far) -> the texts that have it
        for text in texts:
            self.add(text)

    def __len__(self) -> int:
        return len(self.texts)

    def add(self, text: str) -> None:
        """Put a text into the pool; its position is the number of texts before it."""
        encoded = self._encode(text)
        for key in _occurrences(encoded):
            self._holders.setdefault(key, array("q")).append(len(self.texts))
        self._encoded.append(encoded)
        self.texts.append(text)
        self._lengths.append(len(encoded))

    def most_similar(self, text: str) -> Similar | None:
        """The pool's text with the highest ROUGE-L F to this one, the first of equals; None in an empty pool."""
        import numpy as np

        if not self.texts:
            return None
        encoded = self._encode(text)
        bounds = self._bounds(encoded)
        best = self._score(encoded, int(bounds.argmax()))
        rest = np.flatnonzero((bounds >= best.score) & (bounds > 0))
        for position in rest[np.argsort(-bounds[rest], kind="stable")].tolist():
            if bounds[position] < best.score:
                break
            best = max(best, self._score(encoded, position), key=lambda found: (found.score, -found.position))
        return best if best.score else Similar(0, 0.0)

    def _bounds(self, encoded: list[int]) -> NDArray[np.float64]:
        """For each text of the pool, the F it would have if all shared words stood in one order."""
        import numpy as np

        holders = [np.frombuffer(h, np.int64) for key in _occurrences(encoded) if (h := self._holders.get(key))]
        lengths = np.frombuffer(self._lengths, np.int64)
        if not holders:
            return np.zeros(len(lengths))
        shared = np.bincount(np.concatenate(holders), minlength=len(lengths))
        return 2 * shared / (lengths + len(encoded))

    def _score(self, encoded: list[int], position: int) -> Similar:
        return Similar(position, _f(encoded, self._encoded[position]))

    def _encode(self, text: str) -> list[int]:
        return [self._vocabulary.setdefault(word, len(self._vocabulary)) for word in words(text)]


def _occurrences(encoded: list[int]) -> list[tuple[int, int]]:
    """Each word with how often it came before: two texts share as many of these as they share words."""
    seen: dict[int, int] = defaultdict(int)
    keys = []
    for word in encoded:
        keys.append((word, seen[word]))
        seen[word] += 1
    return keys
