"""Rows drawn at random: what every selection has to be better than (arXiv:2503.01807 found that most are not)."""

from __future__ import annotations

from functools import partial

from tasks.curate.selection.pool import Selection, SelectionPool, Selector, not_selected
from tasks.storage.digest import uniform


def drawn(seed: int) -> Selector:
    """The selector that draws by the run's seed. A row is drawn or not by its id: the same in any order."""
    return partial(_draw, seed=seed)


def _draw(pool: SelectionPool, most: int, *, seed: int) -> Selection:
    chosen = sorted(pool.ids, key=lambda row_id: (uniform(seed, row_id, "diversify"), row_id))[:most]
    return Selection(chosen, not_selected(pool, set(chosen)))
