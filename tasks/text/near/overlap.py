"""Which of given passages stand in a text: copied whole, embedded, in other case or punctuation, or with a word changed.

A passage of 21 words or more is looked for by ten words in a row, and then by the share of its words that stand near there
in runs of three: more than half of it is a copy (as SmolTalk was decontaminated). A shorter one need not have ten words in
a row left once a word of it is changed, so it is looked for by three in a row: with two words side by side changed ("1/5"
is two), all but four of its runs of three are left (the q-gram lemma, Jokinen and Ukkonen 1991); four fifths of its words in
order are a copy.
Up to seven words have to stand there as they are, and up to four have to be the whole text. In a script without spaces a
word is a character, and these lengths are double. Accents are off on both sides (as SmolTalk was decontaminated too): a copy
that was typed without them is one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import LCSseq

from tasks.text.near.hashed import Hashed, Numbers, Positions, gathered, hashed_words, word_runs
from tasks.text.words import is_spaceless, words

SHORT, TINY, TOKEN = 20, 7, 4  # words of a passage that is short, tiny, or found as a whole text alone
GRAM = 3  # words in a row by which a short passage is looked for, and by which the share of a long one is counted
SHORT_SHARE = 0.8  # of the words of a short passage, in order
ACCENTS = re.compile("[\u0300-\u036f]+")  # of Latin, Greek and Cyrillic; a vowel sign of Hindi or Thai is no accent
STROKES = str.maketrans("đĐłŁøØı", "dDlLoOi")  # accents that are part of the letter, and that a keyboard leaves out too
UNKNOWN_BITS = np.uint64(44)  # bits of a number that the table of known runs leaves out: a million entries


@dataclass(frozen=True, slots=True)
class Overlap:
    """A passage that stands in a text: its position among the passages, and the share of its words found, to 1."""

    passage: int
    share: float


@dataclass(frozen=True, slots=True)
class _Runs:
    """The runs of one length by which passages are looked for, sorted; of each its passage and its place in there."""

    numbers: Numbers
    passages: Positions
    places: Positions
    known: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Hits:
    """Runs that a text shares with a passage: text, passage, place in the passage, and place in the text less that."""

    texts: Positions
    passages: Positions
    places: Positions
    offsets: Positions


class Passages:
    """Texts to be found in others. `run`: words in a row that a long one has to share; `share`: of its words, above which
    it is there."""

    def __init__(self, texts: Sequence[str], run: int = 10, share: float = 0.5) -> None:
        self._run, self._share = run, share
        said = [words(without_accents(text)) for text in texts]
        self._scales = np.array([_scale(one) for one in said], np.int64)
        self._said = hashed_words(said)
        self._lengths = np.array([self._length(*one) for one in zip(self._said.counts, self._scales, strict=True)])
        self._needed = self._runs_needed()
        self._runs = dict(self._indexed())

    def found_in(self, texts: Sequence[str]) -> list[Overlap | None]:
        """For each text the passage that stands there with most of its words, None where there is none."""
        found: list[Overlap | None] = [None] * len(texts)
        said = hashed_words([words(without_accents(text)) for text in texts])
        for text, passage, offset in self._candidates(said) if self._runs else ():
            share = self._share_in(said, text, passage, offset)
            best = found[text]
            if self._is_there(passage, share) and (best is None or share > best.share):
                found[text] = Overlap(passage, share)
        return found

    def _length(self, count: int, scale: int) -> int:
        """How many words in a row a passage of `count` words is looked for by."""
        if count <= TINY * scale:
            return count
        return GRAM * scale if self._is_short(count, scale) else self._run * scale

    def _is_short(self, count: int, scale: int) -> bool:
        return count <= 2 * self._run * scale

    def _runs_needed(self) -> Positions:
        """How many of its runs a text has to share with each passage."""
        short = self._lengths == GRAM * self._scales
        return np.where(short, np.maximum(self._said.counts - 2 * GRAM * self._scales, 1), 1)

    def _indexed(self) -> Iterator[tuple[int, _Runs]]:
        owners = self._said.owners
        lengths = {int(length) for length in self._lengths if length}
        for length, numbers, begins in word_runs(self._said, lengths) if lengths else ():
            ours = self._lengths[owners[begins]] == length
            numbers, begins = numbers[ours], begins[ours]
            order = np.argsort(numbers, kind="stable")
            numbers, begins = numbers[order], begins[order]
            known = np.zeros(1 << 20, np.bool_)
            known[numbers >> UNKNOWN_BITS] = True
            passages = owners[begins]
            yield length, _Runs(numbers, passages, begins - self._said.starts[passages], known)

    def _candidates(self, said: Hashed) -> Iterator[tuple[int, int, int]]:
        """Text, passage, and where in the text the passage would begin, of pairs that share runs enough."""
        hits = self._hits(said)
        pairs = (hits.texts << 32) | hits.passages
        order = np.lexsort([hits.places, pairs])
        pairs, places, offsets = pairs[order], hits.places[order], hits.offsets[order]
        begins = np.flatnonzero(np.concatenate([[True], pairs[1:] != pairs[:-1]])) if len(pairs) else np.zeros(0, int)
        fresh = np.concatenate([[True], (pairs[1:] != pairs[:-1]) | (places[1:] != places[:-1])])[: len(pairs)]
        ends = np.append(begins[1:], len(pairs))
        totals = np.concatenate([[0], np.cumsum(fresh)])
        enough = totals[ends] - totals[begins] >= self._needed[pairs[begins] & 0xFFFFFFFF]
        for begin, end in zip(begins[enough], ends[enough], strict=True):
            values, counts = np.unique(offsets[begin:end], return_counts=True)
            pair = int(pairs[begin])
            yield pair >> 32, pair & 0xFFFFFFFF, int(values[np.argmax(counts)])

    def _hits(self, said: Hashed) -> _Hits:
        owners = said.owners
        parts = [np.zeros((4, 0), np.int64)]
        for length, numbers, begins in word_runs(said, self._runs.keys()):
            runs = self._runs[length]
            likely = np.flatnonzero(runs.known[numbers >> UNKNOWN_BITS])
            numbers, begins = numbers[likely], begins[likely]
            first = np.searchsorted(runs.numbers, numbers)
            counts = np.searchsorted(runs.numbers, numbers, "right") - first
            at = gathered(first, counts)
            begins = np.repeat(begins, counts)
            texts, places = owners[begins], runs.places[at]
            parts.append(np.stack([texts, runs.passages[at], places, begins - said.starts[texts] - places]))
        return _Hits(*np.concatenate(parts, axis=1))

    def _share_in(self, said: Hashed, text: int, passage: int, offset: int) -> float:
        """The share of a passage's words that stands in a text around a place."""
        whole = said.words[said.starts[text] : said.starts[text + 1]]
        ours = self._said.words[self._said.starts[passage] : self._said.starts[passage + 1]]
        count, scale = len(ours), int(self._scales[passage])
        if count <= TINY * scale:
            return 1.0 if count > TOKEN * scale or len(whole) == count else 0.0
        slack = 2 * scale if self._is_short(count, scale) else count // 4
        there = whole[max(0, offset - slack) : max(0, offset + count + slack)]
        if self._is_short(count, scale):
            return float(LCSseq.similarity(ours.tolist(), there.tolist()) / count)
        return _covered(ours, there, GRAM * scale)

    def _is_there(self, passage: int, share: float) -> bool:
        if self._is_short(int(self._said.counts[passage]), int(self._scales[passage])):
            return share >= SHORT_SHARE
        return share > self._share


def without_accents(text: str) -> str:
    """The text with its letters bare, "Đông Á café" as "Dong A cafe": for comparing, never for writing."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", ACCENTS.sub("", unicodedata.normalize("NFD", text))).translate(STROKES)


def _scale(said: Sequence[str]) -> int:
    """2 where most words are characters of a script without spaces, else 1."""
    return 2 if 2 * sum(is_spaceless(word[0]) for word in said) > len(said) else 1


def _covered(ours: Numbers, theirs: Numbers, length: int) -> float:
    """The share of our words that stand in runs of `length` that they have too."""
    if len(theirs) < length:
        return 0.0
    windows = [np.lib.stride_tricks.sliding_window_view(side, length) for side in (ours, theirs)]
    has = {window.tobytes() for window in windows[1]}
    covered = np.zeros(len(ours), np.bool_)
    for at, window in enumerate(windows[0]):
        if window.tobytes() in has:
            covered[at : at + length] = True
    return float(covered.mean())
