"""Instructions to pools of responses, to judged pairs: a DPO dataset.

stillroom dpo --recipe basic --instructions datasets/demo-sft
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.config import PreferenceDPO
from flows.recipes.dpo import candidates_of, check, folder_of, pipeline
from flows.run import Run, closing
from flows.runners import ShardRunner
from flows.watch import watched
from tasks.publish.formats import FORMATS


@flow(name="preference-dpo", flow_run_name="{config.title}", task_runner=ShardRunner())
def preference_dpo(config: PreferenceDPO) -> dict[str, Any]:
    """Make a preference dataset by a recipe. Returns the summary of the run.

    Raises ConfigError for the user's mistakes; with everything published, TooManyRejects; NoRows where no row is left.
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
