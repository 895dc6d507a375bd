"""The report of large datasets: seconds, peak memory and the size of the page, each in a process of its own.

    python -m tests.benchmarks.report [ROWS...]

ROWS: 100,000 and 1,000,000. Rows have a question of some 24 words and an answer of some 200, three requests each behind them, and
one candidate in ten is rejected. What it takes to make them is not counted.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from tasks.publish.changes import Changes
from tasks.publish.report.page import write_report
from tasks.publish.revisions import HISTORY, Publication
from tasks.storage.tables import PROVENANCE, REJECTS, write_stream
from tests.benchmarks.curation import made_texts
from tests.benchmarks.lines import Line

SECONDS = 20.0  # of 100,000 rows
MOST_MB, MOST_BYTES = 1_000, 2_000_000
AT_ONCE, MADE = 10_000, 20_000
REQUESTS = (("seeded", "self_instruct"), ("evolved", "evol_instruct"), ("answered", "text_generation"))


def main() -> None:
    """A line for each number of rows."""
    for rows in [int(told) for told in sys.argv[1:]] or [100_000, 1_000_000]:
        with tempfile.TemporaryDirectory() as folder:
            made_dataset(Path(folder), rows)
            command = [sys.executable, "-m", "tests.benchmarks.report", "apart", folder]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
        seconds, cpu_s, peak_mb, size = json.loads(told)
        figure = f"{seconds:.1f} s ({cpu_s:.1f} s of processors), peak {peak_mb:,.0f} MB, {size / 1e6:.2f} MB"
        most_s = SECONDS * rows / 100_000
        met = seconds <= most_s and peak_mb <= MOST_MB and size <= MOST_BYTES
        print(Line(f"report, {rows:,} rows", figure, "-", f"{most_s:.0f} s, {MOST_MB} MB, 2 MB", met), flush=True)


def made_dataset(folder: Path, rows: int) -> None:
    """A dataset as a run leaves it, without its card."""
    write_stream(folder / "data" / "train.parquet", _conversations(rows))
    write_stream(folder / "rejects.parquet", _frames(rows // 10, REJECTS, _reject))
    lines = (frame for number, _ in enumerate(REQUESTS) for frame in _frames(rows, PROVENANCE, _request(number)))
    write_stream(folder / "provenance.parquet", lines)
    write_stream(folder / "losses.parquet", [pl.DataFrame(schema=REJECTS)])
    line = Publication(
        revision=1,
        run="sft-1",
        replaces=True,
        retried=None,
        kind="sft",
        recipe="evolved",
        format="sft",
        models=["m"],
        rows=rows,
        changes=Changes(added=rows),
        blank_rows=0,
        at="2026-01-01",
    )
    (folder / HISTORY).write_text(line.model_dump_json() + "\n")


def _conversations(rows: int) -> Iterator[pl.DataFrame]:
    """Rows of some texts that are made, again and again with a number of their own."""
    asked, answered = list(made_texts(MADE)), list(made_texts(MADE, 200))
    numbers = iter(range(rows))
    while some := list(islice(numbers, AT_ONCE)):
        yield pl.DataFrame(
            {
                "row_id": [f"{at:032x}" for at in some],
                "messages": [
                    [
                        {"role": "user", "content": f"{asked[at % MADE]} ({at})"},
                        {"role": "assistant", "content": f"{at}: {answered[at * 7 % MADE]}"},
                    ]
                    for at in some
                ],
                "operations": [["deepen", ""][: at % 3] for at in some],
                "score": [1 + at % 9 / 2 for at in some],
                "source": [f"source {at % 7}" for at in some],
            }
        )


def _frames(rows: int, schema: dict[str, Any], made: Any) -> Iterator[pl.DataFrame]:
    numbers = iter(range(rows))
    while some := list(islice(numbers, AT_ONCE)):
        lines = [made(at) for at in some]
        yield pl.DataFrame({name: [line.get(name) for line in lines] for name in schema}, schema=schema)


def _reject(at: int) -> dict[str, Any]:
    reason = ("truncated", "refusal", "near_duplicate")[at % 3]
    return {
        "row_id": f"reject-{at}",
        "kind": "failed",
        "reason": reason,
        "technique": "text_generation",
        "attempts": 3,
        "raw": "What was said. " * 60,
        "input": "What was asked. " * 10,
    }


def _request(number: int) -> Any:
    """The line of a request in the chain that leads to a row."""
    name, technique = REQUESTS[number]
    before = REQUESTS[number - 1][0] if number else "seed"

    def line(at: int) -> dict[str, Any]:
        own = f"{at:032x}" if number == len(REQUESTS) - 1 else f"{name}-{at}"
        return {
            "row_id": own,
            "parents": [f"{before}-{at}"],
            "technique": technique,
            "role": "generator",
            "template": technique,
            "sample": 0,
            "prompt_digest": f"{at:032x}",
            "model": "m",
            "seed": at,
            "attempts": 1,
            "sampling": '{"temperature": 1.0, "top_p": 0.95, "max_new_tokens": 2048}',
            "prompt_tokens": 90,
            "completion_tokens": 250,
        }

    return line


def apart(folder: Path) -> None:
    """Write the report in this process; prints seconds, those of processors, peak memory in MB and bytes of the page."""
    began, began_cpu = time.perf_counter(), time.process_time()
    size = write_report(folder).stat().st_size
    took = [time.perf_counter() - began, time.process_time() - began_cpu]
    print(json.dumps([*took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, size]))


if __name__ == "__main__":
    if sys.argv[1:2] == ["apart"]:
        apart(Path(sys.argv[2]))
    else:
        main()
