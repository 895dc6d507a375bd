"""What a person sees of a run in the Prefect UI: tags, live progress, a sample, the rejects, a report; and its log.

    with watched(run):
        ...

One thread of the run writes the progress, about once a second and only what has changed, and one line in the log for
each thing that happens. The run never waits for it while it works.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.events import emit_event
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from flows.runs.make import make
from flows.runs.plan import RunPlan
from flows.runs.progress import StepProgress
from flows.runs.run import Run
from flows.runs.verdict import TooManyRejects
from flows.service.heartbeat import heartbeats
from flows.service.worker.ending import as_a_worker_runs
from flows.watch.artifacts import Artifacts, Log
from flows.watch.live import remove_live, write_live
from flows.watch.report import Ending, progress_text, report_line, report_text, start_line, step_line
from flows.watch.sample import reject_rows, sample_rows
from tasks.engine.process import process
from tasks.notices import heard
from tasks.publish.revisions import REPORT, all_data_files

PERIOD_S = 1.0
UPDATES = 600
"""Progress of a long run is written less often (at t seconds, every t/600), so that ten hours make 3,000 updates of an
artifact and not 36,000: Prefect keeps an event of each."""
PATIENCE_S = 30.0
"""How long a server is left alone that did not take something."""
PUBLISHED = "stillroom.run.published"


def run_watched(plan: RunPlan) -> dict[str, Any]:
    """Check a plan, and make its dataset with all of it shown in the UI; the summary. Raises what the plan and the run do."""
    plan.check()
    run = Run.start(plan)
    with watched(run):
        return make(run)


@contextmanager
def watched(run: Run) -> Iterator[None]:
    """Show a run in the UI and in its log while the block runs, and at the end what it came to."""
    log = get_run_logger()
    with run.under_way, get_client(sync_client=True) as client:
        watch = Watch(run, Artifacts(client, UUID(str(flow_run.id)), log), log)
        error: BaseException | None = None
        try:
            with heartbeats(), heard(lambda line: log.warning("%s", line)), as_a_worker_runs(run.context, log):
                yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            watch.end(error)


class Watch:
    """One run, watched from a thread of its own until `end`."""

    def __init__(self, run: Run, artifacts: Artifacts, log: Log) -> None:
        self._run, self._artifacts, self._log = run, artifacts, log
        self._shards_told: dict[str, int] = {}
        self._refusals: dict[str, int] = {}
        self._budget_told = False
        self._done = threading.Event()
        log.info("%s", start_line(run.settings.run, run.plan))
        work = copy_context().run  # Prefect keeps its settings there
        self._thread = threading.Thread(target=work, args=(self._keep,), name="stillroom-watch", daemon=True)
        self._thread.start()

    def end(self, error: BaseException | None) -> None:
        """Stop watching, and show what the run came to. One that is torn down at once leaves it as it is."""
        self._done.set()
        self._thread.join()
        if error is None or isinstance(error, Exception):
            ending = self._ending(self._look(), error)
            remove_live(self._run)
            self._tell_the_end(ending)
            self._show(ending)
            if self._run.summary is not None:
                emit_published(str(flow_run.id), ending)
        else:
            remove_live(self._run)

    def _keep(self) -> None:
        self._artifacts.tag(tags_of(self._run))
        pause_s = 0.0
        while not self._done.wait(pause_s):
            began = time.monotonic()
            self._look()
            ended = time.monotonic()
            pause_s = max(PERIOD_S, 3 * (ended - began), (ended - self._run.started) / UPDATES)
            if self._artifacts.failing:
                pause_s = max(pause_s, PATIENCE_S)

    def _look(self) -> list[StepProgress]:
        """Bring the progress up to date, and tell what has happened since the last look."""
        steps = self._run.progress.look(self._run.context.accounting.tally)
        for step in steps:
            if step.is_over and self._shards_told.get(step.name) != step.shards:
                self._shards_told[step.name] = step.shards
                self._log.info("%s", step_line(step))
            self._artifacts.pin(
                self._key("progress", step.name), "progress", round(step.percent, 1), progress_text(step)
            )
        write_live(self._run, str(flow_run.id), steps)
        self._tell_of_limits()
        return steps

    def _tell_of_limits(self) -> None:
        """Say when the budget is reached, and when an endpoint has taken fewer requests than it was sent."""
        if self._run.context.accounting.is_spent and not self._budget_told:
            self._budget_told = True
            self._log.warning("budget reached (%s): no more requests are made", self._run.settings.budget)
        for config in {config for configs in self._run.plan.models.values() for config in configs}:
            window = getattr(process.model(config), "window", None)
            new = window.refusals - self._refusals.get(config.name, 0) if window is not None else 0
            if window is not None and new > 0:
                self._refusals[config.name] = window.refusals
                self._log.warning("%s had no room: refused requests %d, at once now %d", config.name, new, window.limit)

    def _ending(self, steps: list[StepProgress], error: Exception | None) -> Ending:
        run = self._run
        tables = run.steps if run.summary is not None else {**run.steps, **run.progress.tables()}
        return Ending(
            run=run.settings.run,
            dataset=run.plan.dataset,
            recipe=run.plan.recipe.full_name,
            models=run.plan.model_names(),
            steps=steps,
            tables=tables,
            seconds=time.monotonic() - run.started,
            summary=run.summary,
            error=error,
        )

    def _tell_the_end(self, ending: Ending) -> None:
        tell = self._log.info if ending.error is None else self._log.error
        tell("%s", report_line(ending))

    def _show(self, ending: Ending) -> None:
        """Sample, rejects and report. Their keys are those of the dataset: in the UI the nights line up."""
        links: dict[str, str] = {}
        if ending.summary is not None and ending.summary["rows"]:
            rows = sample_rows(all_data_files(Path(ending.summary["dataset"]))[0])
            links["sample"] = self._pin_table("sample", rows, f"The first of {ending.summary['rows']:,} rows")
        if rejects := reject_rows(ending.tables):
            among = sum(sum(table.rejects.values()) for tables in ending.tables.values() for table in tables)
            some = "All" if len(rejects) == among else f"Some of each reason, {len(rejects):,} of the"
            links["rejects"] = self._pin_table("rejects", rejects, f"{some} {among:,} rejects")
        links["page about the dataset"] = self._pin_page(ending)
        links["earlier reports"] = f"/artifacts/key/{self._key('report')}"
        text = report_text(ending, {title: path for title, path in links.items() if path})
        self._artifacts.pin(self._key("report"), "markdown", text, report_line(ending))

    def _pin_page(self, ending: Ending) -> str:
        """Link to the dataset's own page, where there is one; the path to the artifact in the UI.

        No browser opens a file from a page of a server, so that the path is there to copy too.
        """
        page = Path(ending.summary["dataset"], REPORT).absolute() if ending.summary else None
        if page is None or not page.is_file():
            return ""
        text = f"[{REPORT} of {ending.dataset}]({page.as_uri()})\n\n`{page}` on the machine of the run: open it there."
        artifact = self._artifacts.pin(self._key("page"), "markdown", text, f"A page about {ending.dataset}")
        return f"/artifacts/artifact/{artifact}" if artifact else ""

    def _pin_table(self, kind: str, rows: list[dict[str, Any]], line: str) -> str:
        """Show rows; the path to them in the UI."""
        artifact = self._artifacts.pin(self._key(kind), "table", json.dumps(rows, default=str), line)
        return f"/artifacts/artifact/{artifact}" if artifact else ""

    def _key(self, *about: str) -> str:
        kind, *rest = about
        return key_of(kind, self._run.plan.dataset, *rest)


def key_of(*about: str) -> str:
    """An artifact's key, of the characters that Prefect allows: "progress-nightly-sft-magpie"."""
    return re.sub("[^a-z0-9]+", "-", "-".join(about).lower()).strip("-")


