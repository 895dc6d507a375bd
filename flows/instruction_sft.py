"""Seeds to instructions, to harder instructions, to responses: an SFT dataset.

stillroom sft --recipe evolved --rows 100
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.config import InstructionSFT
from flows.recipes.sft import candidates_of, check, folder_of, is_hopeless, next_wave, pipeline
from flows.run import Run, closing
from flows.runners import ShardRunner
from flows.watch import watched
from tasks.engine.tables import Table
from tasks.publish.dataset import conversations


@flow(name="instruction-sft", flow_run_name="{config.title}", task_runner=ShardRunner())
def instruction_sft(config: InstructionSFT) -> dict[str, Any]:
    """Make an instruction dataset by a recipe. Returns the summary of the run.

    Raises ConfigError for the user's mistakes; with everything published, TooManyRejects; NoRows where no row is left.
    """
    check(config)
    run = Run.start("sft", config, folder_of(config))
    with watched(run):
        return make(config, run)


def make(config: InstructionSFT, run: Run) -> dict[str, Any]:
    """Candidates through the pipeline, wave by wave, until there are rows enough; then publish. The summary."""
    candidates = candidates_of(config, run)
    responses: list[Table] = []
    try:
        taken = 0
        while wave := candidates.take(next_wave(config, taken, sum(t.rows for t in responses))):
            taken += sum(table.rows_in for table in wave)
            run.steps.setdefault("seeds", []).extend(wave)
            responses += run.new_rows(pipeline(config, run, wave))
            enough = config.rows is not None and sum(t.rows for t in responses) >= config.rows
            if config.rows is None or enough or run.context.budget_reached or is_hopeless(config, taken):
                break
    finally:
        candidates.close()
    if config.incremental and not taken:
        return run.nothing_new()
    published = run.publish(config.recipe, responses, conversations, most=config.rows, blank=config.recipe == "basic")
    return closing(published)
