"""An index of texts on disk that tells which of new ones are near duplicates of those it holds.

    index = NearIndex(folder, threshold=0.7)
    index.add([("a", "Name three colours."), ("b", "Name 3 colours"), ("c", "name three colours")])    # [None, None, NearMatch("a", 1.0, exact=True)]

Texts are taken in order. One that is like a text held is not held itself, so what stays is the first of each group, and
those that stay are unlike each other. With `contained` texts are alike, too, where one stands within the other. What is held of a text is on the disk: its shingles and its bands; its id too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.storage.arrays import GrowingArray, GrowingTexts, SortedRuns
from tasks.text.near.fingerprints import fingerprints
from tasks.text.near.hashed import Numbers, Positions, batches_of, distinct, hashed, mixed, numbers_of
from tasks.text.near.jaccard import jaccard, shared_sizes
from tasks.text.near.minhash import band_keys, bands_for
from tasks.text.near.shingles import ShingleSets, figures, shingle_sets_of
from tasks.text.responses import normalised

AT_ONCE, MOST_CHARS = 2048, 1 << 22  # of a batch
CONTAINED = 0.95  # of the shingles of the smaller set, from which on its text stands within the other
MOST_ALIKE = 64  # texts that a text is compared with for one band: thousands that share a phrase share a band


@dataclass(frozen=True, slots=True)
class NearMatch:
    """The text that a new one is like. `exact`: they are the same after `normalised`. `place`: its place among those held
    in any case, None where it is none of them. `contained`: one stands within the other, and this share of it does; then
    `jaccard` is no matter."""

    row_id: str
    jaccard: float
    exact: bool
    place: int | None = None
    contained: float | None = None


@dataclass(frozen=True, slots=True)
class _Batch:
    """Texts ready to be compared: `exact`, a number each; `keys`, texts x (bands and the exact one); and their
    fingerprints: `prints`, and the text that each is of, `owners`, ascending."""

    exact: Numbers
    keys: Numbers
    sets: ShingleSets
    owners: Positions
    prints: Numbers


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Pairs that are alike: `new`, a position in the batch; `held`, a row of the index or an earlier position. `share`: their
    Jaccard, or where one is `contained` in the other, how much of it is."""

    new: Positions
    held: Positions
    share: NDArray[np.float64]
    exact: NDArray[np.bool_]
    contained: NDArray[np.bool_]

    def of(self, at: int, row_id: str, place: int | None = None) -> NearMatch:
        """The match that a pair is. `row_id`: of the one held."""
        share = float(self.share[at])
        if self.contained[at]:
            return NearMatch(row_id, 0.0, exact=False, place=place, contained=share)
        return NearMatch(row_id, share, bool(self.exact[at]), place)


