"""What a person at a terminal sees of a run: progress while it goes, a sample when it is done, and a clean Ctrl-C."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table as Grid

from flows.run import TooManyRejects
from tasks.engine.context import Context
from tasks.engine.process import process

SAMPLES = 3
REFRESH_S = 0.5
console = Console(stderr=True)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Prefect's log lines off the terminal: the progress line tells, and errors come back as exceptions."""
    import prefect.logging.configuration  # noqa: F401 - sets its loggers up, so that our levels stay

    for name in ("prefect", "prefect.flow_runs", "prefect.task_runs", "prefect.server", "httpx"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    yield


@contextmanager
def progress(shown: bool) -> Iterator[None]:
    """A live table, a line a technique, until the block ends."""
    if not shown:
        yield
        return
    started, done = time.monotonic(), threading.Event()
    with Live(console=console, refresh_per_second=4, transient=True) as live:

        def refresh() -> None:
            while not done.wait(REFRESH_S):
                live.update(_grid(process.contexts(), time.monotonic() - started))

        thread = threading.Thread(target=refresh, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


@contextmanager
def stopping_on_ctrl_c() -> Iterator[None]:
    """The first Ctrl-C lets what is in flight finish and stops; the second stops at once."""

    def stop(_signal: int, _frame: Any) -> None:
        contexts = process.contexts()
        if not contexts or any(context.stop.is_set() for context in contexts):
            raise KeyboardInterrupt
        console.print("stopping: waiting for what is in flight (Ctrl-C again stops at once)")
        for context in contexts:
            context.stop.set()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def show(summary: dict[str, Any]) -> None:
    """Where the dataset is, what it took, and the first rows of it."""
    import polars as pl

    from tasks.publish.dataset import TRAIN

    out = Path(summary["dataset"])
    print(f"{out}: {summary['rows']} rows, {summary['rejects']} rejects, {summary['requests']} requests "
          f"({summary['ledger_hits']} from the ledger), {summary['seconds']} s")  # fmt: skip
    train = out / TRAIN
    if summary["rows"] and train.exists():
        for row in pl.read_parquet(train, n_rows=SAMPLES).iter_rows(named=True):
            print()
            for message in row["messages"]:
                print(f"  {message['role']}: {message['content']}")


def _grid(contexts: list[Context], seconds: float) -> Grid:
    grid = Grid(box=None, pad_edge=False)
    for title in ("step", "rows", "rejects", "requests", "from ledger", "tokens/s", "time left"):
        grid.add_column(title, justify="left" if title == "step" else "right")
    for context in contexts:
        tally = context.tally
        for step, rows_in in list(tally.rows_in.items()):
            grid.add_row(step, f"{tally.rows_done[step]}/{rows_in}", str(tally.rejects[step]))
        rate = tally.completion_tokens / max(seconds, 1e-9)
        grid.add_row("all", "", "", str(tally.requests), str(tally.ledger_hits), f"{rate:.0f}", _left(tally, seconds))
    if not contexts:
        grid.add_row("starting", "", "", "", "", "", f"{seconds:.0f} s")
    return grid


def _left(tally: Any, seconds: float) -> str:
    """Time left for the rows that have begun their steps, at the pace so far."""
    done, known = sum(tally.rows_done.values()), sum(tally.rows_in.values())
    return f"{seconds * (known - done) / done:.0f} s" if done else ""


__all__ = ["TooManyRejects", "progress", "quiet", "show", "stopping_on_ctrl_c"]