def tags_of(run: Run) -> set[str]:
    """What a run can be found by: recipe, dataset, models (without the address of an endpoint or a folder)."""
    models = {name.split("@http")[0] for name in run.plan.model_names()}
    return {
        "stillroom",
        run.plan.kind,
        run.plan.recipe.full_name,
        run.plan.dataset,
        *(_short(model) for model in models),
    }


def _short(model: str) -> str:
    return Path(model).name if model.startswith(("/", ".", "~", "scripted:")) else model


def emit_published(flow_run_id: str, ending: Ending) -> None:
    """Emit the event `stillroom.run.published`, which automations can start from.

    Its resource is the flow run, with the label `stillroom.failed-percent`: of the step that failed the largest share
    of its rows, that share, whole per cent, rounded down; and `stillroom.ended`, as in the payload:

        {"run": "sft-1a2b3c4d", "dataset": "nightly-sft", "folder": "datasets/nightly-sft", "rows": 88, "rejects": 12,
         "revision": 4, "ended": "completed" | "budget reached" | "too many rejects", "worst_step": "magpie",
         "failed_fraction": {"magpie": 0.12, "text_generation": 0.0}}
    """
    summary = ending.summary or {}
    fractions = {step: _failed_fraction(tables) for step, tables in ending.tables.items()}
    worst = max(fractions, key=fractions.__getitem__, default=None)
    percent = int(100 * fractions[worst] + 1e-9) if worst else 0
    ended = "too many rejects" if isinstance(ending.error, TooManyRejects) else summary["ended"]
    emit_event(
        PUBLISHED,
        resource={
            "prefect.resource.id": f"prefect.flow-run.{flow_run_id}",
            "prefect.resource.name": ending.run,
            "stillroom.failed-percent": str(percent),
            "stillroom.ended": ended,
        },
        payload={
            "run": ending.run,
            "dataset": ending.dataset,
            "folder": summary["dataset"],
            "rows": summary["rows"],
            "rejects": summary["rejects"],
            "revision": summary["revision"],
            "ended": ended,
            "worst_step": worst,
            "failed_fraction": {step: round(fraction, 6) for step, fraction in fractions.items()},
        },
    )


def _failed_fraction(tables: Any) -> float:
    rows = sum(table.rows_in for table in tables)
    return sum(table.failed for table in tables) / rows if rows else 0.0
