"""One shard, a table of rows through one technique, or a whole table through a table step: where each row went.

Pure of Prefect and of files: a frame in, an `Outcome` of frames out. The laws are held here.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import polars as pl

from tasks.column_types import with_turns_of
from tasks.engine.admission import Admission
from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.loop import run_in_loop
from tasks.engine.row import Call, Loss, Row
from tasks.engine.table_step import TableStep
from tasks.engine.technique import P, Technique
from tasks.engine.validate import Schema, schema_dtypes, validate
from tasks.errors import Interrupted, RowLoss
from tasks.storage.digest import canonical
from tasks.storage.tables import PROVENANCE, REJECTS, column_of


@dataclass(slots=True)
class Outcome:
    """What became of a table. `pending` counts rows that a stop or a budget left unfinished: it is never cached then."""

    rows: pl.DataFrame
    rejects: pl.DataFrame
    losses: pl.DataFrame
    provenance: pl.DataFrame
    pending: int = 0


@dataclass(slots=True)
class Fate:
    """What became of one row: children, or a reject, or neither (pending)."""

    row: Row
    children: list[Row] = field(default_factory=list)
    reject: Loss | None = None


class LostRows(AssertionError):
    """Law 1 is broken: rows went in and are accounted for nowhere. A bug, never data."""


@dataclass(frozen=True, slots=True)
class Place:
    """A shard among those of its step. `order`: its age, smaller is older; `shards`: how many the step has, 0: not known."""

    order: int = 0
    shards: int = 0


def run_shard(
    technique: Technique[P],
    frame: pl.DataFrame,
    models: Models,
    params: P,
    context: Context,
    *,
    admission: Admission,
    place: Place = Place(),
    epochs: Mapping[str, int] | None = None,
) -> Outcome:
    """Run every row of a frame through a technique, as many at once as are admitted.

    Called from any thread but the loop's: tables are read, checked and built here, only the rows live in the loop.
    `epochs`: how often a row has failed here before. Raises PermanentError at the end of the step where a model has refused everything alike.
    """
    fates = input_fates(frame, technique.reads, context, place.order, epochs or {})
    live = [fate for fate in fates if fate.reject is None]
    context.accounting.tally.rows_in[technique.name] += len(fates)

    async def one(fate: Fate) -> None:
        await _run_row(fate, technique, models, params)
        context.accounting.tally.rows_done[technique.name] += 1

    run_in_loop(_all(live, one, admission, place.order, context))
    context.shards_ended[technique.name] += 1
    if context.shards_ended[technique.name] == place.shards and (verdict := context.refused_alike()):
        raise verdict
    outcome = outcome_of(fates, technique.name, technique.writes, frame)
    context.accounting.tally.refused(technique.name, Counter(outcome.rejects["reason"].to_list()))
    return outcome


async def _run_row(fate: Fate, technique: Technique[P], models: Models, params: P) -> None:
    try:
        fate.children = await technique(fate.row, models, params)
        if not fate.children:
            fate.reject = Loss("failed", "no_rows", "the technique made nothing of this row")
    except RowLoss as loss:
        fate.reject = Loss.of(loss)
    except Interrupted:
        fate.children = []


async def _all(
    fates: Iterable[Fate], work: Callable[[Fate], Any], admission: Admission, order: int, context: Context
) -> None:
    """Run `work` on all that are admitted; the first bug or permanent error ends the others."""
    under_way: set[asyncio.Task[None]] = set()
    errors: list[BaseException] = []

    def ended(task: asyncio.Task[None]) -> None:
        admission.leave()
        under_way.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            errors.append(error)

    try:
        for fate in fates:
            if errors or context.stop.is_set():
                break
            await admission.enter(order)
            if errors:  # the place came from a row that has just ended in one
                admission.leave()
                break
            task = asyncio.create_task(work(fate))
            under_way.add(task)
            task.add_done_callback(ended)
        while under_way and not errors:
            await asyncio.wait(under_way, return_when=asyncio.FIRST_EXCEPTION)
            await asyncio.sleep(0)  # let `ended` see the last of them
    finally:
        for task in tuple(under_way):
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
    if errors:
        raise errors[0]


def input_fates(
    frame: pl.DataFrame, reads: Schema, context: Context, order: int, epochs: Mapping[str, int]
) -> list[Fate]:
    """A fate for each row of a frame, in order; rows that fail the schema are rejects already."""
    _, faults = validate(frame, reads)
    fates = []
    for position, columns in enumerate(frame.iter_rows(named=True)):
        row_id = columns["row_id"]
        row = Row(row_id, columns, run_seed=context.run_seed, epoch=epochs.get(row_id, 0), order=order)
        reject = Loss("failed", "invalid_input", faults[position]) if position in faults else None
        fates.append(Fate(row, reject=reject))
    return fates


def outcome_of(
    fates: Sequence[Fate],
    technique: str,
    writes: Schema,
    frame: pl.DataFrame,
    made: Sequence[Row] | None = None,
    more_losses: Sequence[tuple[Row, Loss]] = (),
) -> Outcome:
    """The frames of an outcome, in the order of the parents; validated, and counted against law 1."""
    positions = None if made is not None else [at for at, fate in enumerate(fates) for _ in fate.children]
    children = [child for fate in fates for child in fate.children] if made is None else list(made)
    rows, faults = validate(frame_of(children, frame, writes, positions), writes)
    good = [child for position, child in enumerate(children) if position not in faults]
    _reject_barren(fates, children, faults, good)
    ended = [fate for fate in fates if fate.children or fate.reject] if made is None else fates
    pending = len(fates) - len(ended)
    _hold_law_one(fates, good, pending)
    calls = {fate.row.row_id: fate.row.calls for fate in fates}
    losses = [(fate.row, loss) for fate in ended for loss in fate.row.losses] + list(more_losses)
    return Outcome(
        rows,
        _rejects([(fate.row, fate.reject) for fate in fates if fate.reject], technique),
        _rejects(losses, technique),
        _provenance(
            [(child, asked) for child in good if (asked := _calls_behind(child, calls)) or _is_new(child)], technique
        ),
        pending,
    )


def _reject_barren(
    fates: Sequence[Fate], children: Sequence[Row], faults: Mapping[int, str], good: Sequence[Row]
) -> None:
    """A child that fails its schema is a loss of its parent; a parent left without any is a reject."""
    if not faults:
        return
    by_id = {fate.row.row_id: fate for fate in fates}
    alive = {parent for child in good for parent in child.parents}
    for position, fault in faults.items():
        child = children[position]
        loss = Loss("failed", "invalid_output", fault, raw=orjson.dumps(dict(child.changes), default=str).decode())
        for parent in child.parents:
            if (fate := by_id.get(parent)) is None:
                continue
            if parent in alive:
                fate.row.losses.append(loss)
            else:
                fate.reject, fate.children = loss, []


def _hold_law_one(fates: Sequence[Fate], good: Sequence[Row], pending: int) -> None:
    parents = {parent for child in good for parent in child.parents}
    accounted = sum(1 for fate in fates if fate.reject or fate.row.row_id in parents)
    twice = sum(
        1
        for fate in fates  # a repeated id is a reject by itself, beside the row that came first
        if fate.reject and fate.reject.reason != "invalid_input" and fate.row.row_id in parents
    )
    if twice or accounted + pending != len(fates):
        raise LostRows(f"{len(fates)} rows in, {accounted} accounted for, {pending} pending, {twice} twice")


def frame_of(
    children: Sequence[Row], frame: pl.DataFrame, writes: Schema, positions: Sequence[int] | None
) -> pl.DataFrame:
    """Children as a table: the parents' columns, then what is new; types from the schema, else from the parents.

    `positions` of the parents in `frame`, one for each child, where every child has one there: columns that no child
    changed are then taken from it as they stand.
    """
    changed = set().union(*(child.changes for child in children))
    dtypes = dict(frame.schema) | with_turns_of(schema_dtypes(writes), frame.schema.get("messages"))
    dtypes |= {name: None for name in sorted(changed) if name not in dtypes}  # no schema names it: polars infers
    columns = [pl.Series("row_id", [child.row_id for child in children], dtype=pl.String)]
    for name, dtype in dtypes.items():
        if name == "row_id":
            continue
        if positions is not None and name not in changed and frame.schema.get(name) == dtype:
            columns.append(frame[name].gather(list(positions)))
        else:
            columns.append(column_of(name, [child.columns.get(name) for child in children], dtype))
    return pl.DataFrame(columns)


def _calls_behind(row: Row, calls: Mapping[str, Sequence[Call]]) -> Sequence[Call]:
    """What was asked for a row, or about it: its own calls, else its first parent's."""
    return row.calls or calls.get(row.parents[0], ())


