"""`@table_step`: work on a whole table at once (a bootstrap loop, deduplication), under the same laws.

@table_step(reads="Instructions", writes="Instructions")
async def bootstrap(rows: list[Row], models: Models, params: Bootstrap) -> Made: ...
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, cast

from tasks.engine.ask import Models
from tasks.engine.row import Loss, Row
from tasks.engine.technique import P, by_name, params_of

if TYPE_CHECKING:
    from tasks.engine.validate import Schema


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
    reads: Schema
    writes: Schema

    @property
    def params(self) -> type[P]:
        """The type of its parameters, which the function names."""
        return cast(type[P], params_of(self.function))

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, ...]]:
        """It goes to another process by its name."""
        return by_name(self.function)

    async def __call__(self, rows: list[Row], models: Models, params: P) -> Made:
        """The plain function."""
        for row in rows:
            row.technique = self.name
        return await self.function(rows, models, params)


def table_step(*, reads: Schema, writes: Schema) -> Callable[[TableFunction[P]], TableStep[P]]:
    """Make a table step of a table function."""

    def decorate(function: TableFunction[P]) -> TableStep[P]:
        return TableStep(function.__name__, function, reads, writes)

    return decorate
