"""How long a command takes that has nothing to do: one row, whose answer is on record.

    python -m tests.benchmarks.start [TIMES]    # default: 5

Beside it, in turns, what no command with a Prefect server of its own can go below: the import of that server. Medians; CPU
is that of all processes of a command, which on two cores run at the same time.
"""

from __future__ import annotations

import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.lines import Line
from tests.serving import Served, environment, free_port

SERVER = ["-c", "import prefect.server.api.server"]
STILLROOM = ["-m", "flows.command.main"]
RUN = [*STILLROOM, "sft", "--recipe", "respond", "--seeds", "seeds.txt", "--out", "out", "--json"]
MISTAKE = [*STILLROOM, "sft", "--seeds", "none.txt"]
HELP = [*STILLROOM, "--help"]
COLD_BAR, BESIDE_BAR, WORDS_BAR_S = 1.8, 0.8, 1.0


class Took(NamedTuple):
    """Seconds on the clock, and of CPU."""

    wall_s: float
    cpu_s: float


def main() -> None:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "seeds.txt").write_text("Name a colour.\n")
        took(folder, RUN)  # puts the answer on record
        cold = in_turns(folder, times, {"import": SERVER, "run": RUN, "new": RUN, "mistake": MISTAKE, "help": HELP})
        with served(folder):
            beside = in_turns(folder, times, {"import": SERVER, "run": RUN})
    print(line("start: one row on record, cold", cold["run"], cold["import"], COLD_BAR))
    print(line("start: the same, and Prefect's database is new", cold["new"], cold["import"], COLD_BAR))
    print(line("start: the same beside `stillroom serve`", beside["run"], beside["import"], BESIDE_BAR))
    for what in ("help", "mistake"):
        wall_s = cold[what].wall_s
        print(Line(f"start: {what}", f"{wall_s:.2f} s", "0 s", f"{WORDS_BAR_S:.0f} s", wall_s < WORDS_BAR_S))


def in_turns(folder: Path, times: int, commands: dict[str, list[str]]) -> dict[str, Took]:
    """Run each command so many times, one after the other; the medians of each."""
    all_of: dict[str, list[Took]] = defaultdict(list)
    for _ in range(times):
        for name, command in commands.items():
            if name == "new":
                shutil.rmtree(folder / "home" / "prefect")
            all_of[name].append(took(folder, command, expected=2 if name == "mistake" else 0))
    middle: Callable[..., float] = statistics.median
    return {name: Took(middle(t.wall_s for t in of), middle(t.cpu_s for t in of)) for name, of in all_of.items()}


def took(folder: Path, command: list[str], expected: int = 0) -> Took:
    """Run Python with these arguments; what it and all that it waited for took."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    done = subprocess.run([sys.executable, *command], cwd=folder, env=environment(folder), **quiet, check=False)
    wall_s, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == expected, f"{command}: exit code {done.returncode}"
    return Took(wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def line(what: str, run: Took, server: Took, bar: float) -> Line:
    ratio, cpu = run.wall_s / server.wall_s, run.cpu_s / server.cpu_s
    figure = f"{run.wall_s:.2f} s, {ratio:.2f} x ({run.cpu_s:.2f} s CPU, {cpu:.2f} x)"
    ideal = f"the import of Prefect's server, {server.wall_s:.2f} s ({server.cpu_s:.2f} s CPU)"
    return Line(what, figure, ideal, f"{bar} x", ratio <= bar)


@contextmanager
def served(folder: Path) -> Iterator[None]:
    serving = Served(folder, free_port())
    try:
        yield
    finally:
        serving.stop()


if __name__ == "__main__":
    main()