class NearIndex:
    """Texts by what they are like.

    `threshold`: the Jaccard of two shingle sets from which on texts are alike, above 0 to 1. `same_figures`: texts with
    other numbers in them are never alike. `contained`: texts of eight words and more are alike where one stands within the
    other. `folder` has to be there, is filled, and is not cleared.
    """

    def __init__(self, folder: Path, threshold: float, *, same_figures: bool = True, contained: bool = False) -> None:
        self._threshold, self._bands, self._same_figures = threshold, bands_for(threshold), same_figures
        self._contained = contained
        for part in ("keys", "names", "prints"):
            (folder / part).mkdir()
        self._prints = SortedRuns(folder / "prints")
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
        said = hashed(texts)
        sets = shingle_sets_of(said)
        plain = [normalised(text) for text in texts]
        exact = _digests(plain)
        keys = band_keys(sets, self._bands)
        owners, prints = fingerprints(said) if self._contained else (np.zeros(0, np.int64), np.zeros(0, np.uint64))
        if self._same_figures:
            of_figures = _digests([figures(text) for text in plain])
            keys = mixed(keys ^ of_figures[:, None])
            prints = mixed(prints ^ of_figures[owners])
        wordless = sets.sizes == 0  # such a text is like its equals alone
        keys[wordless] = exact[wordless, None] + numbers_of(self._bands.count, 6)
        return _Batch(exact, np.column_stack([exact, keys]), sets, owners, prints)

    def _add(self, ids: Sequence[str], batch: _Batch) -> list[NearMatch | None]:
        matches: list[NearMatch | None] = [None] * len(ids)
        fresh = self._new(ids)
        known = self._among_held(batch, fresh)
        for at, (new, held) in enumerate(zip(known.new, known.held, strict=True)):
            place = int(held) if held < self._earlier else None
            matches[new] = matches[new] or known.of(at, self._ids.at(held), place)
        left = fresh[[matches[at] is None for at in fresh]]
        own = self._among_themselves(batch, left)
        for at, (new, held) in enumerate(zip(own.new, own.held, strict=True)):
            if matches[new] is None and matches[held] is None:
                matches[new] = own.of(at, ids[held])
        self._hold(left[[matches[at] is None for at in left]], ids, batch)
        return matches

    def _among_held(self, batch: _Batch, fresh: Positions) -> _Pairs:
        """The pairs of a new text, of those `fresh`, and one held that are alike."""
        positions, held = self._keys.find(batch.keys[fresh].ravel(), MOST_ALIKE)
        pairs = _once(fresh[positions // batch.keys.shape[1]], held)
        mine = np.isin(batch.owners, fresh)
        positions, held = self._prints.find(batch.prints[mine], MOST_ALIKE)
        sharing = _once(batch.owners[mine][positions], held)
        sets = ShingleSets(self._marks.read(), self._starts.read())
        return self._verified(batch, sets, self._exact.read(), pairs, sharing)

    def _among_themselves(self, batch: _Batch, left: Positions) -> _Pairs:
        """The pairs of new texts, of those `left`, that are alike: each with those before it."""
        pairs = _sharing(np.repeat(left, batch.keys.shape[1]), batch.keys[left].ravel())
        mine = np.isin(batch.owners, left)
        sharing = _sharing(batch.owners[mine], batch.prints[mine])
        return self._verified(batch, batch.sets, batch.exact, pairs, sharing)

    def _verified(
        self,
        batch: _Batch,
        sets: ShingleSets,
        exact: Numbers,
        pairs: tuple[Positions, Positions],
        sharing: tuple[Positions, Positions],
    ) -> _Pairs:
        """Of these pairs those that are alike, and of those `sharing` a fingerprint those of which one is contained.

        The likest of each text come first.
        """
        new, held = pairs
        ours, theirs = batch.sets.sizes[new], sets.starts[held + 1] - sets.starts[held]
        same = batch.exact[new] == exact[held]
        # two sets of very different sizes cannot be alike
        near = same | (np.minimum(ours, theirs) >= self._threshold * np.maximum(ours, theirs))
        new, held, same = new[near], held[near], same[near]
        alike = jaccard(batch.sets, sets, new, held)
        alike[same] = 1.0
        good = alike >= self._threshold
        found = [(new[good], held[good], alike[good], same[good], np.zeros(good.sum(), np.bool_))]
        if self._contained:
            new, held = sharing
            both = shared_sizes(batch.sets, sets, new, held)
            share = both / np.minimum(batch.sets.sizes[new], sets.starts[held + 1] - sets.starts[held])
            good = share >= CONTAINED
            found.append((new[good], held[good], share[good], np.zeros(good.sum(), np.bool_), good[good]))
        new, held, share, same, inside = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.lexsort([held, -share, inside, ~same, new])
        return _Pairs(new[order], held[order], share[order], same[order], inside[order])

    def _hold(self, places: Positions, ids: Sequence[str], batch: _Batch) -> None:
        rows = np.arange(len(self), len(self) + len(places))
        self._keys.add(batch.keys[places].ravel(), np.repeat(rows, batch.keys.shape[1]))
        row_of = np.full(len(ids), -1)
        row_of[places] = rows
        mine = row_of[batch.owners] >= 0
        self._prints.add(batch.prints[mine], row_of[batch.owners[mine]])
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


def _sharing(owners: Positions, keys: Numbers) -> tuple[Positions, Positions]:
    """Each pair of owners, the later first, that have a key in common; of an owner with those before it, MOST_ALIKE a key."""
    order = np.argsort(keys, kind="stable")
    keys, owners = keys[order], owners[order]
    begins = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.zeros(0, int)
    first = np.repeat(begins, np.diff(np.append(begins, len(keys))))
    counts = np.minimum(np.arange(len(keys)) - first, MOST_ALIKE)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return _once(np.repeat(owners, counts), owners[np.repeat(first, counts) + within])
