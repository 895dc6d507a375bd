"""What `stillroom fit` takes for a large file of conversations: seconds, those of all its processes, and the peak memory of one.

    python -m tests.benchmarks.fit [ROWS]        # default: 100,000

A hundredth of the rows is looked at first, by a command of its own: what it takes to start is told beside.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.lines import Line
from tests.publish.trainers.rows import messages

ROWS, PIECE = 100_000, 5_000  # rows; conversations that differ
BAR_S, CORES, BAR_MB = 60, 2, 1500


def main() -> None:
    """Both figures, a line each."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as folder:
        os.environ["STILLROOM_HOME"] = f"{folder}/home"
        print(fitted(Path(folder), max(1, rows // 100)), flush=True)
        print(fitted(Path(folder), rows), flush=True)


def fitted(folder: Path, rows: int) -> Line:
    """One command on so many conversations of up to nine turns, 74 tokens a turn."""
    file = folder / f"{rows}.jsonl"
    made = [json.dumps(messages(random.Random(at))) + "\n" for at in range(min(rows, PIECE))]
    with file.open("w") as out:
        out.writelines(made[at % PIECE] for at in range(rows))
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "flows.command.main", "fit", str(file), "--model", "demo", "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    wall_s, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert json.loads(done.stdout.splitlines()[-1])["rows"] == rows
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak_mb = after.ru_maxrss / 1024
    figure = f"{wall_s:.1f} s, {cpu_s:.1f} s of all cores, peak of one process {peak_mb:,.0f} MB"
    met = cpu_s <= BAR_S * CORES and peak_mb <= BAR_MB
    bar = f"{BAR_S} s on {CORES} cores, {BAR_MB:,} MB"
    return Line(f"fit, {rows:,} conversations", figure, "-", bar, met)


if __name__ == "__main__":
    main()
