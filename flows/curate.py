"""A dataset that is there, without the rows that are no good: filtered, without duplicates, without benchmarks' texts.

stillroom curate datasets/demo-sft --out datasets/demo-curated
stillroom curate pairs.jsonl --dry-run
"""

from __future__ import annotations

from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from flows.curate_dataset import CurateDataset
from flows.runs.curation.dry_run import what_would_go
from flows.runs.plan import plan_of
from flows.runs.runners.shard_runner import ShardRunner
from flows.watch.hooks import run_watched


@flow(name="curate", flow_run_name="{config.title}", task_runner=ShardRunner())
def curate(
    config: CurateDataset,
    dry_run: Annotated[bool, Field(description="tell which rows would go, and write nothing")] = False,
) -> dict[str, Any]:
    """Write a dataset without the rows that its curation takes out. Returns the summary of the run, or of the dry run.

    Raises ConfigError for the user's mistakes; with everything published, TooManyRejects; NoRows where no row is left.
    """
    config.check_apart()
    plan = plan_of(config)
    return what_would_go(plan) if dry_run else run_watched(plan)
