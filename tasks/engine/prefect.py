"""The engine's one door to Prefect: a step over tables as cached, retryable task runs, one a shard.

Prefect's cache holds the reference of a finished table, so the UI shows `Cached`. The key that Prefect sees is the
shard's key and the token in the table's sidecar, so that a table whose file is gone is made again, not missed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import polars as pl
from prefect import task
from prefect.cache_policies import CacheKeyFnPolicy
from prefect.context import TaskRunContext
from prefect.tasks import Task, exponential_backoff
from prefect.utilities.annotations import opaque, unmapped

from tasks.engine.context import Context
from tasks.engine.keys import CommonKey, common_key, epochs_of, shard_key, step_key
from tasks.engine.process import Settings, process
from tasks.engine.requests.reports import reporting
from tasks.engine.shard import Outcome, Place, run_shard, run_table_step
from tasks.engine.table_step import TableStep
from tasks.engine.technique import Params, Technique
from tasks.errors import ConfigError, Interrupted
from tasks.models.config import Roles
from tasks.storage.tables import Table, sidecar, write_table

RETRY_JITTER = 0.5
"""Retries of a task wait 2, 4, 8 ... seconds, lengthened by up to this share."""


class Common:
    """What all task runs of one step have in common. A plain object: Prefect looks into pydantic models, for each of them."""

    def __init__(self, models: Roles, params: Params, settings: Settings) -> None:
        self.models, self.params, self.settings = models, params, settings
        self._key: CommonKey | None = None

    def key_of(self, step: Technique[Any] | TableStep[Any]) -> CommonKey:
        """What the keys of its task runs have in common. Its code and prompts are read once for all of them."""
        if self._key is None:
            self._key = self._new_key(step)
        return self._key

    def _new_key(self, step: Technique[Any] | TableStep[Any]) -> CommonKey:
        settings = self.settings
        members = {role: [process.member(config) for config in configs] for role, configs in self.models.items()}
        language = list(settings.prompts.languages) or settings.prompts.language
        shaping: dict[str, Any] = {"seed": settings.seed, "language": language, "max_attempts": settings.max_attempts}
        if settings.check_language:
            shaping["check_language"] = True
        if files := self.params.files_digest:
            shaping["files"] = files
        folder = step.prompts if isinstance(step, Technique) else ""
        return common_key(step_key(step.name, step.function, settings.prompts, folder), self.params, members, shaping)


def map_technique(
    technique: Technique[Any], tables: Sequence[Any], models: Roles, params: Params, settings: Settings
) -> list[Any]:
    """Submit a technique over tables (or futures of them); a future of a Table each, in order."""
    numbers = range(len(tables))
    shards = [f"{number + 1}/{len(tables)}" for number in numbers]
    common = unmapped(Common(models, params, settings))
    # Prefect would look through the fields of each table four times; to workers of Ray what is annotated comes as a tuple
    given = [opaque(table) for table in tables] if settings.reports is None else list(tables)
    return list(_task(technique).map(given, common=common, order=list(numbers), shard=shards))


def submit_table_step(
    step: TableStep[Any], tables: Sequence[Any], models: Roles, params: Params, settings: Settings
) -> Any:
    """Submit a step over all tables at once; one future of a Table."""
    return _table_task(step).submit(list(tables), common=Common(models, params, settings))


@cache
def _task(technique: Technique[Any]) -> Task[..., Table]:
    def run(table: Table, common: Common, order: int, shard: str) -> Table:
        def work(context: Context, frames: list[pl.DataFrame], epochs: Mapping[str, int]) -> Outcome:
            models = process.models(common.models, context)
            place = Place(order, int(shard.partition("/")[2]))
            return run_shard(
                technique,
                frames[0],
                models,
                common.params,
                context,
                admission=process.admission,
                place=place,
                epochs=epochs,
            )

        return _made(technique, [table], common, work)

    return _prefect_task(technique, run, f"{technique.name} {{shard}}")


@cache
def _table_task(step: TableStep[Any]) -> Task[..., Table]:
    def run(table: list[Table], common: Common) -> Table:
        def work(context: Context, frames: list[pl.DataFrame], epochs: Mapping[str, int]) -> Outcome:
            frame = pl.concat(frames, how="vertical")
            models = process.models(common.models, context)
            return run_table_step(step, frame, models, common.params, context, epochs=epochs)

        return _made(step, table, common, work)

    return _prefect_task(step, run, step.name)


def _prefect_task(
    step: Technique[Any] | TableStep[Any], run: Callable[..., Table], task_run_name: str
) -> Task[..., Table]:
    def key(_context: TaskRunContext, parameters: Mapping[str, Any]) -> str:
        tables = parameters["table"] if isinstance(parameters["table"], list) else [parameters["table"]]
        place = _place(step, tables, parameters["common"])[0]
        made = sidecar(place)
        return f"{place.rpartition('/')[2].removesuffix('.parquet')}-{made.token if made else _run_id()}"

    return task(
        name=step.name,
        task_run_name=task_run_name,  # and no tags: Prefect would ask its server about each before each task run
        cache_policy=CacheKeyFnPolicy(cache_key_fn=key),
        persist_result=True,
        result_serializer="json",
        retries=3,
        retry_delay_seconds=exponential_backoff(2),
        retry_jitter_factor=RETRY_JITTER,
        retry_condition_fn=_worth_retrying,
        log_prints=False,
    )(run)


def _made(
    step: Technique[Any] | TableStep[Any],
    tables: Sequence[Table],
    common: Common,
    work: Callable[[Context, list[pl.DataFrame], Mapping[str, int]], Outcome],
) -> Table:
    """The body of a task run: read, work, write."""
    settings = common.settings
    place, epochs = _place(step, tables, common)
    if made := sidecar(place):
        return made  # finished by a worker that was lost before it could say so, or does not share Prefect's cache
    context = process.context(settings)
    if context.stop.is_set():
        raise Interrupted("the run was told to stop")
    with reporting(settings.reports, context):
        outcome = work(context, [table.read() for table in tables], epochs)
    if outcome.pending and context.stop.is_set():
        raise Interrupted(f"{outcome.pending} rows are pending")
    if outcome.pending or context.refused_alike():
        # the budget is reached, or nothing came but refusals: what there is goes on, where no other run looks for it
        place = f"{place.removesuffix('.parquet')}-cut-{settings.run}.parquet"
    beside = {"rejects": outcome.rejects, "losses": outcome.losses, "provenance": outcome.provenance}
    return write_table(
        place,
        step.name,
        outcome.rows,
        beside,
        rows_in=sum(t.rows for t in tables),
        pending=outcome.pending,
        token=_run_id(),
    )


def _place(
    step: Technique[Any] | TableStep[Any], tables: Sequence[Table], common: Common
) -> tuple[str, dict[str, int]]:
    """Where the table of a task run lies, by its key, and the epochs of its rows."""
    settings = common.settings
    failed_before = settings.epochs.get(step.name)
    epochs: dict[str, int] = {}
    if failed_before is not None:
        row_ids = [row_id for table in tables for row_id in table.read(["row_id"])["row_id"].to_list()]
        epochs = epochs_of(failed_before.read(), row_ids)
    key = shard_key(common.key_of(step), [t.fingerprint for t in tables], epochs)
    return f"{settings.tables}/{step.name}/{key}.parquet", epochs


def _run_id() -> str:
    context = TaskRunContext.get()
    return str(context.task_run.id) if context else "plain"


def _worth_retrying(_task: Any, _run: Any, state: Any) -> bool:
    """Retry what may pass: not the user's mistakes and permanent errors, not a stop, not a bug in our own data."""
    error = state.result(raise_on_failure=False)
    return not isinstance(error, (ConfigError, Interrupted, AssertionError, TypeError, KeyError))
