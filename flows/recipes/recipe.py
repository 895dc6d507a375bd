"""`@recipe`: a function that sends tables through techniques, one after the other.

    @recipe("sft")
    def short(run: Steps, seeds: Tables) -> Tables:
        instructions = run.through(self_instruct, seeds)
        return run.through(text_generation, run.through(shorten, instructions))

Ours lie in `flows/recipes/sft` and `flows/recipes/dpo`, one file each, and are found by the file's name; a recipe of the
user's own is named as `FILE.py:NAME`. Nothing here needs Prefect: a flow, an estimate and a preview send rows through the
same recipes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import ValidationError

from tasks.curate.diversify import Diversify
from tasks.engine.table_step import TableStep
from tasks.engine.technique import Params, Technique
from tasks.errors import ConfigError, did_you_mean, first_fault
from tasks.own_code import absolute, is_own, load

Kind = Literal["sft", "dpo"]
RunKind = Literal["sft", "dpo", "curate"]
"""What a run makes: one of these, or of a dataset that is there the part that is good."""
SEEDS: Mapping[RunKind, str] = {"sft": "seeds", "dpo": "instructions", "curate": "records"}
"""What the first rows of a run are called."""
Tables = Sequence[Any]
"""Tables, or futures of them, in the order of their shards."""
Step = Technique[Any] | TableStep[Any]
RecipeSetting = str | list[str | dict[str, Any]]
"""How a recipe is named: by its name, as FILE.py:NAME, or as a list of steps."""
CHAIN = "chain"
ROOMS = ("generate", "judge", "curate")
"""Where techniques of ours lie in `tasks`."""


class Steps(Protocol):
    """A run under way, as a recipe sees it."""

    @property
    def options(self) -> Mapping[str, Any]:
        """What the recipe itself was told: `mode`, `start_from`."""

    def has(self, step: Step) -> bool:
        """Whether the user has said anything about a step: one that is optional is then taken."""

    def through(self, step: Technique[Any], tables: Tables, default: Params | None = None) -> Tables:
        """Send tables (or futures of them) through a technique, each on its own; the futures of what comes out.

        Its parameters are the user's; `default`: those of the recipe, where the user gives none.
        """

    def whole(self, step: TableStep[Any], tables: Tables, default: Params | None = None) -> Tables:
        """Send all tables through a table step, and wait; the tables of what comes out."""


RecipeFunction = Callable[[Steps, Tables], Tables]


@dataclass(frozen=True)
class Recipe:
    """A recipe by its name. `blank`: it begins with rows that hold nothing, since the model writes the first text itself.

    `diversify`: how its rows are chosen in the end, where the user says nothing of that; `curate`: likewise, sections of
    `curate`. `columns`: those of its rows that the dataset has beside the conversation. `seeds_optional`: without seeds
    it begins with blank rows.
    """

    name: str
    kind: RunKind
    function: RecipeFunction
    blank: bool = False
    diversify: Diversify | None = None
    columns: tuple[str, ...] = ()
    seeds_optional: bool = False
    curate: Mapping[str, Params] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """With the kind of dataset that it makes: "sft-evolved"."""
        return self.name if self.name == self.kind else f"{self.kind}-{self.name}"

    @property
    def about(self) -> str:
        """The first paragraph of its docstring, in one line."""
        return " ".join((self.function.__doc__ or "").split("\n\n")[0].split())


def recipe(
    kind: Kind,
    *,
    blank: bool = False,
    diversify: Diversify | None = None,
    columns: Sequence[str] = (),
    seeds_optional: bool = False,
    curate: Mapping[str, Params] | None = None,
) -> Callable[[RecipeFunction], Recipe]:
    """Make a recipe of a function, under the function's name."""

    def decorate(function: RecipeFunction) -> Recipe:
        return Recipe(function.__name__, kind, function, blank, diversify, tuple(columns), seeds_optional, curate or {})

    return decorate


@cache
def recipe_names(kind: Kind) -> tuple[str, ...]:
    """The recipes that come with this project."""
    return tuple(sorted(path.stem for path in (Path(__file__).parent / kind).glob("*.py") if path.stem != "__init__"))


def shown_choices(kind: Kind) -> dict[str, Any]:
    """How the form shows a recipe: one of ours to choose, else the name of the user's own, else a list of steps."""
    own = {"type": "string", "title": "your own", "pattern": r"\.py:\w+$"}
    steps = {"type": "array", "title": "a list of steps", "items": {}}
    return {"anyOf": [{"type": "string", "title": "one of ours", "enum": list(recipe_names(kind))}, own, steps]}


def load_recipe(kind: Kind, told: RecipeSetting) -> Recipe:
    """The recipe that the user names. Raises ConfigError where there is none of the name, or it is not one of this kind."""
    if not isinstance(told, str):
        return _chain(kind, told)
    found = load(told, "a recipe") if is_own(told) else _ours(kind, told)
    if not isinstance(found, Recipe):
        raise ConfigError("this is no recipe", told, f'put @recipe("{kind}") before the function')
    if found.kind != kind:
        raise ConfigError(f"this recipe makes another kind of dataset, {found.kind}", told, f"stillroom {found.kind}")
    return found


