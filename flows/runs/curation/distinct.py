"""Duplicates among all rows of a run, where those before a row are not enough to tell: the best of a group stays, or embeddings
are compared (`curate.deduplicate.best_by`, `.similarity`).

It begins when there are rows enough, and begins anew where too few are left. What a budget has cut short waits. Rows of the
dataset that a run adds to or heals, and those of other data, come first and stay.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from flows.runs.curation.selection import embedded, left_of, names_of, similarity_threshold, waiting
from flows.runs.run import Run
from tasks.curate.deduplicate import CALIBRATED, Deduplicate, Deduplicator, numbered_rows
from tasks.curate.embed_prompt import embed_prompt
from tasks.curate.row_texts import asked_in
from tasks.models.config import EMBEDDER
from tasks.storage.tables import Table

if TYPE_CHECKING:
    from tasks.curate.ranked_prompts import RankedPrompts
    from tasks.curate.selection.pool import SelectionPool

STEP, HELD = Deduplicator.name, "deduplicate_held"


def without_duplicates(
    run: Run, params: Deduplicate, tables: Sequence[Table], more: Callable[[int], list[Table]]
) -> list[Table]:
    """The tables without duplicates; of what a budget has cut short no row, and all are pending.

    `more`: the tables of at least so many more candidates; none where there are no more.
    """
    wanted, others, pool = run.plan.rows, OtherRows(run, params), list[Table]()
    while True:
        if params.embeds and tables and not run.context.accounting.is_cut:
            run.through(embed_prompt, tables)
            tables = run.settled()
        pool += tables
        if run.context.accounting.is_cut:
            return waiting(run, STEP, pool)
        made = _left(run, params, pool, others)
        there, left = (sum(table.rows for table in some) for some in (pool, made))
        missing = 0 if wanted is None else wanted - left
        tables = more(math.ceil(missing * there / max(left, 1))) if missing > 0 else []
        if not tables:
            return made


def _left(run: Run, params: Deduplicate, tables: Sequence[Table], others: OtherRows) -> list[Table]:
    """The tables as they are without duplicates."""
    from tasks.curate.ranked_prompts import ranked_prompts

    frames = (table.read() for table in tables)
    held, buckets = run.lineage.rows_that_stay(), run.workers.open_buckets()
    found = ranked_prompts(params, frames, held, run.settings.home, buckets)
    if params.embeds:
        _drop_similar(run, params, tables, others, found)
    made = [left_of(table, found.gone, STEP, run.settings.tables) for table in tables]
    run.select(STEP, made)
    return made


def _drop_similar(
    run: Run, params: Deduplicate, tables: Sequence[Table], others: OtherRows, found: RankedPrompts
) -> None:
    """Take out what is too similar to a better one. Rows that stay in any case turn out others and are not turned out."""
    import numpy as np

    from tasks.curate.diversify import pool_of
    from tasks.curate.selection.pool import SelectionPool
    from tasks.curate.selection.too_similar import too_similar

    compared = {name for name in found.ranks if others.staying.isdisjoint(found.members[name])}
    frames = (table.read(["row_id", "embedding"]) for table in tables)
    frames = (frame.filter([row_id in compared for row_id in frame["row_id"]]) for frame in frames)
    pool = pool_of(frames, embeds=True, scores=False)
    ranks = np.array([-found.ranks[name] for name in pool.ids], np.float64)
    pool = SelectionPool(pool.ids, ranks, pool.vectors, pool.gone)
    given = None if params.similarity == CALIBRATED else params.similarity
    assert given is None or isinstance(given, float)
    threshold, about = similarity_threshold(run, STEP, given, pool)
    gone = too_similar(pool, threshold, [found.figures[name] for name in pool.ids], others.pool, others.figures)
    found.drop(gone)
    embedder = run.plan.models[EMBEDDER][0].name
    run.compared = {"embedder": embedder, "candidates": len(pool.ids), **about, "rows": len(pool.ids) - len(gone)}


class OtherRows:
    """Rows that stay in any case: of the dataset that the run adds to or heals, and of other data. Embedded once."""

    def __init__(self, run: Run, params: Deduplicate) -> None:
        self._run, self._params = run, params

    @cached_property
    def pool(self) -> SelectionPool | None:
        """Their embeddings, None where there are none."""
        return embedded(self._run, self._frames(), HELD, embed_prompt)

    @cached_property
    def figures(self) -> list[str]:
        """What has to be the same in them and in a prompt that is compared with them."""
        from tasks.curate.ranked_prompts import compared_by

        if self.pool is None:
            return []
        found: dict[str, str] = {}
        for frame in self._frames():
            names = names_of(frame, len(found))
            found |= dict(zip(names, compared_by(self._params, asked_in(frame)), strict=True))
        return [found[name] for name in self.pool.ids]

    @cached_property
    def staying(self) -> frozenset[str]:
        """The ids of the dataset's rows: the run heals some that come again."""
        frames = self._run.lineage.rows_that_stay()
        return frozenset(row_id for frame in frames if "row_id" in frame.columns for row_id in frame["row_id"])

    def _frames(self) -> Iterator[pl.DataFrame]:
        for spec in self._params.against:
            for names, frame in numbered_rows(spec):
                yield frame.with_columns(pl.Series("row_id", names, dtype=pl.String))
        yield from self._run.lineage.rows_that_stay()
