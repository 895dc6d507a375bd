"""The last step of a run's curation, where the config has one: the rows of the dataset are chosen out of a pool.

The pool is full before it begins: what a budget has left short is not chosen from. Rows of the dataset that a run adds to
stay, and turn out those that are like them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from flows.runs.run import Run
from tasks.curate.diversify import DIVERSIFY, OF_THE_PAPER, WITHOUT_CALIBRATION, Diversify, pool_of
from tasks.curate.embed import embed
from tasks.engine.row import Loss
from tasks.engine.sieve import without
from tasks.engine.technique import Technique
from tasks.models.config import EMBEDDER
from tasks.notices import tell
from tasks.publish.changes import id_column
from tasks.storage.digest import canonical, digest
from tasks.storage.tables import Table, sidecar, write_table

if TYPE_CHECKING:
    from tasks.curate.selection.pool import SelectionPool

STEP, TARGET, HELD = DIVERSIFY, "diversify_target", "diversify_held"
READ_AT_ONCE = 1000
GROWS_BY = 2  # a pool that gives too few rows grows by a half, or by what is missing where that is more
NOT_COMPARED = ("embedding",)


def select(run: Run, params: Diversify, tables: Sequence[Table], until: Callable[[int], list[Table]]) -> list[Table]:
    """The tables with the rows that are chosen; of a pool that a budget has cut short none is, and all are pending.

    Where too many are too similar for the number, the pool is made larger, and all is chosen anew. `until`: gives the
    tables of more candidates, until there are so many in all; none where there are no more.
    """
    wanted, held = params.pool, HeldRows(run, params)
    pool_tables: list[Table] = []
    while True:
        if params.embeds and tables and not run.context.accounting.is_cut:
            run.through(embed, tables)
            tables = run.settled()
        pool_tables += tables
        if run.context.accounting.is_cut:
            return waiting(run, STEP, pool_tables)
        made, missing = _chosen(run, params, pool_tables, held)
        more = [] if wanted is None or not missing else until(wanted := wanted + max(missing, wanted // GROWS_BY))
        if not more:
            break
        tables = more
    there = sum(table.rows for table in pool_tables)
    if params.pool is not None and there < params.pool:
        tell(f"curate.diversify: {there:,} of {params.pool:,} candidates, since there are no more")
    return made


def _chosen(run: Run, params: Diversify, tables: Sequence[Table], held: HeldRows) -> tuple[list[Table], int]:
    """The tables with what is chosen of the pool as it is, and how many rows are missing."""
    assert params.rows is not None, "the plan knows how many rows"
    staying = held.among(tables)
    frames = (table.read().filter(~pl.col("row_id").is_in(list(staying))) for table in tables)
    pool = pool_of(frames, embeds=params.embeds, scores=params.by == "deita", lengths=params.by == "longest")
    run.selection = {"by": params.by, "candidates": len(pool.ids)}
    if params.embeds:
        run.selection["embedder"] = run.plan.models[EMBEDDER][0].name
    threshold = _threshold(run, params, pool) if params.compares else None
    most = max(0, params.rows - len(staying))
    choice = params.selector(run.plan.seed, threshold, held.pool, held.target)(pool, most)
    run.selection["rows"] = len(choice.chosen)
    made = [left_of(table, choice.gone, STEP, run.settings.tables) for table in tables]
    run.select(STEP, made)
    return made, most - len(choice.chosen)


def left_of(table: Table, gone: Mapping[str, Loss], step: str, folder: str) -> Table:
    """The table with what a step leaves of it, without the columns that only served to choose. `gone`: of all tables."""
    frame = table.read().drop(NOT_COMPARED, strict=False)
    own = {row_id: gone[row_id] for row_id in frame["row_id"] if row_id in gone}
    return without(table, own, step, folder, frame=frame)


def waiting(run: Run, step: str, tables: Sequence[Table]) -> list[Table]:
    """The tables without a row, as a step leaves them: they are pending until the budget lets the pool become full."""
    left: list[Table] = []
    for table in tables:
        place = f"{run.settings.tables}/{step}/{digest(table.fingerprint, 'waiting', run.settings.run)}.parquet"
        frame = table.read().drop(NOT_COMPARED, strict=False)
        left.append(write_table(place, step, frame.clear(), {}, rows_in=frame.height, pending=frame.height))
    run.select(step, left)
    return left


def _threshold(run: Run, params: Diversify, pool: SelectionPool) -> float:
    """The similarity above which rows go: the user's, else calibrated on the pool, else the embedder's own. It is told."""
    assert run.selection is not None, "the selection is told of"
    threshold, about = similarity_threshold(run, STEP, params.threshold, pool)
    run.selection |= about
    return threshold


def similarity_threshold(
    run: Run, step: str, given: float | None, pool: SelectionPool
) -> tuple[float, dict[str, float]]:
    """The similarity above which rows go: what is given, else calibrated on the pool, else the embedder's own; its figures.

    It is told.
    """
    from tasks.curate.selection.calibration import FEWEST, calibrated

    embedder, about = run.plan.models[EMBEDDER][0].name, dict[str, float]()
    if given is not None:
        threshold, why = given, "as given"
    elif found := calibrated(pool, run.plan.seed):
        threshold = found.threshold
        why = f"calibrated: of {found.pairs:,} shuffled pairs half are below {found.median:.3f}, 99 % below {found.high:.3f}"
        about |= {"median": found.median, "high": found.high, "pairs": found.pairs}
    else:
        threshold = WITHOUT_CALIBRATION.get(embedder, OF_THE_PAPER)
        why = f"fewer than {FEWEST} rows, which is too few to calibrate it on"
    tell(f"curate.{step}: embedder {embedder}, rows above a similarity of {threshold:g} go ({why})")
    return threshold, {**about, "threshold": threshold}


class HeldRows:
    """Rows that are none of the run's own and that it is compared with: embedded once, when they are first asked for."""

    def __init__(self, run: Run, params: Diversify) -> None:
        self._run, self._params = run, params

    @cached_property
    def pool(self) -> SelectionPool | None:
        """The rows that the dataset keeps, None where the run makes all of it."""
        if not self._params.compares or not self._run.lineage.adds:
            return None
        return embedded(self._run, self._run.lineage.rows_that_stay(), HELD, embed)

    @cached_property
    def target(self) -> SelectionPool | None:
        """The rows to be like, None where the selector looks at none."""
        from tasks.seeds.sources import open_source

        frames = (frame for spec in self._params.target for frame in open_source(spec).batches(READ_AT_ONCE))
        return embedded(self._run, frames, TARGET, embed)

    def among(self, tables: Sequence[Table]) -> set[str]:
        """The ids of rows in these tables that were chosen before: the run heals one whose dataset others have added to."""
        if not (self._run.lineage.adds and self._run.lineage.retried):
            return set()
        ids = {row_id for frame in self._run.lineage.rows_that_stay() for row_id in names_of(frame, 0)}
        return ids & {row_id for table in tables for row_id in table.read(["row_id"])["row_id"]}


