"""`@technique`: an async function from one row to the rows it becomes.

    @technique(reads=Instructions, writes=Responses)
    async def text_generation(row: Row, models: Models, params: TextGeneration) -> list[Row]: ...

Called with a row and models it is the plain function; in a flow `.map(tables, models=..., params=...)` runs it as one
Prefect task a shard.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from tasks.engine.ask import Models
from tasks.engine.row import Row

if TYPE_CHECKING:
    from tasks.engine.process import Roles, Settings
    from tasks.schemas import Rows


class Params(BaseModel):
    """What a technique can be told. Subclasses add fields with descriptions: they become the form in the Prefect UI."""

    model_config = ConfigDict(frozen=True, extra="forbid")


P = TypeVar("P", bound=Params)
RowFunction = Callable[[Row, Models, P], Awaitable[list[Row]]]


@dataclass(frozen=True)
class Technique(Generic[P]):
    """A row function with the schemas of what it reads and writes. `name` is the function's; its prompts lie under it."""

    name: str
    function: RowFunction[P]
    reads: type[Rows]
    writes: type[Rows]

    def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str]]:
        """It goes to another process by its name."""
        return resolve_name, (f"{self.function.__module__}:{self.function.__qualname__}",)

    async def __call__(self, row: Row, models: Models, params: P) -> list[Row]:
        """The plain function on one row: no ledger beyond what `models` has, no validation. Errors are raised."""
        row.technique = self.name
        return await self.function(row, models.at(row), params)

    def map(self, tables: Sequence[Any], *, models: Roles, params: P, settings: Settings) -> list[Any]:
        """Submit one Prefect task run a table (or future of one); the futures of the tables that come out, in order."""
        from tasks.engine.orchestrate import map_technique

        return map_technique(self, tables, models, params, settings)


def technique(*, reads: type[Rows], writes: type[Rows]) -> Callable[[RowFunction[P]], Technique[P]]:
    """Make a technique of a row function."""

    def decorate(function: RowFunction[P]) -> Technique[P]:
        return Technique(function.__name__, function, reads, writes)

    return decorate
