"""The failed rows of an earlier run, and nothing else: the same run again, where each row that failed may ask further.

    stillroom retry sft-1a2b3c4d

It begins with the rows that the run began with, whatever its file of seeds holds by now, and goes on from its latest
retry. Rows that runs have added to the dataset since stay; healed rows join at their places. An incremental night does
not try failed rows again by itself: this flow does.

Not healed is a prompt of Self-Instruct's bootstrap that came to nothing: it is a loss of the loop and no row of its own,
and another answer to it would change the pool that all later prompts were drawn from, and so pay for these again.
"""

from __future__ import annotations

from typing import Annotated, Any

from prefect import flow
from prefect.runtime import flow_run
from pydantic import Field

from flows.curate_dataset import CONFIG_KINDS
from flows.revise import flow_of
from flows.runs.manifests import latest_retry, manifest, runs_to_heal
from flows.runs.run import flow_result
from flows.runs.runners.shard_runner import ShardRunner


def _name() -> str:
    return f"retry-{flow_run.parameters.get('run') or 'all'}"


@flow(name="retry-failed", flow_run_name=_name, task_runner=ShardRunner())
def retry_failed(
    run: Annotated[str | None, Field(description="a run; empty: all that datasets are made of")] = None,
    most_times: Annotated[
        int, Field(ge=1, description="where no run is named: leave those alone that were retried so often")
    ] = 3,
) -> dict[str, Any]:
    """Ask again for the rows that a run rejected as failed, and publish its dataset anew. Returns the new summary.

    What the run was given already comes from the ledger, so that only healed rows are paid for, here and in later steps.
    Without a run: heals each that a dataset is made of and that left failed rows; returns their summaries as `healed`.
    Raises ConfigError for a run that there is not or whose rows the dataset holds no more; TooManyRejects
    and NoRows as the run did.
    """
    if run is not None:
        return flow_result(_again(latest_retry(run)))
    states = [_again(name, return_state=True) for name in runs_to_heal(most_times)]
    return {"healed": [state.result() for state in states]}


def _again(run: str, **how: Any) -> Any:
    past = manifest(run)
    config = CONFIG_KINDS[past["kind"]](**past["config"] | {"retry": run})
    return flow_of(config)(config, **how)
