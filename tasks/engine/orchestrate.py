"""The engine's one door to Prefect: a step over tables as cached, retryable task runs, one a shard.

Prefect's cache holds the reference of a finished table, so the UI shows `Cached`. The key that Prefect sees is the
shard's key and the token in the table's sidecar, so that a table whose file is gone is made again, not missed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
from prefect import task
from prefect.cache_policies import CacheKeyFnPolicy
from prefect.context import TaskRunContext
from prefect.tasks import Task, exponential_backoff
from prefect.utilities.annotations import unmapped

from tasks.engine.context import Context
from tasks.engine.keys import epochs_of, shard_key, step_key
from tasks.engine.process import Roles, Settings, process
from tasks.engine.shard import Outcome, run_shard
from tasks.engine.table_step import TableStep, run_table_step
from tasks.engine.tables import Table, sidecar, write_table
from tasks.engine.technique import Params, Technique
from tasks.errors import ConfigError, Interrupted

RETRY_JITTER = 0.5
"""Retries of a task wait 2, 4, 8 ... seconds, lengthened by up to this share."""


def map_technique(
    technique: Technique[Any], tables: Sequence[Any], models: Roles, params: Params, settings: Settings
) -> list[Any]:
    """Submit a technique over tables (or futures of them); a future of a Table each, in order."""
    return list(_task(technique).map(
        list(tables), models=unmapped(models), params=unmapped(params), settings=unmapped(settings),
        order=list(range(len(tables))),
    ))  # fmt: skip


def submit_table_step(
    step: TableStep[Any], tables: Sequence[Any], models: Roles, params: Params, settings: Settings
) -> Any:
    """Submit a step over all tables at once; one future of a Table."""
    return _table_task(step).submit(list(tables), models=models, params=params, settings=settings)


@cache
def _task(technique: Technique[Any]) -> Task[..., Table]:
    def run(table: Table, models: Roles, params: Params, settings: Settings, order: int) -> Table:
        def work(context: Context, frames: list[pl.DataFrame], epochs: Mapping[str, int]) -> Outcome:
            bound = process.models(models, context)
            return run_shard(
                technique, frames[0], bound, params, context, gate=process.gate, order=order, epochs=epochs
            )

        return _made(technique, [table], models, params, settings, work)

    return _prefect_task(technique, run)


@cache
def _table_task(step: TableStep[Any]) -> Task[..., Table]:
    def run(table: list[Table], models: Roles, params: Params, settings: Settings) -> Table:
        def work(context: Context, frames: list[pl.DataFrame], epochs: Mapping[str, int]) -> Outcome:
            frame = pl.concat(frames, how="vertical")
            return run_table_step(step, frame, process.models(models, context), params, context, epochs=epochs)

        return _made(step, table, models, params, settings, work)

    return _prefect_task(step, run)


def _prefect_task(step: Technique[Any] | TableStep[Any], run: Callable[..., Table]) -> Task[..., Table]:
    def key(_context: TaskRunContext, parameters: Mapping[str, Any]) -> str:
        tables = parameters["table"] if isinstance(parameters["table"], list) else [parameters["table"]]
        path = _path(step, tables, parameters["models"], parameters["params"], parameters["settings"])[0]
        made = sidecar(path)
        return f"{path.stem}-{made.token if made else _run_id()}"

    return task(
        name=step.name,
        cache_policy=CacheKeyFnPolicy(cache_key_fn=key),
        persist_result=True,
        result_serializer="json",
        retries=3,
        retry_delay_seconds=exponential_backoff(2),
        retry_jitter_factor=RETRY_JITTER,
        retry_condition_fn=_worth_retrying,
        log_prints=False,
    )(run)


def _made(step: Technique[Any] | TableStep[Any], tables: Sequence[Table], models: Roles, params: Params,
          settings: Settings, work: Callable[[Context, list[pl.DataFrame], Mapping[str, int]], Outcome]) -> Table:  # fmt: skip
    """The body of a task run: read, work, write."""
    path, epochs = _path(step, tables, models, params, settings)
    outcome = work(process.context(settings), [table.read() for table in tables], epochs)
    if outcome.pending:
        raise Interrupted(f"{outcome.pending} rows are pending")
    beside = {"rejects": outcome.rejects, "losses": outcome.losses, "provenance": outcome.provenance}
    return write_table(path, step.name, outcome.rows, beside, rows_in=sum(t.rows for t in tables), token=_run_id())


def _path(step: Technique[Any] | TableStep[Any], tables: Sequence[Table], models: Roles, params: Params,
          settings: Settings) -> tuple[Path, dict[str, int]]:  # fmt: skip
    """Where the table of a task run lies, by its key, and the epochs of its rows."""
    failed_before = settings.epochs.get(step.name)
    epochs: dict[str, int] = {}
    if failed_before is not None:
        row_ids = [row_id for table in tables for row_id in table.read(["row_id"])["row_id"].to_list()]
        epochs = epochs_of(failed_before.read(), row_ids)
    members = {role: [process.member(config) for config in configs] for role, configs in models.items()}
    shaping = {"seed": settings.seed, "language": settings.language, "max_attempts": settings.max_attempts}
    key = shard_key(
        step_key(step.name, step.function, settings.language),
        params,
        members,
        [t.fingerprint for t in tables],
        shaping,
        epochs,
    )
    return settings.home / "tables" / step.name / f"{key}.parquet", epochs


def _run_id() -> str:
    context = TaskRunContext.get()
    return str(context.task_run.id) if context else "plain"


def _worth_retrying(_task: Any, _run: Any, state: Any) -> bool:
    """Retry what may pass: not the user's mistakes and permanent errors, not a stop, not a bug in our own data."""
    error = state.result(raise_on_failure=False)
    return not isinstance(error, (ConfigError, Interrupted, AssertionError, TypeError, KeyError))
