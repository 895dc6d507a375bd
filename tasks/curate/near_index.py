"""An index of texts on disk that tells which of new ones are near duplicates of those it holds.

    index = NearIndex(folder, threshold=0.7)
    index.add([("a", "Name three colours."), ("b", "Name 3 colours"), ("c", "name three colours")])    # [None, None, NearMatch("a", 1.0, exact=True)]

Texts are taken in order. One that is like a text held is not held itself, so what stays is the first of each group, and
those that stay are unlike each other. What is held of a text is on the disk: its shingles and its bands; its id too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.storage.arrays import GrowingArray, GrowingTexts, SortedRuns
from tasks.text.near.hashed import Numbers, Positions, batches_of, distinct, mixed, numbers_of
from tasks.text.near.jaccard import jaccard
from tasks.text.near.minhash import band_keys, bands_for
from tasks.text.near.shingles import ShingleSets, figures, shingle_sets
from tasks.text.responses import normalised

AT_ONCE, MOST_CHARS = 2048, 1 << 22  # of a batch
MOST_ALIKE = 64  # texts that a text is compared with for one band: thousands that share a phrase share a band


@dataclass(frozen=True, slots=True)
class NearMatch:
    """The text that a new one is like. `exact`: they are the same after `normalised`. `place`: its place among those held
    in any case, None where it is none of them."""

    row_id: str
    jaccard: float
    exact: bool
    place: int | None = None


@dataclass(frozen=True, slots=True)
class _Batch:
    """Texts ready to be compared: `exact`, a number each; `keys`, texts x (bands and the exact one); whether alike."""

    exact: Numbers
    keys: Numbers
    sets: ShingleSets


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Pairs that are alike: `new`, a position in the batch; `held`, a row of the index or an earlier position."""

    new: Positions
    held: Positions
    jaccard: NDArray[np.float64]
    exact: NDArray[np.bool_]


