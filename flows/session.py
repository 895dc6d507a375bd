"""What a person at a terminal sees of a run: progress while it goes, and a sample when it is done."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.table import Table as Grid

if TYPE_CHECKING:
    from tasks.engine.context import Context

SAMPLES = 3
REFRESH_S = 0.5
console = Console(stderr=True)


@contextmanager
def progress(shown: bool) -> Iterator[None]:
    """A live table, a line a technique, until the block ends."""
    if not shown:
        yield
        return
    from tasks.engine.process import process

    done = threading.Event()
    with Live(console=console, refresh_per_second=4, transient=True) as live:

        def refresh() -> None:
            started, waiting = time.monotonic(), True
            while not done.wait(REFRESH_S):
                contexts = process.contexts()
                if contexts and waiting:  # the clock of the pace starts with the run, not with Prefect's server
                    started, waiting = time.monotonic(), False
                live.update(_grid(contexts, time.monotonic() - started))

        thread = threading.Thread(target=refresh, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def show(summary: dict[str, Any]) -> None:
    """Where the dataset is, what it took, what was refused at each step, and the first rows."""
    import polars as pl

    from flows.manifests import manifest
    from tasks.publish.card import by_reason
    from tasks.publish.revisions import TRAIN

    tokens = summary["prompt_tokens"] + summary["completion_tokens"]
    changes = ", ".join(f"{count} {what}" for what, count in summary["changes"].items() if count) or "no row changed"
    print(f"{summary['dataset']}: {summary['rows']} rows, {summary['rejects']} rejects, {summary['seconds']} s")
    print(f"revision r{summary['revision']}: {changes}" if summary["revision"] else "nothing is published yet")
    cost = "" if summary["cost"] is None else f", cost {summary['cost']:.6g}"
    print(f"{summary['requests']} requests, {tokens} tokens{cost}, {summary['ledger_hits']} answers from the ledger")
    for step, tables in manifest(summary["run"])["steps"].items():
        rows_in, rows = (sum(table[count] for table in tables) for count in ("rows_in", "rows"))
        rejected, lost = (by_reason(table[count] for table in tables) for count in ("rejects", "losses"))
        print(f"  {step}: {rows_in} rows in, {rows} out; rejected: {rejected}; lost inside rows: {lost}")
    train = Path(summary["dataset"]) / TRAIN
    if summary["rows"]:
        for row in pl.read_parquet(train, n_rows=SAMPLES).iter_rows(named=True):
            print()
            _show_row(row)


def show_estimate(told: dict[str, Any]) -> None:
    """What a whole run would take, and what the sample took."""
    sample = told["sample"]
    cost = "" if sample["cost"] is None else f", cost {sample['cost']:.6g}"
    print(f"sample: {sample['rows_in']} rows, {sample['rows']} came of them; {sample['requests']} requests paid, {sample['ledger_hits']} "
          f"on record, {sample['prompt_tokens']} + {sample['completion_tokens']} tokens{cost}, {_duration(sample['seconds'])}")  # fmt: skip
    length = "the source's length is not known, so of 1000 of its rows" if told["per_rows"] else "of the whole run"
    print(f"{length}, the sample included, with a range of {told['covered']:.0%}:")
    for name, values in told["estimate"].items():
        written = _duration if name == "seconds" else "{:,}".format
        low, high, title = values["low"], values["high"], "time" if name == "seconds" else name.replace("_", " ")
        print(f"  {title:<18}{written(values['expected']):>12}" + (f"  ({written(low)} to {written(high)})" if low < high else ""))  # fmt: skip
    if told["mean_request_s"] is None:
        print("all of the sample was on record, so nothing is known of the time")
    else:
        windows = ", ".join(f"{most} ({name})" for name, most in told["in_flight"].items())
        print(f"the time holds if a request takes {told['mean_request_s']:g} s with {windows} in flight as it did with {sample['in_flight']:g}; "
              f"if it goes no faster than the sample went, {_duration(told['seconds_at_sample_pace'])}")  # fmt: skip
    if told["note"] is not None:
        print(told["note"])
    print("the sample's answers are in the ledger: the run does not pay for them again")


def _duration(seconds: float) -> str:
    """In words: "45 s", "12 min", "3 h 20 min"."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.3g} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def _show_row(row: dict[str, Any]) -> None:
    """Conversations as they are; of a pair the prompt, then both sides."""
    from flows.samples import words_of

    for column in ("messages", "prompt", "chosen", "rejected"):
        for message in row[column] if isinstance(row.get(column), list) else []:
            name = column if column in ("chosen", "rejected") else message["role"]
            print(f"  {name}: {words_of(message)}")


def show_rejects(run: str, most: int) -> None:
    """Print the rejects of a run: reason, detail, what went in, the last raw text."""
    from flows.manifests import manifest
    from tasks.engine.tables import Table

    shown = 0
    for step, tables in manifest(run)["steps"].items():
        for table in map(Table.model_validate, tables):
            frame = table.read_beside("rejects")
            for row in [] if frame is None else frame[: most - shown].iter_rows(named=True):
                shown += 1
                print(
                    f"{row['row_id']}  {step}  {row['kind']}: {row['reason']}  {row['detail']}  ({row['attempts']} attempts)"
                )
                print(f"    in:  {row['input']}\n    raw: {row['raw']!r}")


def show_origin(dataset: Path, row_id: str) -> None:
    """Print the ancestry of a row, the youngest first, a line a request. Raises ConfigError for an unknown row."""
    import polars as pl

    from tasks.errors import ConfigError

    if not (dataset / "provenance.parquet").exists():
        raise ConfigError("no provenance there", dataset, "give the folder of a dataset")
    lines = pl.scan_parquet(dataset / "provenance.parquet")
    wanted = (
        lines.filter(pl.col("row_id").str.starts_with(row_id)).select("row_id").unique().collect()["row_id"].to_list()
    )
    if not wanted:
        raise ConfigError("no such row in the dataset", row_id, "take a row_id of its rows, intermediate ones included")
    while wanted:
        found = lines.filter(pl.col("row_id").is_in(wanted)).collect()
        for line in found.iter_rows(named=True):
            print(f"{line['row_id']}  {line['technique']}  from {', '.join(line['parents'])}")
            if line["model"] is not None:
                print(f"    {line['role']} asked {line['model']} with {line['template']} #{line['sample']}, attempt {line['attempts']}, "
                      f"{line['prompt_tokens']} + {line['completion_tokens']} tokens, seed {line['seed']}, {line['sampling']}")  # fmt: skip
        wanted = found.explode("parents")["parents"].unique().sort().to_list()


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
