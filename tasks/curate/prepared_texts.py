"""Texts ready to be compared with others: their shingles, bands and fingerprints, and which pairs of them are alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from tasks.text.near.fingerprints import fingerprints
from tasks.text.near.hashed import Numbers, Positions, ends_of, hashed, mixed, numbers_of
from tasks.text.near.jaccard import jaccard, shared_sizes
from tasks.text.near.minhash import band_keys, bands_for
from tasks.text.near.shingles import ShingleSets, figures, shingle_sets_of
from tasks.text.responses import normalised

CONTAINED = 0.95  # of the shingles of the smaller set, from which on its text stands within the other


@dataclass(frozen=True, slots=True)
class Likeness:
    """When two texts are alike: `threshold`, the Jaccard of their shingles from which on; `same_figures`, never with other
    numbers in them; `contained`, also where one stands within the other."""

    threshold: float
    same_figures: bool = True
    contained: bool = False


@dataclass(frozen=True, slots=True)
class Alike:
    """Pairs that are alike: `new`, a position in a batch; `held`, a row. `share`: their Jaccard, or where one is
    `contained` in the other, how much of it is."""

    new: Positions
    held: Positions
    share: NDArray[np.float64]
    exact: NDArray[np.bool_]
    contained: NDArray[np.bool_]

    @classmethod
    def of(cls, parts: Sequence[Alike]) -> Alike:
        """All pairs, of each new text the likest first."""
        new, held, share, exact, contained = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("new", "held", "share", "exact", "contained")
        )
        order = np.lexsort([held, -share, contained, ~exact, new])
        return cls(new[order], held[order], share[order], exact[order], contained[order])


@dataclass(frozen=True, slots=True)
class Compared:
    """Texts to be compared: `exact`, a number each, and their shingles. `threshold`: the Jaccard from which on two are alike."""

    exact: Numbers
    sets: ShingleSets
    threshold: float

    def at(self, positions: Positions) -> Compared:
        """Some of them."""
        return Compared(self.exact[positions], self.sets.at(positions), self.threshold)

    def alike(self, others: ShingleSets, exact: Numbers, new: Positions, held: Positions) -> Alike:
        """Of pairs of one of these and another text those that are alike."""
        ours, theirs = self.sets.sizes[new], others.starts[held + 1] - others.starts[held]
        same = self.exact[new] == exact[held]
        # two sets of very different sizes cannot be alike
        near = same | (np.minimum(ours, theirs) >= self.threshold * np.maximum(ours, theirs))
        new, held, same = new[near], held[near], same[near]
        share = jaccard(self.sets, others, new, held)
        share[same] = 1.0
        good = share >= self.threshold
        return Alike(new[good], held[good], share[good], same[good], np.zeros(good.sum(), np.bool_))

    def contained(self, others: ShingleSets, new: Positions, held: Positions) -> Alike:
        """Of such pairs those of which one text stands within the other."""
        smaller = np.minimum(self.sets.sizes[new], others.starts[held + 1] - others.starts[held])
        share = shared_sizes(self.sets, others, new, held) / np.maximum(smaller, 1)
        good = share >= CONTAINED
        return Alike(new[good], held[good], share[good], np.zeros(good.sum(), np.bool_), good[good])


@dataclass(frozen=True, slots=True)
class PreparedTexts:
    """Texts ready to be looked up: `keys`, texts x (bands and the exact one), and their fingerprints: `prints`, and the text
    that each is of, `owners`, ascending."""

    texts: Compared
    keys: Numbers
    owners: Positions
    prints: Numbers

    @classmethod
    def of(cls, parts: Sequence[PreparedTexts]) -> PreparedTexts:
        """Several end to end."""
        firsts = ends_of([len(part.keys) for part in parts])
        sets = [part.texts.sets for part in parts]
        whole = ShingleSets(
            np.concatenate([one.marks for one in sets]), ends_of(np.concatenate([s.sizes for s in sets]))
        )
        texts = replace(parts[0].texts, exact=np.concatenate([part.texts.exact for part in parts]), sets=whole)
        owners = [part.owners + first for part, first in zip(parts, firsts[:-1], strict=True)]
        return cls(
            texts,
            np.concatenate([part.keys for part in parts]),
            np.concatenate(owners),
            np.concatenate([part.prints for part in parts]),
        )


def prepare_texts(texts: Sequence[str], likeness: Likeness) -> PreparedTexts:
    """The shingles, bands and fingerprints of texts."""
    said, bands = hashed(texts), bands_for(likeness.threshold)
    sets = shingle_sets_of(said)
    plain = [normalised(text) for text in texts]
    exact = text_digests(plain)
    keys = band_keys(sets, bands)
    owners, prints = fingerprints(said) if likeness.contained else (np.zeros(0, np.int64), np.zeros(0, np.uint64))
    if likeness.same_figures:
        of_figures = text_digests([figures(text) for text in plain])
        keys = mixed(keys ^ of_figures[:, None])
        prints = mixed(prints ^ of_figures[owners])
    wordless = sets.sizes == 0  # such a text is like its equals alone
    keys[wordless] = exact[wordless, None] + numbers_of(bands.count, 6)
    return PreparedTexts(Compared(exact, sets, likeness.threshold), np.column_stack([exact, keys]), owners, prints)


def text_digests(texts: Sequence[str]) -> Numbers:
    """A number for each text, the same for equal ones."""
    digests = (blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest() for text in texts)
    return np.frombuffer(b"".join(digests), np.uint64).copy()
