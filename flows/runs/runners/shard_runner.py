"""Where the shards of a run go: to threads of this process, or to the workers of a Ray cluster.

    pip install "stillroom[ray]"
    stillroom sft --recipe seeded --runner ray            # a cluster of its own on this machine
    RAY_ADDRESS=10.0.0.1:6379 stillroom sft --runner ray  # one that is there; see docs/scale.md

Both by Prefect's own task runners, chosen when the run starts, so that the command, a deployment and the form in the UI
need only the parameter.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.futures import PrefectConcurrentFuture, PrefectFuture
from prefect.states import Pending
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.runs.plan import RunPlan
from flows.runs.runners.ray_buckets import RayBuckets
from flows.runs.runners.ray_budget import RayBudget
from flows.runs.runners.ray_cluster import address, check_reach, nodes, ray_runner, resources, room_for, shared_out
from flows.service.away.patience import settle, start_outbox
from tasks.engine.accounting import Accounting
from tasks.engine.context import Context
from tasks.engine.process import Settings
from tasks.engine.requests.reports import REPORT_EVERY_S, clear, gather, reporting
from tasks.errors import ConfigError
from tasks.models.config import Roles

SHARDS_AT_ONCE = 16


class ThreadFuture(PrefectConcurrentFuture[Any]):
    """A task run in a thread of this process: how it stands is known here.

    Prefect's own future asks the server, for each task run that waits for it, and fails where the server is away.
    """

    @property
    def state(self) -> State[Any]:
        """Its final state, or Pending as long as there is none."""
        ended = self.wrapped_future
        if ended.done() and not ended.cancelled() and ended.exception() is None:
            self.wait()
        return self._final_state or Pending()


class ShardRunner(TaskRunner[PrefectFuture[Any]]):
    """Threads, until the run says otherwise by `use`."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Prefect's has no annotation
        self._chosen: TaskRunner[Any] | None = None
        self._around: Callable[[], AbstractContextManager[Any]] = nullcontext
        self._stack = ExitStack()

    def use(self, runner: TaskRunner[Any], around: Callable[[], AbstractContextManager[Any]] = nullcontext) -> None:
        """Start a runner and send all shards to it; `around` is entered for each one that is sent."""
        self._chosen, self._around = self._stack.enter_context(runner), around

    def on_exit(self, work: Callable[[], Any]) -> None:
        """Have something done when the flow run ends, while the runner still runs."""
        self._stack.callback(work)

    def submit(self, task: Any, parameters: dict[str, Any], wait_for: Any = None, dependencies: Any = None) -> Any:
        """Send one task run to the chosen runner."""
        if self._chosen is None:
            # threads that only wait: requests are limited by the models' windows
            self.use(ThreadPoolTaskRunner(max_workers=SHARDS_AT_ONCE))
        assert self._chosen is not None
        with self._around():
            future = self._chosen.submit(task, parameters, wait_for, dependencies)
        if isinstance(future, PrefectConcurrentFuture):
            return ThreadFuture(future.task_run_id, future.wrapped_future)
        return future

    def duplicate(self) -> ShardRunner:
        """A runner that is not started yet. In a worker, too, Prefect makes one, and never sends anything to it."""
        return type(self)()

    def __enter__(self) -> ShardRunner:
        start_outbox()
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.close()
        settle()
        super().__exit__(*error)


class Workers:
    """What the workers of a run under way are given: models and settings. Where they report, their counts are followed.

    `buckets`: in how many of them what duplicates are told by lies; None: in this process.
    """

    def __init__(self, models: Roles, settings: Settings, context: Context, buckets: int | None = None) -> None:
        self.models, self.settings, self._context, self._buckets = models, settings, context, buckets
        self._one_at_a_time, self._done = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._follow, name="stillroom-gather", daemon=True)

    def gather(self) -> None:
        """Bring the tally of the run up to date."""
        if self.settings.reports is not None:
            with self._one_at_a_time:  # an older sum must not come after a newer one
                gather(self.settings.reports, self._context)
                if isinstance(spending := self._context.accounting.spending, RayBudget):
                    spending.look()

    def open_buckets(self) -> RayBuckets | None:
        """New buckets for what duplicates are told by; None where it lies in this process."""
        return None if self._buckets is None else RayBuckets(self._buckets)

    @contextmanager
    def asking_here(self) -> Iterator[Context]:
        """The context for what this process asks itself: its counts join those that workers report, where they do."""
        if self.settings.reports is None:
            yield self._context
            return
        own = Accounting(self.settings.budget, self._context.accounting.spending)
        context = replace(self._context, accounting=own)
        with reporting(self.settings.reports, context):
            yield context

    def follow(self) -> None:
        """Keep the tally up to date, and pass on a stop, until `leave`."""
        clear(str(self.settings.reports))
        self._thread.start()

    def leave(self) -> None:
        """End following, and clear away the reports."""
        self._done.set()
        self._thread.join()
        clear(str(self.settings.reports))

    def _follow(self) -> None:
        while not self._done.wait(REPORT_EVERY_S):
            self.gather()


def start_runner(plan: RunPlan, settings: Settings, context: Context) -> Workers:
    """Start the runner that the run asks for. Raises ConfigError, before anything is sent to it."""
    if plan.runner == "threads":
        return Workers(plan.models, settings, context)
    flow_run = FlowRunContext.get()
    assert flow_run is not None
    assert isinstance(flow_run.task_runner, ShardRunner)
    api_url = str(flow_run.client.api_url)
    try:
        flow_run.task_runner.use(ray_runner(plan.ray, api_url), resources(plan.ray))
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ConfigError("cannot use the Ray cluster", f"{address()}: {error}", "see `ray status`") from error
    check_reach({node["NodeManagerHostname"] for node in nodes()}, api_url, settings)
    count = max(room_for(nodes(), plan.ray), plan.ray.workers or 0)
    reports = f"{settings.tables}/reports/{settings.run}"
    told: dict[str, Any] = {"reports": reports}
    if str(settings.budget):
        told["spending"] = context.accounting.spending = RayBudget(settings.budget)
    workers = Workers(shared_out(plan.models, count), settings.model_copy(update=told), context, plan.ray.buckets)
    workers.follow()
    flow_run.task_runner.on_exit(workers.leave)
    return workers
