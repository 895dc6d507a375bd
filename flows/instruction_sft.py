"""Seeds to instructions, to harder instructions, to responses: an SFT dataset.

stillroom sft --recipe evolved --rows 100
"""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.config import InstructionSFT
from flows.runs.plan import plan_of
from flows.runs.runners.shard_runner import ShardRunner
from flows.watch.hooks import run_watched


@flow(name="instruction-sft", flow_run_name="{config.title}", task_runner=ShardRunner())
def instruction_sft(config: InstructionSFT) -> dict[str, Any]:
    """Make an instruction dataset by a recipe. Returns the summary of the run.

    Raises ConfigError for the user's mistakes; with everything published, TooManyRejects; NoRows where no row is left.
    """
    return run_watched(plan_of(config))