def _is_new(row: Row) -> bool:
    """Whether a row was made here: one that a filter has kept has no origin but its own."""
    return row.row_id not in row.parents


def _rejects(pairs: Sequence[tuple[Row, Loss]], technique: str) -> pl.DataFrame:
    records = [
        (row.row_id, x.kind, x.reason, x.detail, technique, x.attempts, x.raw, canonical(dict(row.columns)).decode())
        for row, x in pairs
    ]
    return pl.DataFrame(records, schema=REJECTS, orient="row")


def _provenance(pairs: Sequence[tuple[Row, Sequence[Call]]], technique: str) -> pl.DataFrame:
    """A line for each call behind each row, in a fixed order; a row made without a call has one line without one."""
    lines: list[tuple[Any, ...]] = []
    for child, calls in pairs:
        about = (child.row_id, list(child.parents), technique)
        if not calls:
            lines.append((*about, *([None] * (len(PROVENANCE) - 3))))
        lines.extend(
            (*about, *call, None) for call in sorted(calls, key=lambda call: (call.template, call.sample, call.role))
        )
    columns = zip(*lines, strict=True) if lines else [()] * len(PROVENANCE)
    named = zip(PROVENANCE.items(), columns, strict=True)
    return pl.DataFrame([column_of(name, values, dtype) for (name, dtype), values in named])


def run_table_step(
    step: TableStep[P],
    frame: pl.DataFrame,
    models: Models,
    params: P,
    context: Context,
    *,
    epochs: Mapping[str, int] | None = None,
) -> Outcome:
    """Run a step over a frame. A stop or a spent budget leaves all its rows pending.

    Raises PermanentError where a model has refused everything alike.
    """
    fates = input_fates(frame, step.reads, context, 0, epochs or {})
    live = [fate.row for fate in fates if fate.reject is None]
    context.accounting.tally.rows_in[step.name] += len(fates)
    try:
        made = run_in_loop(step(live, models, params))
    except Interrupted:
        return _all_pending(fates, step, frame)
    if verdict := context.refused_alike():
        raise verdict
    for fate in fates:
        fate.reject = fate.reject or made.rejects.get(fate.row.row_id)
    outcome = outcome_of(fates, step.name, step.writes, frame, made.rows, made.losses)
    context.accounting.tally.rows_done[step.name] += len(fates)
    context.accounting.tally.refused(step.name, Counter(outcome.rejects["reason"].to_list()))
    return outcome


def _all_pending(fates: list[Fate], step: TableStep[Any], frame: pl.DataFrame) -> Outcome:
    outcome = outcome_of([], step.name, step.writes, frame.clear())
    outcome.pending = len(fates)
    return outcome
