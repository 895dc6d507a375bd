"""What the steps of a recipe need of the seeds and of the run's languages, checked before anything is paid for."""

from __future__ import annotations

from collections.abc import Container, Sequence

from flows.recipes.recipe import Step
from tasks.engine.technique import Params
from tasks.engine.validate import schema_columns
from tasks.errors import ConfigError
from tasks.text.prompts import Prompts
from tasks.verify.sandbox.choose import sandbox


def check_languages(steps: Sequence[tuple[Step, Params]], prompts: Prompts) -> None:
    """Raise ConfigError for what a step cannot do in one of the languages."""
    for _, params in steps:
        params.check_in([one.language for one in prompts.each])


def check_columns(steps: Sequence[tuple[Step, Params]], columns: Container[str]) -> None:
    """Raise ConfigError where a step needs a column that neither the seeds have nor a step before it makes."""
    made: set[str] = set()
    for step, params in steps:
        needed = params.needs_column
        if needed and needed not in made and needed not in columns:
            fix = f"map the column that has it: --column {needed}=NAME"
            raise ConfigError(f"{step.name} needs rows with a column", needed, fix)
        made |= schema_columns(step.writes)


def check_sandbox(steps: Sequence[tuple[Step, Params]]) -> None:
    """Raise ConfigError where programs of models would be run, and this machine has no sandbox for them."""
    if any(params.runs_code for _, params in steps):
        sandbox()


def says_language(steps: Sequence[tuple[Step, Params]], prompts: Prompts) -> bool:
    """Whether a step says in which language it asks."""
    asks = set(prompts.each[0].techniques())
    return any(step.name in asks or params.says_language for step, params in steps)
