"""One run of a flow: its settings, the tables it makes, and the manifest that it leaves, written last."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from prefect.runtime import flow_run

from flows.config import RunConfig
from tasks.engine.context import Context
from tasks.engine.home import home, ledger_url
from tasks.engine.process import Settings, process
from tasks.engine.files import write_atomically
from tasks.engine.tables import Table
from tasks.errors import Interrupted, PermanentError


class TooManyRejects(RuntimeError):
    """The dataset is written, but a step failed more rows than `max_reject_fraction` allows."""


@dataclass
class Run:
    """A run under way. `steps`: the finished tables by step, in the order of their shards."""

    kind: str
    config: RunConfig
    settings: Settings
    context: Context
    started: float = field(default_factory=time.monotonic)
    steps: dict[str, list[Table]] = field(default_factory=dict)

    @classmethod
    def start(cls, kind: str, config: RunConfig, epochs: dict[str, Table] | None = None) -> Run:
        """Open ledger and models. Raises ConfigError before anything is paid for."""
        run = f"{kind}-{str(flow_run.id or 'plain')[:8]}"
        settings = Settings(
            run=run, home=home(), ledger=ledger_url(), seed=config.seed, language=config.language,
            max_attempts=config.max_attempts, epochs=epochs or {},
        )  # fmt: skip
        context = process.context(settings)
        for configs in config.models().values():
            for model in configs:
                process.model(model)
        return cls(kind, config, settings, context)

    @property
    def folder(self) -> Path:
        """Where the manifest lies."""
        return self.settings.home / "runs" / self.settings.run

    def finished(self, step: str, futures: Iterable[Any]) -> list[Table]:
        """Wait for a step; its tables in order. Raises the first error that a shard ended with."""
        states = [future.state if not hasattr(future, "wait") else _waited(future) for future in futures]
        errors = [error for state in states if isinstance(error := state.result(raise_on_failure=False), BaseException)]
        for kind in (PermanentError, Interrupted, BaseException):  # the cause before what it brought about
            for error in errors:
                if isinstance(error, kind):
                    raise error
        tables = [state.result() for state in states]
        self.steps.setdefault(step, []).extend(tables)
        return tables

    def judge(self) -> None:
        """Raise TooManyRejects where a step failed too large a share of its rows."""
        for step, tables in self.steps.items():
            rows, failed = sum(table.rows_in for table in tables), sum(table.failed for table in tables)
            if rows and failed / rows > self.config.max_reject_fraction:
                reasons: Counter[str] = sum((Counter(table.rejects) for table in tables), Counter())
                raise TooManyRejects(f"{step}: {failed} of {rows} rows failed: {dict(reasons)}")

    def write_manifest(self, summary: dict[str, Any]) -> None:
        """Write what the run was and made."""
        manifest = {
            "run": self.settings.run,
            "kind": self.kind,
            "config": self.config.model_dump(mode="json"),
            "settings": self.settings.model_dump(mode="json"),
            "steps": {step: [table.model_dump() for table in tables] for step, tables in self.steps.items()},
            "tally": asdict(self.context.tally),
            "summary": summary,
        }
        write_atomically(self.folder / "manifest.json", json.dumps(manifest, indent=1).encode())

    def model_names(self) -> list[str]:
        """Every model that may have written a row."""
        return sorted({model.name for configs in self.config.models().values() for model in configs})

    def summary(self, dataset: Path, rows: int, rejects: int) -> dict[str, Any]:
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


def _waited(future: Any) -> Any:
    future.wait()
    return future.state
