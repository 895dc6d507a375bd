"""What is paid for again after a kill, a refusal, a row more, a changed prompt: rows E to H of the rivals' table.

    python -m tests.benchmarks.endpoint E F G H

Real flows (recipe `respond`) against the sleeping server, which counts how often each question is asked. E starts the
command in a process of its own and kills it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks.lines import Line
from tests.benchmarks.sleeper import Seen, seen, sleeping

ROOT = Path(__file__).parents[2]
ROWS = 100
COMMIT_S = 0.02
"""An answer reaches its row once it is committed, 20 ms after it came at most: until then its request is in flight."""


@contextmanager
def prefect_server() -> Iterator[None]:
    """A Prefect server for these tests, in a folder of its own."""
    from tasks.storage.home import keep_prefect_off_the_terminal

    with tempfile.TemporaryDirectory() as folder:
        os.environ["STILLROOM_HOME"] = folder
        keep_prefect_off_the_terminal()
        from prefect.testing.utilities import prefect_test_harness

        import flows  # noqa: F401 - settles Prefect's folders

        with prefect_test_harness(server_startup_timeout=120):
            yield


@contextmanager
def household() -> Iterator[Path]:
    """A folder with a home of its own."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["STILLROOM_HOME"] = f"{folder}/home"
        yield Path(folder)


def respond(folder: Path, url: str, rows: int, **options: Any) -> dict[str, Any]:
    """The summary of a run over the first so many questions."""
    from flows.config import InstructionSFT
    from flows.instruction_sft import instruction_sft

    seeds: list[Any] = [f"What is {number}?" for number in range(rows)]
    model = {"name": f"bench@{url}", "max_in_flight": 50}
    out = str(folder / "out")
    return instruction_sft(InstructionSFT(recipe="respond", seeds=seeds, out=out, model=model, **options))


def test_e(rows: int = 2000, in_flight: int = 100) -> Line:
    with household() as folder, sleeping(0.2) as url:
        from prefect.settings import PREFECT_API_URL

        (folder / "seeds.jsonl").write_text(
            "".join(json.dumps({"instruction": f"What is {number}?"}) + "\n" for number in range(rows))
        )
        command = [
            sys.executable,
            "-m",
            "flows.command.main",
            "sft",
            "--recipe",
            "respond",
            "--seeds",
            "seeds.jsonl",
            "--out",
            "out",
            "--json",
            "--model",
            f"bench@{url}",
            "--set",
            f"model.max_in_flight={in_flight}",
        ]
        environment = os.environ | {"PREFECT_API_URL": str(PREFECT_API_URL.value()), "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL) as process:
            while len(seen(url).answered_s_ago) < 0.6 * rows:
                assert process.poll() is None, "the run ended before it could be killed"
                time.sleep(0.01)
            process.kill()
        at_the_kill = seen(url)
        done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        summary = json.loads(done.stdout.splitlines()[-1])
        assert summary["rows"] == rows, summary
        twice, fresh = seen(url).requests - rows, at_the_kill.answered_within(COMMIT_S)
    what = f"{rows} rows, {in_flight} at once, SIGKILL after {len(at_the_kill.answered_s_ago)} answers, started again"
    bar = f"{in_flight} in flight and {fresh} answered in the last {COMMIT_S * 1000:.0f} ms"
    return Line(what, f"{twice} requests made twice", "0", bar, twice <= in_flight + fresh)


def test_f() -> Line:
    with household() as folder, sleeping(0.005, ill=17) as url:
        from flows.retry_failed import retry_failed

        first = respond(folder, url, ROWS)
        before = seen(url, heal=True).requests
        healed = retry_failed(first["run"])
        cost = seen(url).requests - before
    what = f"1 of {ROWS} rows answered with HTTP 400, later healed"
    figure = f"{first['rows']} rows out meanwhile, the retry costs {cost} request(s), then {healed['rows']} rows"
    met = (first["rows"], cost, healed["rows"]) == (ROWS - 1, 1, ROWS)
    return Line(what, figure, "1 request", f"1, and {ROWS - 1} rows out meanwhile", met)


def test_g() -> Line:
    cost, rows = _second_run(ROWS + 1)
    return Line(f"a row appended to {ROWS}", f"{cost} request(s)", "1", "1", (cost, rows) == (1, ROWS + 1))


def test_h() -> Line:
    cost, rows = _second_run(ROWS, text_generation={"system": "Be brief."})
    return Line(f"system prompt of {ROWS} rows changed", f"{cost} requests", f"{ROWS}", f"{ROWS}", cost == rows == ROWS)


def _second_run(rows: int, **changes: Any) -> tuple[int, int]:
    """Requests and rows of a run after another one of `ROWS` rows that differs from it in this."""
    with household() as folder, sleeping(0.005) as url:
        respond(folder, url, ROWS)
        before: Seen = seen(url)
        summary = respond(folder, url, rows, **changes)
        return seen(url).requests - before.requests, summary["rows"]
