"""`@table_step`: work on a whole table at once (a bootstrap loop, deduplication), under the same laws.

@table_step(reads=Instructions, writes=Instructions)
async def bootstrap(rows: list[Row], models: Models, params: Bootstrap) -> Made: ...
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Generic

import polars as pl

from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.loop import run_in_loop
from tasks.engine.row import Loss, Row
from tasks.engine.shard import Fate, Outcome, input_fates, outcome_of
from tasks.engine.technique import P
from tasks.errors import Interrupted
from tasks.schemas import Rows

if TYPE_CHECKING:
    from tasks.engine.process import Roles, Settings


@dataclass(slots=True)
class Made:
    """What a table step made: rows (each names its parents), rejects by the id of an input row, and losses of any row."""

    rows: list[Row]
    rejects: dict[str, Loss] = field(default_factory=dict)
    losses: list[tuple[Row, Loss]] = field(default_factory=list)


TableFunction = Callable[[list[Row], Models, P], Awaitable[Made]]


@dataclass(frozen=True)
class TableStep(Generic[P]):
    """A table function with the schemas of what it reads and writes."""

    name: str
    function: TableFunction[P]
    reads: type[Rows]
    writes: type[Rows]

    def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str]]:
        """It goes to another process by its name."""
        return resolve_name, (f"{self.function.__module__}:{self.function.__qualname__}",)

    async def __call__(self, rows: list[Row], models: Models, params: P) -> Made:
        """The plain function."""
        for row in rows:
            row.technique = self.name
        return await self.function(rows, models, params)

    def submit(self, tables: Sequence[Any], *, models: Roles, params: P, settings: Settings) -> Any:
        """Submit one Prefect task run over all tables (or futures of them); the future of the table that comes out."""
        from tasks.engine.orchestrate import submit_table_step

        return submit_table_step(self, tables, models, params, settings)


def table_step(*, reads: type[Rows], writes: type[Rows]) -> Callable[[TableFunction[P]], TableStep[P]]:
    """Make a table step of a table function."""

    def decorate(function: TableFunction[P]) -> TableStep[P]:
        return TableStep(function.__name__, function, reads, writes)

    return decorate


def run_table_step(step: TableStep[P], frame: pl.DataFrame, models: Models, params: P, context: Context, *,
                   epochs: Mapping[str, int] | None = None) -> Outcome:  # fmt: skip
    """Run a step over a frame. A stop or a spent budget leaves all its rows pending.

    Raises PermanentError where a model has refused everything alike.
    """
    fates = input_fates(frame, step.reads, context, 0, epochs or {})
    live = [fate.row for fate in fates if fate.reject is None]
    context.tally.rows_in[step.name] += len(fates)
    try:
        made = run_in_loop(step(live, models, params))
    except Interrupted:
        return _all_pending(fates, step, frame)
    if verdict := context.refused_alike():
        raise verdict
    for fate in fates:
        fate.reject = fate.reject or made.rejects.get(fate.row.row_id)
    outcome = outcome_of(fates, step.name, step.writes, frame, made.rows, made.losses)
    context.tally.rows_done[step.name] += len(fates)
    context.tally.refused(step.name, Counter(outcome.rejects["reason"].to_list()))
    return outcome


def _all_pending(fates: list[Fate], step: TableStep[Any], frame: pl.DataFrame) -> Outcome:
    outcome = outcome_of([], step.name, step.writes, frame.clear())
    outcome.pending = len(fates)
    return outcome
