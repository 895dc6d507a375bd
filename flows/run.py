"""One run of a flow: its settings, the tables it makes, and the manifest that it leaves, written last."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
from prefect.futures import PrefectFuture
from prefect.runtime import flow_run
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.config import RunConfig
from flows.manifests import epochs_after
from tasks.engine.context import Context
from tasks.engine.files import write_atomically
from tasks.engine.home import check_home, home, ledger_url
from tasks.engine.process import Settings, process
from tasks.engine.table_step import TableStep
from tasks.engine.tables import Table
from tasks.engine.technique import Technique
from tasks.errors import ConfigError, Interrupted
from tasks.publish.card import write_card
from tasks.publish.dataset import write_dataset

SHARDS_AT_ONCE = 16


class TooManyRejects(RuntimeError):
    """The dataset is written, but a step failed more rows than `max_reject_fraction` allows."""


def shards_at_once() -> TaskRunner[PrefectFuture[Any]]:
    """Threads for shards. They only wait: requests are limited by the models' windows."""
    return ThreadPoolTaskRunner(max_workers=SHARDS_AT_ONCE)  # type: ignore[return-value]  # a future type of its own


def open_models(config: RunConfig) -> None:
    """Open every model that the config names; weights load later, when they are asked. Raises ConfigError."""
    for configs in config.models().values():
        for model in configs:
            process.model(model)


@dataclass
class Run:
    """A run under way. `steps`: the finished tables by step, in the order of their shards."""

    kind: str
    config: RunConfig
    settings: Settings
    context: Context
    started: float = field(default_factory=time.monotonic)
    steps: dict[str, list[Table]] = field(default_factory=dict)
    _under_way: list[tuple[str, list[Any]]] = field(default_factory=list)

    @classmethod
    def start(cls, kind: str, config: RunConfig) -> Run:
        """Open the ledger. Raises ConfigError before anything is paid for.

        A retry (of the run that the config names, or Prefect's own of this one) starts from what failed there.
        """
        check_home()
        run = f"{kind}-{str(flow_run.id or 'plain')[:8]}"
        retried = config.retry or (run if (flow_run.run_count or 0) > 1 else None)
        has_manifest = retried is not None and (config.retry or (home() / "runs" / retried / "manifest.json").exists())
        epochs = epochs_after(retried) if retried is not None and has_manifest else {}
        settings = Settings(
            run=run, home=home(), ledger=ledger_url(), seed=config.seed, language=config.language,
            max_attempts=config.max_attempts, epochs=epochs,
        )  # fmt: skip
        return cls(kind, config, settings, process.context(settings))

    @property
    def folder(self) -> Path:
        """Where the manifest lies."""
        return self.settings.home / "runs" / self.settings.run

    def through(self, step: Technique[Any], tables: Sequence[Any], params: Any) -> list[Any]:
        """Send tables (or futures of them) through a technique, each on its own; the futures of what comes out."""
        futures = step.map(tables, models=self.config.models(), params=params, settings=self.settings)
        self._under_way.append((step.name, futures))
        return futures

    def whole(self, step: TableStep[Any], tables: Sequence[Any], params: Any) -> list[Table]:
        """Send all tables through a table step, and wait; what comes out, as tables of a shard's size."""
        future = step.submit(tables, models=self.config.models(), params=params, settings=self.settings)
        self._under_way.append((step.name, [future]))
        return self.settled()[0].split(self.config.shard_rows)

    def settled(self) -> list[Table]:
        """Wait for all that is under way; the tables of the last step, in order.

        Raises the error that a shard ended with: of several, a permanent one first, since it brought about the others.
        """
        under_way, self._under_way = self._under_way, []
        states = [(step, [_ended(future) for future in futures]) for step, futures in under_way]
        errors = [
            e for _, ended in states for s in ended if isinstance(e := s.result(raise_on_failure=False), BaseException)
        ]
        for kind in (ConfigError, Interrupted, BaseException):
            for error in errors:
                if isinstance(error, kind):
                    raise error
        tables: list[Table] = []
        for step, ended in states:
            tables = [state.result() for state in ended]
            self.steps.setdefault(step, []).extend(tables)
        return tables

    def publish(
        self, out: Path, recipe: str, frames: Iterator[pl.DataFrame], most: int | None = None
    ) -> dict[str, Any]:
        """Write the dataset, its card and the manifest; the summary of the run.

        Raises TooManyRejects, with all of it written.
        """
        summary = self._summary(out, *write_dataset(out, frames, self._tables(), most))
        write_card(out, recipe, self._model_names(), self.steps, summary)
        self._write_manifest(summary)
        self._judge()
        return summary

    def _tables(self) -> list[Table]:
        return [table for tables in self.steps.values() for table in tables]

    def _judge(self) -> None:
        """Raise TooManyRejects where a step failed too large a share of its rows."""
        for step, tables in self.steps.items():
            rows, failed = sum(table.rows_in for table in tables), sum(table.failed for table in tables)
            if rows and failed / rows > self.config.max_reject_fraction:
                reasons: Counter[str] = sum((Counter(table.rejects) for table in tables), Counter())
                raise TooManyRejects(f"{step}: {failed} of {rows} rows failed: {dict(reasons)}")

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
        write_atomically(self.folder / "manifest.json", json.dumps(manifest, indent=1).encode())

    def _model_names(self) -> list[str]:
        """Every model that may have written a row."""
        return sorted({model.name for configs in self.config.models().values() for model in configs})

    def _summary(self, dataset: Path, rows: int, rejects: int) -> dict[str, Any]:
        """The one line of `--json`."""
        tally = self.context.tally
        return {
            "dataset": str(dataset),
            "rows": rows,
            "rejects": rejects,
            "requests": tally.requests,
            "ledger_hits": tally.ledger_hits,
            "prompt_tokens": tally.prompt_tokens,
            "completion_tokens": tally.completion_tokens,
            "seconds": round(time.monotonic() - self.started, 2),
            "run": self.settings.run,
        }


def _ended(future: Any) -> Any:
    future.wait()
    return future.state
