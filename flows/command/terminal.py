"""What a person at a terminal sees of a run: progress while it goes, and a sample when it is done."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.table import Table as Grid

from flows.runs.timing import duration
from flows.service.stopping import runs_under_way
from tasks.errors import ConfigError

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
    done = threading.Event()
    with Live(console=console, refresh_per_second=4, transient=True) as live:

        def refresh() -> None:
            started, waiting = time.monotonic(), True
            while not done.wait(REFRESH_S):
                contexts = runs_under_way()
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


def show_summary(summary: dict[str, Any]) -> None:
    """Where the dataset is, what it took, what was refused at each step, and the first rows."""
    import polars as pl

    from flows.curation import taken_out
    from flows.runs.manifests import manifest
    from tasks.publish.card import by_reason
    from tasks.publish.revisions import all_data_files

    tokens = summary["prompt_tokens"] + summary["completion_tokens"]
    changes = ", ".join(f"{count} {what}" for what, count in summary["changes"].items() if count) or "no row changed"
    print(
        f"{summary.get('url') or summary['dataset']}: {summary['rows']} rows, {summary['rejects']} rejects, {summary['seconds']} s"
    )
    print(f"revision r{summary['revision']}: {changes}" if summary["revision"] else "nothing is published yet")
    if hub := summary.get("hub"):
        print(f"on the Hub: {hub['url']}, tag {hub['revision']}")
    cost = "" if summary["cost"] is None else f", cost {summary['cost']:.6g}"
    print(f"{summary['requests']} requests, {tokens} tokens{cost}, {summary['ledger_hits']} answers from the ledger")
    if reused := summary.get("tables_reused"):
        print(f"{reused} finished tables of earlier runs are used again: nothing had to be asked for them")
    steps = manifest(summary["run"])["steps"]
    for step, tables in steps.items():
        rows_in, rows = (sum(table[count] for table in tables) for count in ("rows_in", "rows"))
        rejected, lost = (by_reason(table[count] for table in tables) for count in ("rejects", "losses"))
        print(f"  {step}: {rows_in} rows in, {rows} out; rejected: {rejected}; lost inside rows: {lost}")
    if line := taken_out(steps):
        print(line)
    if summary["rows"]:
        for row in pl.read_parquet(all_data_files(Path(summary["dataset"]))[0], n_rows=SAMPLES).iter_rows(named=True):
            print()
            show_row(row)


def show_estimate(told: dict[str, Any]) -> None:
    """What a whole run would take, and what the sample took."""
    sample = told["sample"]
    cost = "" if sample["cost"] is None else f", cost {sample['cost']:.6g}"
    print(
        f"sample: {sample['rows_in']} rows, {sample['rows']} came of them; {sample['requests']} requests paid, {sample['ledger_hits']} "
        f"on record, {sample['prompt_tokens']} + {sample['completion_tokens']} tokens{cost}, {duration(sample['seconds'])}"
    )
    length = "the source's length is not known, so of 1000 of its rows" if told["per_rows"] else "of the whole run"
    print(f"{length}, the sample included, with a range of {told['covered']:.0%}:")
    for name, values in told["estimate"].items():
        written = duration if name == "seconds" else "{:,}".format
        low, high, title = values["low"], values["high"], "time" if name == "seconds" else name.replace("_", " ")
        print(
            f"  {title:<18}{written(values['expected']):>12}"
            + (f"  ({written(low)} to {written(high)})" if low < high else "")
        )
    if rounds := told["rounds"]:
        print(
            f"batches go in rounds: {rounds} or more one after another, each of a day at most; the sample was asked one by one"
        )
    elif told["mean_request_s"] is None:
        print("all of the sample was on record, so nothing is known of the time")
    else:
        windows = ", ".join(f"{most} ({name})" for name, most in told["in_flight"].items())
        print(
            f"the time holds if a request takes {told['mean_request_s']:g} s with {windows} in flight as it did with {sample['in_flight']:g}; "
            f"if it goes no faster than the sample went, {duration(told['seconds_at_sample_pace'])}"
        )
    if told["note"] is not None:
        print(told["note"])
    print("the sample's answers are in the ledger: the run does not pay for them again")


def show_row(row: dict[str, Any]) -> None:
    """Print what a row says, turn by turn; of a pair the prompt, then both sides."""
    from flows.watch.sample import named_texts

    for name, text in named_texts(row):
        print(f"  {name}: {text}")


def show_rejects(run: str, most: int) -> None:
    """Print the rejects of a run: reason, detail, what went in, the last raw text. Raises ConfigError where they are gone."""
    for row in rejects_of_run(run, most):
        print(
            f"{row['row_id']}  {row['step']}  {row['kind']}: {row['reason']}  {row['detail']}  ({row['attempts']} attempts)"
        )
        print(f"    in:  {row['input']}\n    raw: {row['raw']!r}")


def rejects_of_run(run: str, most: int) -> Iterator[dict[str, Any]]:
    """The first rejects of a run, with their step. Raises ConfigError for a run that there is not, or where they are gone."""
    from flows.runs.manifests import manifest
    from tasks.storage.tables import Table

    shown, past = 0, manifest(run)
    for step, tables in past["steps"].items():
        for table in map(Table.model_validate, tables):
            frame = table.read_beside("rejects")
            if frame is None and table.rejects:
                fix = f"{past['summary']['dataset']}/rejects.parquet has those of the dataset; or run it again"
                raise ConfigError("the tables of the run were removed", f"{run}: {step}", fix)
            for row in [] if frame is None else frame[: most - shown].iter_rows(named=True):
                shown += 1
                yield {"step": step, **row}


def show_origin(lines: Iterable[dict[str, Any]]) -> None:
    """Print the ancestry of a row, the youngest first, a line a request."""
    for line in lines:
        parents = ", ".join(line["parents"] or ())
        print(f"{line['row_id']}  {line['technique']}  {f'from {parents}' if parents else 'where it begins'}")
        if line["model"] is not None:
            print(
                f"    {line['role']} asked {line['model']} with {line['template']} #{line['sample']}, "
                f"attempt {line['attempts']}, {line['prompt_tokens']} + {line['completion_tokens']} tokens, "
                f"seed {line['seed']}, {line['sampling']}"
            )


def _grid(contexts: list[Context], seconds: float) -> Grid:
    grid = Grid(box=None, pad_edge=False)
    for title in ("step", "rows", "rejects", "requests", "from ledger", "tokens/s", "time left"):
        grid.add_column(title, justify="left" if title == "step" else "right")
    for context in contexts:
        tally = context.accounting.tally
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
