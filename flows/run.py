"""One run of a flow: its settings, the tables it makes, and the manifest that it leaves, written last."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import polars as pl
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.config import RunConfig
from flows.counts import Counts
from flows.manifests import manifest_path
from flows.nights import Night, healed_run
from flows.runners import Workers, hire
from flows.runs.verdict import no_rows, too_many_rejects
from flows.stopping import keep_heeding
from tasks.engine.context import Context
from tasks.engine.files import write_atomically
from tasks.engine.home import check_home, home, ledger_url, tables_root
from tasks.engine.process import Settings, process
from tasks.engine.table_step import TableStep
from tasks.engine.tables import Table
from tasks.engine.technique import Technique
from tasks.errors import ConfigError, Interrupted
from tasks.publish.dataset import Handed


@dataclass
class Run:
    """A run under way. `steps`: the finished tables by step, in the order of their shards; `counts`: of those under way too.

    `summary`: once it is published.
    """

    kind: str
    config: RunConfig
    settings: Settings
    night: Night
    context: Context
    workers: Workers
    started: float = field(default_factory=time.monotonic)
    steps: dict[str, list[Table]] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    summary: dict[str, Any] | None = None
    _under_way: list[tuple[str, list[Any]]] = field(default_factory=list)

    @classmethod
    def start(cls, kind: str, config: RunConfig, out: Path) -> Run:
        """Open the ledger. Raises ConfigError before anything is paid for.

        A retry (of the run that the config names, or Prefect's own of this one) starts from what failed there; a run
        that makes its dataset anew asks what was healed there as it was then.
        """
        keep_heeding()
        check_home()
        run = f"{kind}-{str(flow_run.id or 'plain')[:8]}"
        again = (flow_run.run_count or 0) > 1
        process.forget(run)
        retried = healed_run(config.retry, run, again and manifest_path(run).exists())
        night = Night.begin(out, kind, config, retried)
        settings = Settings(
            run=run, home=home(), ledger=ledger_url(), tables=tables_root(), seed=config.seed, language=config.language,
            max_attempts=config.max_attempts, budget=config.budget(), epochs=night.epochs(run),
        )  # fmt: skip
        context = process.context(settings)
        return cls(kind, config, settings, night, context, hire(config, settings, context))

    def through(self, step: Technique[Any], tables: Sequence[Any], params: Any) -> list[Any]:
        """Send tables (or futures of them) through a technique, each on its own; the futures of what comes out."""
        futures = step.map(tables, models=self.workers.models, params=params, settings=self.workers.settings)
        self.counts.follow(step.name, tables, futures)
        self._under_way.append((step.name, futures))
        return futures

    def whole(self, step: TableStep[Any], tables: Sequence[Any], params: Any) -> list[Table]:
        """Send all tables through a table step, and wait; what comes out, as tables of a shard's size."""
        # one task run, and nothing beside it: it may use the models' whole windows
        future = step.submit(tables, models=self.config.models(), params=params, settings=self.workers.settings)
        self.counts.follow(step.name, tables, [future])
        self._under_way.append((step.name, [future]))
        return self.settled()[0].split(self.config.shard_rows)

    def settled(self) -> list[Table]:
        """Wait for all that is under way; the tables of the last step, in order.

        Raises the error that a shard ended with: of several, a permanent one first, since it brought about the others.
        """
        under_way, self._under_way = self._under_way, []
        states = [(step, [self._ended(future) for future in futures]) for step, futures in under_way]
        self.workers.gather()
        errors = [error for _, ended in states for state in ended if (error := _error_of(state)) is not None]
        for kind in (ConfigError, Interrupted, BaseException):
            for error in errors:
                if isinstance(error, kind):
                    raise error
        tables: list[Table] = []
        for step, ended in states:
            tables = [state.result() for state in ended]
            self.steps.setdefault(step, []).extend(tables)
        return tables

    def _ended(self, future: Any) -> Any:
        """The state that a task run ends in. Raises Interrupted at the first one that a stop has cut short."""
        future.wait()
        if self.context.stop.is_set():  # what still waits in the queue is then not started any more
            error = _error_of(future.state)
            if isinstance(error, Interrupted):
                raise error
        return future.state

    def new_rows(self, tables: Sequence[Table]) -> list[Table]:
        """The last tables; of a run that adds to its dataset without the rows that say what is there already."""
        if not self.night.adds or not tables:
            return list(tables)
        made = self.night.new_rows(tables, self.settings)
        self.steps.setdefault("earlier_rows", []).extend(made)
        return made

    def publish(
        self, recipe: str, tables: Sequence[Table], shape: Callable[[pl.DataFrame], pl.DataFrame], *,
        most: int | None = None, blank: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        """Write the dataset, its card and the manifest; the summary of the run.

        `tables`: the rows, in order; `shape`: what a trainer takes of them; `most`: of so many; `blank`: they come of no
        seeds. Raises TooManyRejects, with all of it written, and NoRows, with only the manifest written, and the rejects
        where there is no dataset yet. A budget that ends a run before its first row is no fault.
        """
        seeds = next(iter(self.steps.values()), [])
        handed = Handed(tables, shape, most, seeds, blank, self._tables())
        models = [self._as_served(name) for name in self.config.model_names()]
        summary = self._summary(self.night.publish(self.settings.run, recipe, handed, self.steps, models))
        self._write_manifest(summary)
        fault = too_many_rejects(self.steps, self.config.max_reject_fraction)
        if summary["published"]:
            self.summary = summary
        elif fault is not None or not summary["pending"]:
            raise no_rows(self.steps, summary)
        if fault is not None:
            raise fault
        return summary

    def _as_served(self, name: str) -> str:
        """A model's name, with what its server called it where that was another."""
        served = self.context.served.get(name.split("@http")[0])
        return name if served is None else f"{name} (served: {served})"

    def nothing_new(self) -> dict[str, Any]:
        """Leave the dataset as it is, since it has had all seeds that there are; the summary of the run, as `closing`."""
        summary = self._summary(self.night.unchanged())
        self._write_manifest(summary)
        self.summary = summary
        message = f"no seeds that {summary['dataset']} has not had: it stays at r{summary['revision']}"
        return cast(dict[str, Any], Completed(message=message, data=summary))

    def _tables(self) -> list[Table]:
        return [table for tables in self.steps.values() for table in tables]

    def _write_manifest(self, summary: dict[str, Any]) -> None:
        """Write what the run was and made."""
        manifest = {
            "run": self.settings.run,
            "kind": self.kind,
            "config": self.config.model_dump(mode="json"),
            "settings": self.settings.model_dump(mode="json"),
            "steps": {step: [table.model_dump() for table in tables] for step, tables in self.steps.items()},
            "tally": self.context.tally.as_dict(),
            "summary": summary,
        }
        write_atomically(manifest_path(self.settings.run), json.dumps(manifest, indent=1).encode())

    def has_a_price(self) -> bool:
        """Whether anything of what the run costs is known."""
        return any(model.is_priced for configs in self.config.models().values() for model in configs)

    def _summary(self, of_dataset: dict[str, Any]) -> dict[str, Any]:
        """The one line of `--json`."""
        tally = self.context.tally
        return {
            "dataset": str(self.night.out),
            **of_dataset,
            "retried": self.night.retried["run"] if self.night.retried else None,
            "requests": tally.requests,
            "ledger_hits": tally.ledger_hits,
            "prompt_tokens": tally.prompt_tokens,
            "completion_tokens": tally.completion_tokens,
            "cost": round(tally.cost, 6) if self.has_a_price() else None,
            "ended": "budget reached" if self.context.budget_reached else "completed",
            "pending": sum(table.pending for table in self._tables()),
            "seconds": round(time.monotonic() - self.started, 2),
            "run": self.settings.run,
        }


def _error_of(state: Any) -> BaseException | None:
    """What a task run ended with; None where it ended well, or never began since one that it waited for did not."""
    if state.is_completed() or not state.is_final():
        return None  # asking Prefect for a result takes it half a millisecond
    ended = state.result(raise_on_failure=False)
    return ended if isinstance(ended, BaseException) else None


def closing(summary: dict[str, Any]) -> dict[str, Any]:
    """What a flow returns: its summary; where the budget was reached in a state whose message says so.

    Whoever calls the flow gets the summary either way.
    """
    line = about_the_budget(summary)
    return cast(dict[str, Any], Completed(message=line, data=summary)) if line else summary


def about_the_budget(summary: dict[str, Any]) -> str:
    """One line where the budget was reached, with the way on; else nothing."""
    if summary["ended"] == "completed":
        return ""
    rows = "1 row is" if summary["pending"] == 1 else f"{summary['pending']} rows are"
    nothing = "" if summary["published"] else ", none is finished, so nothing is published yet"
    return (
        f"budget reached: {rows} pending{nothing}; the same command with a higher budget, or none, goes on from there"
    )