class NearIndex:
    """Texts by what they are like.

    `threshold`: the Jaccard of two shingle sets from which on texts are alike, above 0 to 1. `same_figures`: texts with
    other numbers in them are never alike. `folder` has to be there, is filled, and is not
    cleared.
    """

    def __init__(self, folder: Path, threshold: float, *, same_figures: bool = True) -> None:
        self._threshold, self._bands, self._same_figures = threshold, bands_for(threshold), same_figures
        for part in ("keys", "names"):
            (folder / part).mkdir()
        self._keys, self._names = SortedRuns(folder / "keys"), SortedRuns(folder / "names")
        self._exact, self._marks = GrowingArray(folder / "exact", np.uint64), GrowingArray(folder / "marks", np.uint32)
        self._starts, self._ids = GrowingArray(folder / "starts", np.int64), GrowingTexts(folder, "ids")
        self._earlier = 0  # how many are held in any case: the first
        self._starts.append(np.zeros(1, np.int64))

    def __len__(self) -> int:
        return len(self._exact)

    def add(self, texts: Iterable[tuple[str, str]]) -> list[NearMatch | None]:
        """Hold each text (id, text) that is like none before it; for each the match, None where it is held.

        A text whose id is held is that very text: it has no match.
        """
        matches: list[NearMatch | None] = []
        for ids, batch in batches_of(texts, AT_ONCE, MOST_CHARS):
            matches += self._add(ids, self._ready(batch))
        return matches

    def hold(self, texts: Iterable[tuple[str, str]]) -> None:
        """Hold these texts (id, text), whatever they are like: those that stay in any case. Comes before any `add`."""
        assert self._earlier == len(self), "texts that stay in any case are held first"
        for ids, batch in batches_of(texts, AT_ONCE, MOST_CHARS):
            self._hold(self._new(ids), ids, self._ready(batch))
            self._earlier = len(self)

    def _new(self, ids: Sequence[str]) -> Positions:
        """The positions of ids that are not held."""
        known, _ = self._names.find(_digests(ids), 1)
        return np.setdiff1d(np.arange(len(ids)), known)

    def _ready(self, texts: Sequence[str]) -> _Batch:
        sets = shingle_sets(texts)
        plain = [normalised(text) for text in texts]
        exact = _digests(plain)
        keys = band_keys(sets, self._bands)
        if self._same_figures:
            keys = mixed(keys ^ _digests([figures(text) for text in plain])[:, None])
        wordless = sets.sizes == 0  # such a text is like its equals alone
        keys[wordless] = exact[wordless, None] + numbers_of(self._bands.count, 6)
        return _Batch(exact, np.column_stack([exact, keys]), sets)

    def _add(self, ids: Sequence[str], batch: _Batch) -> list[NearMatch | None]:
        matches: list[NearMatch | None] = [None] * len(ids)
        fresh = self._new(ids)
        known = self._among_held(batch, fresh)
        for new, held, alike, exact in zip(known.new, known.held, known.jaccard, known.exact, strict=True):
            matches[new] = matches[new] or NearMatch(
                self._ids.at(held), float(alike), bool(exact), int(held) if held < self._earlier else None
            )
        left = fresh[[matches[at] is None for at in fresh]]
        own = self._among_themselves(batch, left)
        for new, held, alike, exact in zip(own.new, own.held, own.jaccard, own.exact, strict=True):
            if matches[new] is None and matches[held] is None:
                matches[new] = NearMatch(ids[held], float(alike), bool(exact))
        self._hold(left[[matches[at] is None for at in left]], ids, batch)
        return matches

    def _among_held(self, batch: _Batch, fresh: Positions) -> _Pairs:
        """The pairs of a new text, of those `fresh`, and one held that are alike."""
        positions, held = self._keys.find(batch.keys[fresh].ravel(), MOST_ALIKE)
        new, held = _once(fresh[positions // batch.keys.shape[1]], held)
        sets = ShingleSets(self._marks.read(), self._starts.read())
        return self._verified(batch, sets, self._exact.read(), new, held)

    def _among_themselves(self, batch: _Batch, left: Positions) -> _Pairs:
        """The pairs of new texts, of those `left`, that are alike: each with those before it."""
        owners = np.repeat(left, batch.keys.shape[1])
        keys = batch.keys[left].ravel()
        order = np.argsort(keys, kind="stable")
        keys, owners = keys[order], owners[order]
        begins = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.zeros(0, int)
        first = np.repeat(begins, np.diff(np.append(begins, len(keys))))
        counts = np.minimum(np.arange(len(keys)) - first, MOST_ALIKE)
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        new, held = _once(np.repeat(owners, counts), owners[np.repeat(first, counts) + within])
        return self._verified(batch, batch.sets, batch.exact, new, held)

    def _verified(self, batch: _Batch, sets: ShingleSets, exact: Numbers, new: Positions, held: Positions) -> _Pairs:
        """Of these pairs those that are alike, the likest of each text first."""
        ours, theirs = batch.sets.sizes[new], sets.starts[held + 1] - sets.starts[held]
        same = batch.exact[new] == exact[held]
        # two sets of very different sizes cannot be alike
        near = same | (np.minimum(ours, theirs) >= self._threshold * np.maximum(ours, theirs))
        new, held, same = new[near], held[near], same[near]
        alike = jaccard(batch.sets, sets, new, held)
        alike[same] = 1.0
        good = alike >= self._threshold
        new, held, alike, same = new[good], held[good], alike[good], same[good]
        order = np.lexsort([held, -alike, ~same, new])
        return _Pairs(new[order], held[order], alike[order], same[order])

    def _hold(self, places: Positions, ids: Sequence[str], batch: _Batch) -> None:
        rows = np.arange(len(self), len(self) + len(places))
        self._keys.add(batch.keys[places].ravel(), np.repeat(rows, batch.keys.shape[1]))
        sets = batch.sets.at(places)
        self._starts.append(sets.starts[1:] + len(self._marks))
        self._marks.append(sets.marks)
        self._exact.append(batch.exact[places])
        self._names.add(_digests([ids[at] for at in places]), rows)
        self._ids.append([ids[at] for at in places])


def _digests(texts: Sequence[str]) -> Numbers:
    """A number for each text, the same for equal ones."""
    digests = (blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest() for text in texts)
    return np.frombuffer(b"".join(digests), np.uint64).copy()


def _once(left: Positions, right: Positions) -> tuple[Positions, Positions]:
    """Each pair once."""
    pairs = distinct((left << 40) | right)
    return pairs >> 40, pairs & ((1 << 40) - 1)
