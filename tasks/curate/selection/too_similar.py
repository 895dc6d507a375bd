"""Rows that are too similar to a better one by their embeddings, compared within the rows of the same figures alone.

An embedding hardly sees a number: "What is 2 + 3?" and "What is 2 - 3?" are all but the same to it. So rows are told apart by
their numbers and mathematical signs first; those that have the same are compared as Deita compares (`diverse.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from tasks.curate.selection.diverse import diverse
from tasks.curate.selection.pool import SelectionPool
from tasks.engine.row import Loss


def too_similar(
    pool: SelectionPool,
    threshold: float,
    figures: Sequence[str],
    held: SelectionPool | None = None,
    held_figures: Sequence[str] = (),
) -> dict[str, Loss]:
    """Why rows of a pool go: those whose cosine similarity to a better-scored row that stays is above the threshold, and those
    whose embedding compares with nothing.

    `figures`: of each row what it has to have in common with another to be compared; `held`: rows that stay in any case.
    """
    assert pool.scores is not None, "rows are taken by their scores"
    assert pool.vectors is not None, "rows are compared by embeddings"
    gone, groups, others = dict(pool.gone), _places(figures), _places(held_figures)
    for figure, places in groups.items():
        beside = None if held is None or figure not in others else _part(held, others[figure])
        if len(places) > 1 or beside is not None:
            part = _part(pool, places)
            gone |= diverse(threshold, beside)(part, len(part.ids)).gone
    return gone


def _places(figures: Sequence[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for at, figure in enumerate(figures):
        found[figure].append(at)
    return found


def _part(pool: SelectionPool, places: Sequence[int]) -> SelectionPool:
    """Some rows of a pool."""
    if len(places) == len(pool.ids):
        return pool
    assert pool.vectors is not None, "rows are compared by embeddings"
    at, ids = np.array(places), [pool.ids[place] for place in places]
    gone = {row_id: pool.gone[row_id] for row_id in ids if row_id in pool.gone}
    return SelectionPool(ids, None if pool.scores is None else pool.scores[at], pool.vectors[at], gone)
