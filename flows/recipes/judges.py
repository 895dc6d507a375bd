"""What the steps of a recipe need of judges, checked before anything is paid for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flows.recipes.recipe import Step
from tasks.engine.technique import Params, Technique
from tasks.errors import ConfigError
from tasks.judge.calibration import OF_POOLS, SCORED_IN, Calibrate
from tasks.judge.panel import check_panel
from tasks.models.config import Roles
from tasks.seeds.batches import Source
from tasks.seeds.known_formats import JOIN, PAIR, Reading
from tasks.seeds.sources import open_source
from tasks.text.prompts import Prompts


def check_judges(steps: Sequence[tuple[Step, Params]], prompts: Prompts, models: Roles) -> None:
    """Raise ConfigError where a step needs more judges than there are, or prompts that the run's set does not have."""
    judges = len(models.get("judge") or models.get("generator", ()))  # curation may have an embedder alone
    for step, params in steps:
        if (least := getattr(params, "min_judges", None)) is not None:
            check_panel(least, judges, f"{step.name}.min_judges")
        if params.needs_role and len(models.get(params.needs_role, ())) != 1:
            found = ", ".join(model.name for model in models.get(params.needs_role, ())) or None
            fix = f"give roles.{params.needs_role} one model of this kind"
            raise ConfigError(f"{step.name} needs one {params.needs_role} model", found, fix)
        params.check_models(models)
        folder = step.prompts if isinstance(step, Technique) else ""
        for one in prompts.each if folder else ():
            if folder not in one.techniques():
                where = f"{one.set}/{one.language}"
                raise ConfigError(f"these prompts have none for {step.name}", where, "give --set prompt_set=full")


def judging(steps: Sequence[tuple[Step, Params]]) -> list[tuple[Technique[Any], Params]]:
    """The steps in which answers are judged."""
    names = {*OF_POOLS, *SCORED_IN}
    return [(step, params) for step, params in steps if step.name in names and isinstance(step, Technique)]


def pairs_of_people(told: Calibrate) -> Source:
    """The pairs that judges are measured by. Raises ConfigError where the file holds none."""
    source = open_source(told.pairs, reading=Reading(pools=True))
    if source.columns.get("responses") != JOIN.join(PAIR):
        fix = "each record needs a prompt, `chosen` and `rejected`"
        raise ConfigError("these are no preference pairs", told.pairs, fix)
    return source


def check_calibration(told: Calibrate, steps: Sequence[tuple[Step, Params]]) -> None:
    """Raise ConfigError where there is no judge to be measured, or no pairs to measure it by."""
    if not judging(steps):
        names = ", ".join(step.name for step, _ in steps)
        raise ConfigError("calibrate needs a step that judges", names, "switch on curate.rate, or leave calibrate out")
    pairs_of_people(told)
