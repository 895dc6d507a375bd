"""RDS+: the rows that are most similar to those of a target set, each row of that in turn.

Ivison et al. 2025 (arXiv:2503.01807), section 3: every target row ranks the pool by cosine similarity of embeddings, and they
take turns, each with the next row of its own ranking. A turn whose row is chosen already passes. The paper embeds with the
model that is to be trained, by a mean over its tokens with weights that grow with their position: `pooling: weighted`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tasks.curate.selection.pool import Indices, Selection, SelectionPool, Selector, Vectors
from tasks.engine.row import Loss

TARGETS_AT_ONCE = 64  # rows of the target set, for one block of similarities
DEEPER = 4  # how much further a ranking is looked at where its first rows are all chosen


def targeted(target: SelectionPool) -> Selector:
    """The selector for a target set of at least one row with an embedding. Those that compare with nothing are left out."""
    assert target.vectors is not None and len(target.fit), "a target set has embeddings"
    return partial(_select, target=target.vectors[target.fit])


def _select(pool: SelectionPool, most: int, *, target: Vectors) -> Selection:
    """The rows that the target rows choose in turn, `most` at most."""
    assert pool.vectors is not None, "a selection by a target set takes embeddings"
    fit, gone = pool.fit, dict(pool.gone)
    fit = fit[np.argsort(np.array([pool.ids[at] for at in fit], dtype=np.str_), kind="stable")]
    vectors = pool.vectors[fit]
    nearest = np.full(len(fit), -np.inf, np.float32)
    depth = min(len(fit), DEEPER * -(-most // max(1, len(target))))
    while True:
        rankings = (
            np.concatenate(list(_rankings(vectors, target, depth, nearest))) if len(fit) else np.zeros((0, 0), int)
        )
        chosen = _in_turn(rankings, most)
        if len(chosen) == min(most, len(fit)) or depth == len(fit):
            break
        depth = min(len(fit), DEEPER * depth)
    ids = [pool.ids[fit[at]] for at in chosen]
    others = np.setdiff1d(np.arange(len(fit)), chosen)
    gone |= {
        pool.ids[fit[at]]: Loss("filtered", "not_selected", f"similarity {nearest[at]:.3f} to the target")
        for at in others
    }
    return Selection(ids, gone)


def _rankings(vectors: Vectors, target: Vectors, depth: int, nearest: NDArray[np.float32]) -> Iterator[Indices]:
    """For each target row the places of the `depth` most similar vectors, best first; `nearest` gets the best of each vector."""
    for begin in range(0, len(target), TARGETS_AT_ONCE):
        similar = target[begin : begin + TARGETS_AT_ONCE] @ vectors.T
        np.maximum(nearest, similar.max(axis=0), out=nearest)
        yield np.argsort(-similar, axis=1, kind="stable")[:, :depth]


def _in_turn(rankings: Indices, most: int) -> Indices:
    """The places that come first when each ranking gives its next one in turn, each once, `most` at most."""
    turns = rankings.T.ravel()
    _, first = np.unique(turns, return_index=True)
    return turns[np.sort(first)[:most]]
