"""Words as 64-bit numbers, for many texts at once: what shingles and n-grams are made of.

Words are those of `tasks/text/words.py`, so a character of a script without spaces is a word of its own. The numbers are
the same on every machine, in every process and with every version of a library.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tasks.text.words import words

Numbers = NDArray[np.uint64]
Positions = NDArray[np.int64]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: steps of it are spread evenly
T = TypeVar("T")
N = TypeVar("N", bound=np.generic)
SEPARATOR = 10  # "\n" is in no word


def mixed(numbers: Numbers) -> Numbers:
    """Each number as one that looks random, no two alike (the finaliser of SplitMix64, Steele et al. 2014)."""
    mixing = numbers ^ (numbers >> np.uint64(30))
    mixing *= np.uint64(0xBF58476D1CE4E5B9)
    mixing ^= mixing >> np.uint64(27)
    mixing *= np.uint64(0x94D049BB133111EB)
    mixing ^= mixing >> np.uint64(31)
    return mixing


def numbers_of(count: int, purpose: int) -> Numbers:
    """So many numbers that look random and are always the same; `purpose` tells them from others."""
    return mixed((np.arange(1, count + 1, dtype=np.uint64) + np.uint64(purpose << 32)) * GOLDEN)


OF_BYTES = numbers_of(256, 1)
BASE, NEXT = numbers_of(2, 2) | np.uint64(1)  # odd, so that no power of them is 0


@dataclass(frozen=True, slots=True)
class Hashed:
    """The words of texts end to end. `words`: a number each. `starts`: of each text, and the end; one more than texts."""

    words: Numbers
    starts: Positions

    @property
    def counts(self) -> Positions:
        """How many words each text has."""
        return np.diff(self.starts)

    @property
    def owners(self) -> Positions:
        """The text that each word belongs to."""
        return np.repeat(np.arange(len(self.starts) - 1), self.counts)


def hashed(texts: Sequence[str]) -> Hashed:
    """The words of these texts as numbers."""
    return hashed_words([words(text) for text in texts])


def hashed_words(said: Sequence[Sequence[str]]) -> Hashed:
    """The same of texts that are words already, none of them empty."""
    starts = ends_of(list(map(len, said)))
    if not starts[-1]:
        return Hashed(np.zeros(0, np.uint64), starts)
    letters = np.frombuffer(("\n".join(chain.from_iterable(said)) + "\n").encode(), np.uint8)
    ends = np.flatnonzero(letters == SEPARATOR)
    begins = np.concatenate([[0], ends[:-1] + 1])
    within = np.arange(len(letters)) - np.repeat(begins, ends - begins + 1)
    return Hashed(
        mixed(np.add.reduceat(OF_BYTES[letters] * powers(BASE, int(within.max()) + 1)[within], begins)), starts
    )


def powers(base: np.uint64, count: int) -> Numbers:
    """1, base, base squared and so on, modulo 2**64."""
    series = np.full(count, base, np.uint64)
    series[:1] = 1
    return np.cumprod(series, dtype=np.uint64)


def distinct(numbers: NDArray[N]) -> NDArray[N]:
    """Each number once, sorted. numpy's own `unique` hashes integers, which takes three times as long on these."""
    ordered = np.sort(numbers)
    first: NDArray[N] = ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(ordered)]]
    return first


def ends_of(counts: Sequence[int] | Positions) -> Positions:
    """Where each of these many things begins when they lie end to end, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)


def word_runs(said: Hashed, lengths: Collection[int]) -> Iterator[tuple[int, Numbers, Positions]]:
    """For each of these lengths, the shortest first: every run of so many words within a text, as a number, and where it
    begins."""
    sums, last = said.words.copy(), np.repeat(said.starts[1:], said.counts)
    places, steps = np.arange(len(sums)), powers(NEXT, max(lengths))
    for length in range(1, max(lengths) + 1):
        if 1 < length <= len(sums):
            sums[: len(sums) - length + 1] += said.words[length - 1 :] * steps[length - 1]
        if length in lengths:
            whole = places[places + length <= last]
            yield length, mixed(sums[whole] + np.uint64(length)), whole


def gathered(starts: Positions, counts: Positions) -> Positions:
    """The places of `counts` things from each of `starts` on, end to end."""
    ends = ends_of(counts)
    return np.arange(ends[-1]) - np.repeat(ends[:-1] - starts, counts)


def batches_of(texts: Iterable[tuple[T, str]], most: int, most_chars: int) -> Iterator[tuple[list[T], list[str]]]:
    """Pairs of a name and a text in batches: of `most` texts and `most_chars` characters at most, but of one text at least."""
    names: list[T] = []
    held: list[str] = []
    size = 0
    for name, text in texts:
        if held and (len(held) >= most or size + len(text) > most_chars):
            yield names, held
            names, held, size = [], [], 0
        names.append(name)
        held.append(text)
        size += len(text)
    if held:
        yield names, held
