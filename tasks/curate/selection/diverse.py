"""Deita's selection: down the scores, each row kept that is not too similar to any row kept before it.

Liu et al. 2023 (arXiv:2312.15685), section 3.4. Comparisons go block by block, and against the kept rows alone: what is held
are the vectors, and one block of similarities. A similarity near the threshold is computed again in float64, so that what
is kept does not depend on how a machine multiplies matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tasks.curate.selection.pool import Selection, SelectionPool, Selector, Vectors, not_selected
from tasks.engine.row import Loss

BLOCK = 1024  # rows that are compared with those kept at once
KEPT_AT_ONCE = 8192  # of those kept, for one block of similarities
ROUNDING = 1e-5  # more than a similarity of unit vectors can be wrong by in float32


def diverse(threshold: float, held: SelectionPool | None = None) -> Selector:
    """The selector with this threshold. `held`: rows that stay in any case, before all others; they count for nothing else."""
    return partial(_select, threshold=threshold, held=held)


def _select(pool: SelectionPool, most: int, *, threshold: float, held: SelectionPool | None) -> Selection:
    """The best-scored rows, `most` at most, none with a cosine similarity above the threshold to one kept before it."""
    assert pool.scores is not None, "rows are taken by their scores"
    assert pool.vectors is not None, "rows are compared by embeddings"
    fit, gone = pool.fit, dict(pool.gone)
    kept = Kept(threshold, pool.vectors.shape[1])
    if held is not None and held.vectors is not None:
        kept.hold([held.ids[at] for at in held.fit], held.vectors[held.fit])
    order = fit[np.lexsort([np.array([pool.ids[at] for at in fit]), -pool.scores[fit]])]
    for begin in range(0, len(order), BLOCK):
        block = order[begin : begin + BLOCK]
        gone |= kept.take([pool.ids[at] for at in block], pool.vectors[block], most)
        if kept.chosen == most:
            break
    chosen = kept.ids[len(kept.ids) - kept.chosen :]
    return Selection(chosen, gone | not_selected(pool, {*chosen, *gone}))


class Kept:
    """The rows kept so far, in order: their ids, their unit vectors, and how many of them were chosen here."""

    def __init__(self, threshold: float, dimensions: int) -> None:
        self.ids: list[str] = []
        self.chosen = 0
        self._threshold = threshold
        self._vectors = np.empty((BLOCK, dimensions), np.float32)

    def hold(self, ids: Sequence[str], vectors: Vectors) -> None:
        """Keep these rows, whatever they are like."""
        needed = len(self.ids) + len(ids)
        if needed > len(self._vectors):
            grown = np.empty((max(needed, len(self._vectors) * 3 // 2), vectors.shape[1]), np.float32)
            grown[: len(self.ids)] = self._vectors[: len(self.ids)]
            self._vectors = grown
        self._vectors[len(self.ids) : needed] = vectors
        self.ids += ids

    def take(self, ids: Sequence[str], vectors: Vectors, most: int) -> dict[str, Loss]:
        """Keep those of the next rows that are like none before them, until `most` are chosen; why the others go."""
        gone = self._like_kept(ids, vectors)
        left = np.flatnonzero([row_id not in gone for row_id in ids])
        own = vectors[left]
        near = own @ own.T > self._threshold - ROUNDING
        accepted = np.zeros(len(left), np.bool_)
        for at in range(len(left)):
            if self.chosen + accepted.sum() == most:
                break
            before = np.flatnonzero(near[at, :at] & accepted[:at])
            match = self._first_above(own[at], own[before]) if len(before) else None
            if match is None:
                accepted[at] = True
            else:
                gone[ids[left[at]]] = _too_similar(ids[left[before[match[0]]]], match[1])
        self.chosen += int(accepted.sum())
        self.hold([ids[at] for at in left[accepted]], own[accepted])
        return gone

    def _like_kept(self, ids: Sequence[str], vectors: Vectors) -> dict[str, Loss]:
        """Those of the rows that are too similar to one kept, with the first of those."""
        gone: dict[str, Loss] = {}
        open_ = np.arange(len(ids))
        for begin in range(0, len(self.ids), KEPT_AT_ONCE):
            held = self._vectors[begin : min(begin + KEPT_AT_ONCE, len(self.ids))]
            near = vectors[open_] @ held.T > self._threshold - ROUNDING
            for at in map(int, np.flatnonzero(near.any(axis=1))):
                candidates = np.flatnonzero(near[at])
                match = self._first_above(vectors[open_[at]], held[candidates])
                if match is not None:
                    gone[ids[int(open_[at])]] = _too_similar(self.ids[begin + int(candidates[match[0]])], match[1])
            open_ = np.array([at for at in open_.tolist() if ids[at] not in gone], dtype=np.int64)
        return gone

    def _first_above(self, vector: Vectors, others: Vectors) -> tuple[int, float] | None:
        """The first of the others whose similarity to a vector is above the threshold, and the similarity."""
        exact = similarities(vector, others)
        above = np.flatnonzero(exact > self._threshold)
        return (int(above[0]), float(exact[above[0]])) if len(above) else None


def similarities(vector: Vectors, others: Vectors) -> NDArray[np.float64]:
    """Cosine similarities of a unit vector to others, in float64 and always in the same order of adding."""
    product = others.astype(np.float64) * vector.astype(np.float64)
    exact: NDArray[np.float64] = np.minimum(product.sum(axis=1), 1.0)
    return exact


def _too_similar(row_id: str, similarity: float) -> Loss:
    return Loss("filtered", "too_similar", f"{row_id}, similarity {similarity:.3f}")
