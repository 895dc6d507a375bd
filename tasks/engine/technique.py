"""`@technique`: an async function from one row to the rows it becomes.

    @technique(reads="Instructions", writes="Responses")
    async def text_generation(row: Row, models: Models, params: TextGeneration) -> list[Row]: ...

    @row_filter(reads="Rows")
    async def filters(row: Row, models: Models, params: Filters) -> None: ...

Called with a row and models it is the plain function; a flow sends it over tables as one Prefect task a shard
(`tasks/engine/prefect.py`).
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, get_type_hints

from pydantic import BaseModel, ConfigDict

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.errors import ConfigError
from tasks.own_code import load, name_of_own
from tasks.seeds.traces.conversation import TraceReading
from tasks.text.documents.chunks import Chunking

if TYPE_CHECKING:
    from tasks.engine.validate import Schema


class Params(BaseModel):
    """What a technique can be told. Subclasses add fields with descriptions: they become the form in the Prefect UI."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def rows_of_each(self) -> int:
        """Rows that come of one row, where nothing is refused."""
        return 1

    @property
    def files_digest(self) -> str:
        """The digest of files that fields name, which shape the rows as the fields do; "" where there are none."""
        return ""

    def blank_rows(self, lists: Mapping[str, Sequence[str]]) -> Sequence[dict[str, Any]]:  # noqa: ARG002 - subclasses use it
        """What stands in the rows that a run begins with, in turn, where it has no seeds.

        `lists`: the words that the run's prompts have for this technique (`lists.yaml`), by name.
        """
        return ({},)

    @property
    def row_languages(self) -> Collection[str]:
        """The languages that rows without seeds are made in, where the technique says so itself."""
        return ()

    @property
    def chunking(self) -> Chunking | None:
        """How documents that are seeds are cut into chunks, where the technique reads any."""
        return None

    @property
    def traces(self) -> TraceReading | None:
        """How logs of agents that are seeds are read, where the technique takes such."""
        return None

    @property
    def shares_texts(self) -> bool:
        """Whether several rows' prompts hold one long text, so that only equal ones ask the same."""
        return False

    @property
    def seed_columns(self) -> Mapping[str, Sequence[str]]:
        """Columns that the technique reads of seeds beside those that every run knows, and their names in files."""
        return {}

    @property
    def says_language(self) -> bool:
        """Whether the technique says in which language it asks, though it has no prompts."""
        return False

    @property
    def keeps_given_responses(self) -> bool:
        """Whether responses that seeds bring along are used."""
        return False

    @property
    def reads_constraints(self) -> bool:
        """Whether the constraints that a seed brings along are read."""
        return False

    @property
    def needs_column(self) -> str:
        """A column that the seeds have to bring along, unless an earlier step makes it; "" for none."""
        return ""

    def check_in(self, languages: Sequence[str]) -> None:
        """Raise ConfigError for what cannot be done in one of the run's languages, before anything is paid for."""

    @property
    def needs_role(self) -> str:
        """A role that has to have a model of its own, since the generator cannot play it; "" for none."""
        return ""

    def check_models(self, models: Mapping[str, Sequence[Any]]) -> None:
        """Raise ConfigError where the models of the roles that it asks will not do. `models`: their configs, by role."""

    @property
    def reads_references(self) -> bool:
        """Whether answers that seeds bring along are not to be trained on but to check others by: the column `reference`."""
        return False

    def check_seed(self, seed: Mapping[str, Any], where: str) -> None:
        """Raise ConfigError for a seed that the technique cannot work with, before anything is asked. `where`: of the file."""

    @property
    def runs_code(self) -> bool:
        """Whether programs that models have written are run: there has to be a sandbox."""
        return getattr(self, "verifier", None) == "tests"

    @property
    def reads_tests(self) -> bool:
        """Tests that seeds bring along are what programs are checked by."""
        return self.runs_code

    @property
    def makes_turn_of_columns(self) -> bool:
        """Whether a template of the user's makes the question, of the seeds' columns as they are."""
        return False


P = TypeVar("P", bound=Params)
RowFunction = Callable[[Row, Models, P], Awaitable[list[Row]]]
FilterFunction = Callable[[Row, Models, P], Awaitable[Mapping[str, Any] | None]]


@dataclass(frozen=True)
class Technique(Generic[P]):
    """A row function with the schemas of what it reads and writes. `name` is the function's; its prompts lie under it.

    `prompts`: the folder of its prompts, where that has another name, since several techniques ask with them.
    `is_filter`: it raises Filtered for a row that goes, and returns nothing, or columns with what it has found out about
    one that stays. All else of that is as it was, ids included.
    """

    name: str
    function: RowFunction[P] | FilterFunction[P]
    reads: Schema
    writes: Schema
    is_filter: bool = False
    prompts: str = ""

    @property
    def params(self) -> type[P]:
        """The type of its parameters, which the function names."""
        return cast(type[P], params_of(self.function))

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, ...]]:
        """It goes to another process by its name."""
        return by_name(self.function)

    async def __call__(self, row: Row, models: Models, params: P) -> list[Row]:
        """The plain function on one row: no ledger beyond what `models` has, no validation. Errors are raised."""
        row.technique = self.name
        made = await self.function(row, models.at(row), params)
        return [row.kept(**cast(Mapping[str, Any], made or {}))] if self.is_filter else cast(list[Row], made)


def params_of(function: Callable[..., Any]) -> type[Params]:
    """The type of a step's third argument. Raises ConfigError where it is not a subclass of Params."""
    names = list(inspect.signature(function).parameters)
    found = get_type_hints(function).get(names[2]) if len(names) > 2 else None
    if not (isinstance(found, type) and issubclass(found, Params)):
        raise ConfigError(
            "a step's third argument is its parameters", function.__name__, "params: a subclass of Params"
        )
    return found


def by_name(function: Callable[..., Any]) -> tuple[Callable[..., Any], tuple[str, ...]]:
    """How another process finds the step that was made of a function: as `pickle` wants it."""
    if (own := name_of_own(function)) is not None:
        return load, (own, "a technique")
    return resolve_name, (f"{function.__module__}:{function.__qualname__}",)


def technique(*, reads: Schema, writes: Schema, prompts: str = "") -> Callable[[RowFunction[P]], Technique[P]]:
    """Make a technique of a row function. `prompts`: the folder of its prompts, where it has not the function's name."""

    def decorate(function: RowFunction[P]) -> Technique[P]:
        return Technique(function.__name__, function, reads, writes, prompts=prompts)

    return decorate


def row_filter(
    *, reads: Schema, writes: Schema | None = None, prompts: str = ""
) -> Callable[[FilterFunction[P]], Technique[P]]:
    """Make a technique that decides whether a row stays, of a function that raises Filtered where it does not.

    `writes`: the schema with the columns that it returns, where it returns any; `prompts`: as with a technique.
    """

    def decorate(function: FilterFunction[P]) -> Technique[P]:
        return Technique(function.__name__, function, reads, writes or reads, is_filter=True, prompts=prompts)

    return decorate