def load_step(name: str) -> Step:
    """A technique or table step, by the name of ours or as FILE.py:NAME. Raises ConfigError where there is none."""
    found = load(name, "a technique") if is_own(name) else _our_step(name)
    if not isinstance(found, Technique | TableStep):
        raise ConfigError("this is no technique", name, "put @technique(reads=..., writes=...) before the function")
    return found


def with_whole_paths(told: RecipeSetting) -> RecipeSetting:
    """The setting with the absolute path of each file of the user's own."""
    if isinstance(told, str):
        return str(_whole(told))
    return [_whole(link) if isinstance(link, str) else _with_whole_path(link) for link in told]


def _with_whole_path(link: dict[str, Any]) -> dict[str, Any]:
    return {name: _whole(value) if name == "step" else value for name, value in link.items()}


def _whole(name: Any) -> Any:
    return absolute(name) if isinstance(name, str) and is_own(name) else name


def recipe_name(told: RecipeSetting) -> str:
    """What a recipe is called, without looking for it."""
    return (told.rpartition(":")[2] if is_own(told) else told) if isinstance(told, str) else CHAIN


def _ours(kind: Kind, name: str) -> Any:
    names = recipe_names(kind)
    if name not in names:
        known = f"known: {', '.join(names)}; your own is FILE.py:NAME"
        raise ConfigError("no such recipe", name, did_you_mean(name, names, known))
    return getattr(import_module(f"flows.recipes.{kind}.{name}"), name)


@cache
def step_names() -> dict[str, str]:
    """The techniques and table steps that come with this project, with the module of each."""
    tasks = Path(__file__).parents[2] / "tasks"
    files = (path for room in ROOMS for path in sorted((tasks / room).rglob("*.py")))
    return {path.stem: ".".join(("tasks", *path.relative_to(tasks).with_suffix("").parts)) for path in files}


def _our_step(name: str) -> Any:
    modules = step_names()
    if name not in modules:
        raise ConfigError("no such step", name, did_you_mean(name, modules, "your own is FILE.py:NAME"))
    return getattr(import_module(modules[name]), name, None)


def _chain(kind: Kind, told: list[str | dict[str, Any]]) -> Recipe:
    """A plain chain: each step's tables go into the next."""
    if not told:
        raise ConfigError("the recipe has no step", None, "list at least one")
    steps = [_link(link) for link in told]

    def chain(run: Steps, seeds: Tables) -> Tables:
        """The steps that the config lists, one after the other."""
        for step, params in steps:
            seeds = run.whole(step, seeds, params) if isinstance(step, TableStep) else run.through(step, seeds, params)
        return seeds

    return Recipe(CHAIN, kind, chain)


def _link(link: str | Mapping[str, Any]) -> tuple[Step, Params | None]:
    if isinstance(link, str):
        return load_step(link), None
    if not isinstance(link.get("step"), str):
        raise ConfigError(
            "a step of the recipe has no name", dict(link), "write `- step: NAME`, its parameters beside it"
        )
    step = load_step(link["step"])
    told = {name: value for name, value in link.items() if name != "step"}
    return step, params_from(step, told) if told else None


def params_from(step: Step, told: Mapping[str, Any]) -> Params:
    """The parameters of a step from what the user says of it. Raises ConfigError, one line, where they do not fit."""
    try:
        params: Params = step.params(**told)
        return params
    except ValidationError as error:
        where, fault = first_fault(error)
        where = f"{step.name}.{where}" if where else step.name
        if fault["type"] == "extra_forbidden":
            known = ", ".join(step.params.model_fields)
            raise ConfigError("unknown option", where, f"known: {known}" if known else "it has none") from error
        raise ConfigError(f"bad value for {where}", repr(fault["input"]), fault["msg"]) from error


def laid_over(default: Params, told: Params) -> Params:
    """A recipe's parameters of a step, with what the user says of it over them.

    A form says all of them: of those only what is not the step's own default counts.
    """
    fields = type(told).model_fields
    said = min(fields.keys(), told.model_fields_set)
    partly = told.model_fields_set < fields.keys()
    return default.model_copy(
        update={
            n: getattr(told, n)
            for n in said
            if partly or getattr(told, n) != fields[n].get_default(call_default_factory=True)
        }
    )


@dataclass
class Outline:
    """Implements `Steps` without a run: which steps a recipe takes, in order, each with its default parameters.

    `edges`: which step's rows go to which, by number; step 1 is the first, 0 what the run begins with. `ends`: whose
    rows are the dataset.
    """

    options: Mapping[str, Any]
    has: Callable[[Step], bool]
    steps: list[tuple[Step, Params | None]] = field(default_factory=list)
    edges: list[tuple[int, int]] = field(default_factory=list)
    ends: Tables = ()

    def through(self, step: Step, tables: Tables, default: Params | None = None) -> Tables:
        """Note that the recipe takes this step. The result stands for its rows: the number of the step."""
        self.steps.append((step, default))
        self.edges += [(before, len(self.steps)) for before in tables]
        return [len(self.steps)]

    whole = through
