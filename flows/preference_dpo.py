"""Instructions to pools of responses, to judged pairs: a DPO dataset.

stillroom dpo --recipe basic --instructions datasets/demo-sft
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect import flow

from flows.candidates import Candidates, GivenRows, SeedRows
from flows.config import PreferenceDPO
from flows.run import Run, closing, open_models
from flows.runners import ShardRunner
from flows.watch import watched
from tasks.curate.pair import pair
from tasks.engine.sources import Source, open_source
from tasks.engine.tables import Table
from tasks.errors import ConfigError
from tasks.generate.evol_quality import evol_quality
from tasks.generate.model_pool import model_pool
from tasks.judge.critique import critique
from tasks.judge.ultrafeedback import ultrafeedback
from tasks.publish.dataset import check_folder
from tasks.publish.formats import FORMATS


@flow(name="preference-dpo", flow_run_name="{config.title}", task_runner=ShardRunner())
def preference_dpo(config: PreferenceDPO) -> dict[str, Any]:
    """Make a preference dataset by a recipe. Returns the summary of the run.

    Raises ConfigError for the user's mistakes, and, with everything published, TooManyRejects.
    """
    check(config)
    run = Run.start("dpo", config, folder_of(config))
    with watched(run):
        return make(config, run)


def make(config: PreferenceDPO, run: Run) -> dict[str, Any]:
    """Instructions through the pipeline, then publish. The summary."""
    instructions = candidates_of(config, run)
    try:
        run.steps["instructions"] = instructions.take(None)
    finally:
        instructions.close()
    if config.incremental and not run.steps["instructions"]:
        return run.nothing_new()
    pairs = run.new_rows(pipeline(config, run, run.steps["instructions"]))
    return closing(run.publish(config.recipe, pairs, FORMATS[config.format]))


def pipeline(config: PreferenceDPO, run: Run, instructions: Sequence[Table]) -> list[Table]:
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


def candidates_of(config: PreferenceDPO, run: Run) -> Candidates:
    """Where the instructions come from."""
    if (given := run.night.given()) is not None:
        return GivenRows(given)
    source = instructions_of(config)
    return SeedRows(source, run.settings, config.shard_rows, config.max_instructions, run.night.seen)


def instructions_of(config: PreferenceDPO) -> Source:
    """The instructions."""
    if config.instructions is None:
        raise ConfigError("no instructions", None, "give --instructions FILE, or the folder of a dataset")
    return open_source(config.instructions, columns=config.columns)
