"""The recipes of a DPO dataset: which techniques instructions go through on their way to pairs.

Nothing here needs Prefect: a flow, an estimate and a preview send rows through the same recipes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows.candidates import Candidates, GivenRows, SeedRows
from flows.config import PreferenceDPO
from flows.recipes.steps import Steps
from flows.runs.checks import open_models
from tasks.curate.pair import pair
from tasks.engine.seed_batches import Source
from tasks.engine.sources import open_source
from tasks.engine.tables import Table
from tasks.errors import ConfigError
from tasks.generate.evol_quality import evol_quality
from tasks.generate.model_pool import model_pool
from tasks.judge.critique import critique
from tasks.judge.ultrafeedback import ultrafeedback
from tasks.publish.dataset import check_folder
from tasks.seeds.known_formats import Reading


def pipeline(config: PreferenceDPO, run: Steps, instructions: Sequence[Table]) -> list[Table]:
    """The techniques of the recipe, each shard on its own way through them; the tables of pairs, in order."""
    tables: list[Any] = run.through(model_pool, instructions, config.model_pool)
    if config.recipe != "basic":
        tables = run.through(evol_quality, tables, config.evol_quality)
    if config.critique is not None:
        tables = run.through(critique, tables, config.critique)
    tables = run.through(ultrafeedback, tables, config.judging())
    run.through(pair, tables, config.pair)
    return run.settled()


def check(config: PreferenceDPO) -> None:
    """Raise ConfigError for the mistakes that can be seen without starting anything."""
    folder_of(config)
    open_models(config)
    if config.retry is None:  # a retry begins with the very rows that the run it heals began with
        instructions_of(config).check()


def folder_of(config: PreferenceDPO) -> Path:
    """The folder of the dataset, made."""
    return check_folder(Path(config.out or f"datasets/{config.dataset}"))


def candidates_of(config: PreferenceDPO, run: Steps) -> Candidates:
    """Where the instructions come from."""
    if (given := run.night.given()) is not None:
        return GivenRows(given)
    source = instructions_of(config)
    return SeedRows(source, run.settings, config.shard_rows, config.max_instructions, run.night.seen)


def instructions_of(config: PreferenceDPO) -> Source:
    """The instructions."""
    if config.instructions is None:
        raise ConfigError("no instructions", None, "give --instructions FILE, or the folder of a dataset")
    reading = Reading(config.model_pool.keep_responses, not config.model_pool.templates, bad=config.bad_seeds)
    return open_source(config.instructions, columns=config.columns, reading=reading)
