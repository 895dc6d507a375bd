"""Instructions to pools of responses, to judged pairs: a DPO dataset.

stillroom dpo --recipe basic --instructions datasets/demo-sft
"""

from __future__ import annotations

from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from flows.config import PreferenceDPO
from flows.runs.plan import plan_of
from flows.runs.runners.shard_runner import ShardRunner
from flows.watch.hooks import run_watched


@flow(name="preference-dpo", flow_run_name="{config.title}", task_runner=ShardRunner())
def preference_dpo(
    config: PreferenceDPO,
    published: Annotated[
        str | None,
        Field(description="a dataset that was just published, to take the instructions of in place of the config's"),
    ] = None,
) -> dict[str, Any]:
    """Make a preference dataset by a recipe. Returns the summary of the run.

    Of a published dataset that is not the config's own it makes a dataset of its own name, so that no two are mixed.
    Raises ConfigError for the user's mistakes; with everything published, TooManyRejects; NoRows where no row is left.
    """
    return run_watched(plan_of(config if published is None else config.of_published(published)))