def embedded(run: Run, frames: Iterable[pl.DataFrame], name: str, step: Technique[Any]) -> SelectionPool | None:
    """The embeddings of rows that are none of the run's own, None where there are none. `step`: the one that makes them.

    They go through the step under ids that no row of the run has, and come out under their own.
    """
    tables: list[Table] = []
    names: dict[str, str] = {}
    for frame in frames:
        ids = [digest(name, len(names) + at) for at in range(frame.height)]
        own = names_of(frame, len(names))
        names |= dict(zip(ids, own, strict=True))
        place = f"{run.settings.tables}/{name}/{digest(*ids, canonical(frame.to_dicts()))}.parquet"
        rows = frame.with_columns(pl.Series("row_id", ids, dtype=pl.String))
        tables.append(sidecar(place) or write_table(place, name, rows, {}, rows_in=rows.height))
    if not tables:
        return None
    run.through(step, tables)
    done = run.settled(beside=True)
    pool = pool_of((table.read() for table in done), embeds=True, scores=False)
    return pool.named(names)


def names_of(frame: pl.DataFrame, first: int) -> list[str]:
    """What rows of other data are called: their ids, where they have none their numbers."""
    column = id_column(frame.columns)
    return frame[column].to_list() if column else [f"row {first + at + 1}" for at in range(frame.height)]
