"""An index of texts on disk that tells which of new ones are near duplicates of those it holds.

    index = NearIndex(folder, threshold=0.7)
    index.add([("a", "Name three colours."), ("b", "Name 3 colours"), ("c", "name three colours")])    # [None, None, NearMatch("a", 1.0, exact=True)]

Texts are taken in order. One that is like a text held is not held itself, so what stays is the first of each group, and
those that stay are unlike each other. With `contained` texts are alike, too, where one stands within the other. What is held of a text is on the disk: its shingles and its bands; its id too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tasks.curate.held_texts import By, Entries, HeldTexts, TextsHere
from tasks.curate.prepared_texts import Alike, Likeness, PreparedTexts, text_digests
from tasks.storage.arrays import GrowingTexts
from tasks.text.near.hashed import Numbers, Positions, batches_of, distinct

AT_ONCE, MOST_CHARS = 2048, 1 << 22  # of a batch
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


class NearIndex:
    """Texts by what they are like.

    `threshold`: the Jaccard of two shingle sets from which on texts are alike, above 0 to 1. `same_figures`: texts with
    other numbers in them are never alike. `contained`: texts of eight words and more are alike where one stands within the
    other. `folder` has to be there, is filled, and is not cleared. `held`: where what is held of texts lies, if not there;
    their ids do in any case.
    """

    def __init__(
        self,
        folder: Path,
        threshold: float,
        *,
        same_figures: bool = True,
        contained: bool = False,
        held: HeldTexts | None = None,
    ) -> None:
        self._likeness = Likeness(threshold, same_figures, contained)
        self._ids, self._texts = GrowingTexts(folder, "ids"), held or TextsHere(folder)
        self._earlier = 0  # how many are held in any case: the first

    def __len__(self) -> int:
        return len(self._ids)

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
        known, _ = self._texts.find("names", text_digests(ids), 1)
        return np.setdiff1d(np.arange(len(ids)), known)

    def _ready(self, texts: Sequence[str]) -> PreparedTexts:
        return self._texts.prepare(texts, self._likeness)

    def _add(self, ids: Sequence[str], batch: PreparedTexts) -> list[NearMatch | None]:
        matches: list[NearMatch | None] = [None] * len(ids)
        fresh = self._new(ids)
        known = self._among_held(batch, fresh)
        for at, (new, held) in enumerate(zip(known.new, known.held, strict=True)):
            place = int(held) if held < self._earlier else None
            matches[new] = matches[new] or _match(known, at, self._ids.at(held), place)
        left = fresh[[matches[at] is None for at in fresh]]
        own = self._among_themselves(batch, left)
        for at, (new, held) in enumerate(zip(own.new, own.held, strict=True)):
            if matches[new] is None and matches[held] is None:
                matches[new] = _match(own, at, ids[held])
        self._hold(left[[matches[at] is None for at in left]], ids, batch)
        return matches

    def _among_held(self, batch: PreparedTexts, fresh: Positions) -> Alike:
        """The pairs of a new text, of those `fresh`, and one held that are alike."""
        positions, held = self._texts.find("keys", batch.keys[fresh].ravel(), MOST_ALIKE)
        found = [self._texts.alike(batch.texts, _once(fresh[positions // batch.keys.shape[1]], held))]
        if self._likeness.contained:
            mine = np.isin(batch.owners, fresh)
            positions, held = self._texts.find("prints", batch.prints[mine], MOST_ALIKE)
            found.append(self._texts.contained(batch.texts, _once(batch.owners[mine][positions], held)))
        return Alike.of(found)

    def _among_themselves(self, batch: PreparedTexts, left: Positions) -> Alike:
        """The pairs of new texts, of those `left`, that are alike: each with those before it."""
        pairs, texts = _sharing(np.repeat(left, batch.keys.shape[1]), batch.keys[left].ravel()), batch.texts
        found = [texts.alike(texts.sets, texts.exact, *pairs)]
        if self._likeness.contained:
            mine = np.isin(batch.owners, left)
            found.append(texts.contained(texts.sets, *_sharing(batch.owners[mine], batch.prints[mine])))
        return Alike.of(found)

    def _hold(self, places: Positions, ids: Sequence[str], batch: PreparedTexts) -> None:
        rows = np.arange(len(self), len(self) + len(places))
        row_of = np.full(len(ids), -1)
        row_of[places] = rows
        mine = row_of[batch.owners] >= 0
        keys, names = batch.keys[places].ravel(), [ids[at] for at in places]
        entries: dict[By, Entries] = {
            "keys": Entries(keys, np.repeat(rows, batch.keys.shape[1]), len(keys)),
            "names": Entries(text_digests(names), rows, len(rows)),
            "prints": Entries(batch.prints[mine], row_of[batch.owners[mine]], int(mine.sum())),
        }
        self._texts.add(entries, batch.texts.at(places))
        self._ids.append(names)


def _match(found: Alike, at: int, row_id: str, place: int | None = None) -> NearMatch:
    """The match that a pair is. `row_id`: of the one held."""
    share = float(found.share[at])
    if found.contained[at]:
        return NearMatch(row_id, 0.0, exact=False, place=place, contained=share)
    return NearMatch(row_id, share, bool(found.exact[at]), place)


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
