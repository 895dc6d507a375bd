"""The pool that a selector chooses from, and what it says of each row.

A selector is a function `(pool, most) -> Selection`. The order in which the rows of a pool lie changes nothing in what is
chosen: where two are equal, the lower row id goes first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tasks.engine.row import Loss

Vectors = NDArray[np.float32]
Scores = NDArray[np.float64]
Indices = NDArray[np.int64]
AT_ONCE = 4096  # rows whose lengths are computed in float64 together


@dataclass(frozen=True)
class SelectionPool:
    """Rows to choose from: `ids`, `scores` of shape (rows,), unit `vectors` of (rows, dimensions); None where none are needed.

    `gone`: the rows that cannot be chosen, each with the reason.
    """

    ids: Sequence[str]
    scores: Scores | None
    vectors: Vectors | None
    gone: Mapping[str, Loss]

    @classmethod
    def of(cls, ids: Sequence[str], scores: Scores | None = None, vectors: Vectors | None = None) -> SelectionPool:
        """The pool of these rows, whose vectors are brought to length 1 in place.

        A row without a score (NaN) cannot be chosen, nor one whose embedding compares with nothing.
        """
        gone: dict[str, Loss] = {}
        if scores is not None:
            for at in np.flatnonzero(~np.isfinite(scores)).tolist():
                gone[ids[at]] = Loss("filtered", "no_score", "there is no score to select it by")
        if vectors is not None:
            broken, zero = normalise(vectors)
            for places, reason, detail in (
                (broken, "embedding_not_finite", "the embedding holds NaN or infinity"),
                (zero, "embedding_zero", "the embedding is zero"),
            ):
                for at in np.flatnonzero(places).tolist():
                    gone.setdefault(ids[at], Loss("filtered", reason, detail))
        return cls(ids, scores, vectors, gone)

    def named(self, names: Mapping[str, str]) -> SelectionPool:
        """The same rows under other ids."""
        gone = {names[row_id]: loss for row_id, loss in self.gone.items()}
        return SelectionPool([names[row_id] for row_id in self.ids], self.scores, self.vectors, gone)

    @property
    def fit(self) -> Indices:
        """The places of the rows that can be chosen."""
        return np.flatnonzero([row_id not in self.gone for row_id in self.ids])


@dataclass(frozen=True)
class Selection:
    """The ids of the rows chosen, in the order in which they were, and why each of the others goes."""

    chosen: Sequence[str]
    gone: Mapping[str, Loss] = field(default_factory=dict)


Selector = Callable[[SelectionPool, int], Selection]
"""A pool, and how many of its rows to choose at most."""


def normalise(vectors: Vectors) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Bring vectors to length 1, in place and block by block: a large pool is not copied.

    Says which were not finite, and which were zero: both are zero now.
    """
    broken, zero = (np.zeros(len(vectors), dtype=np.bool_) for _ in range(2))
    for begin in range(0, len(vectors), AT_ONCE):
        block = slice(begin, begin + AT_ONCE)
        exact = vectors[block].astype(np.float64)
        broken[block] = ~np.isfinite(exact).all(axis=1)
        exact[broken[block]] = 0
        lengths = np.sqrt((exact * exact).sum(axis=1))
        zero[block] = (lengths == 0) & ~broken[block]
        exact /= np.where(lengths > 0, lengths, 1)[:, None]
        vectors[block] = exact
    return broken, zero


def not_selected(pool: SelectionPool, told: Set[str]) -> dict[str, Loss]:
    """Why the rows go of which nothing is `told`: the budget went to others."""
    return {
        row_id: Loss("filtered", "not_selected", "" if pool.scores is None else f"score {pool.scores[at]:.4g}")
        for at, row_id in enumerate(pool.ids)
        if row_id not in told
    }
