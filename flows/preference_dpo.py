"""Instructions to pools of responses, to judged pairs: a DPO dataset.

stillroom dpo --recipe basic --instructions datasets/demo-sft
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow

from flows.candidates import SeedRows
from flows.config import PreferenceDPO
from flows.run import Run, open_models, shards_at_once
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


@flow(name="preference-dpo", flow_run_name="dpo-{config.recipe}", task_runner=shards_at_once())
def preference_dpo(config: PreferenceDPO) -> dict[str, Any]:
    """Make a preference dataset by a recipe. Returns the summary of the run.

    Raises ConfigError for the user's mistakes, and, with everything published, TooManyRejects.
    """
    check(config)
    out = folder_of(config)
    run = Run.start("dpo", config)
    instructions = SeedRows(instructions_of(config), run.settings.home, config.shard_rows, config.max_instructions)
    try:
        run.steps["instructions"] = instructions.take(None)
    finally:
        instructions.close()
    pairs = pipeline(config, run)
    return run.publish(out, config.recipe, (FORMATS[config.format](table.read()) for table in pairs))


def pipeline(config: PreferenceDPO, run: Run) -> list[Table]:
    """The techniques of the recipe, each shard on its own way through them; the tables of pairs, in order."""
    tables: list[Any] = run.through(model_pool, run.steps["instructions"], config.model_pool)
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
    instructions_of(config).check()


def folder_of(config: PreferenceDPO) -> Path:
    """The folder of the dataset, made."""
    return check_folder(Path(config.out or f"datasets/{config.name or f'dpo-{config.recipe}'}"))


def instructions_of(config: PreferenceDPO) -> Source:
    """The instructions."""
    if config.instructions is None:
        raise ConfigError("no instructions", None, "give --instructions FILE, or the folder of a dataset")
    return open_source(config.instructions, columns=config.columns)
