"""What a run under way has come to, as a file in its folder: for whoever looks without a Prefect server.

`runs/RUN/live.json` is written about once a second while the run works, and is gone when it has ended.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from flows.runs.manifests import run_folder
from flows.runs.progress import StepProgress
from flows.runs.run import Run
from tasks.errors import ConfigError
from tasks.storage.files import write_atomically
from tasks.storage.home import home
from tasks.storage.tables import Table

LIVE = "live.json"
TOLD_OF_A_STEP = ("done", "known", "rows_out", "failed", "tokens_per_s", "seconds", "left_s", "is_over")


def write_live(run: Run, flow_run: str, steps: Sequence[StepProgress]) -> None:
    """Write what a run has come to. What cannot be written is not shown: no run ends for it."""
    told = {
        "run": run.settings.run,
        "flow_run": flow_run,
        "pid": os.getpid(),
        "group": os.getpgid(0),
        "dataset": run.plan.dataset,
        "folder": str(run.plan.folder.absolute()),
        "rows_wanted": run.plan.rows,
        "steps": [_step(step, run.progress.tables().get(step.name, [])) for step in steps],
        **{name: getattr(run.context.accounting.tally, name) for name in ("requests", "ledger_hits", "cost")},
        "is_priced": run.plan.is_priced,
        "budget": str(run.plan.budget),
    }
    with suppress(ConfigError, OSError):
        write_atomically(run_folder(run.settings.run) / LIVE, json.dumps(told).encode())


def remove_live(run: Run) -> None:
    """Remove the file of a run that has ended."""
    with suppress(OSError):
        (run_folder(run.settings.run) / LIVE).unlink(missing_ok=True)


def live_runs() -> Iterator[dict[str, Any]]:
    """The runs of this home that are under way on this machine."""
    for path in home().glob(f"runs/*/{LIVE}"):
        with suppress(OSError, ValueError):
            told = json.loads(path.read_text(encoding="utf-8"))
            os.kill(told["pid"], 0)  # one that was killed has left its file
            yield told


def _step(step: StepProgress, tables: Sequence[Table]) -> Mapping[str, Any]:
    rejects: Counter[str] = step.rejects
    return {
        "name": step.name,
        **{name: getattr(step, name) for name in TOLD_OF_A_STEP},
        "rejects": dict(rejects),
        "requests": step.tally.requests,
        "ledger_hits": step.tally.ledger_hits,
        "last_table": tables[-1].path if tables else None,
    }
