"""How well a pipeline keeps its model busy: recipe `evolved`, where the latency of requests varies as that of real ones.

    python -m tests.benchmarks.pipeline [SEEDS [SHARD_ROWS]]     # default: 400 in shards of up to 1000

Each seed is a chain of seven requests (one of Self-Instruct, six of Evol-Instruct; its answer is the response), 50 at once,
of log-normal latency with sigma 1. The bar: 95 % of what list scheduling makes of the same chains with the same latencies
(oldest first, Graham 1966), where no request waits for one of another chain.
"""

from __future__ import annotations

import heapq
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.orchestration import prefect_server
from tests.benchmarks.rules import MEAN_S, latency_s

RULE = f"scripted:{Path(__file__).with_name('rules.py')}:lingering"
REQUESTS, AT_ONCE, BAR = 7, 50, 0.95


def main() -> None:
    seeds, shard_rows = (int(sys.argv[at]) if len(sys.argv) > at else n for at, n in ((1, 400), (2, 1000)))
    bound_s = scheduled_s([[latency_s(chain, number) for number in range(REQUESTS)] for chain in range(seeds)], AT_ONCE)
    with prefect_server() as (url, _pid), tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.benchmarks.pipeline", "--one", str(seeds), str(shard_rows), folder]
        environment = os.environ | {"STILLROOM_HOME": f"{folder}/home", "PREFECT_API_URL": url}
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    taken = json.loads(done.stdout.splitlines()[-1])
    assert taken["requests"] == seeds * REQUESTS, taken
    print(
        f"pipeline: {seeds} chains of {REQUESTS} requests ({MEAN_S} s on average), {AT_ONCE} at once, shards of up to "
        f"{shard_rows}: {taken['wall_s']:.1f} s, the first row after {taken['first_s']:.1f} s; list scheduling without "
        f"barriers {bound_s:.1f} s: {bound_s / taken['wall_s']:.0%} of it (bar: {BAR:.0%})"
    )


def scheduled_s(chains: list[list[float]], at_once: int) -> float:
    """How long chains of requests take where each request begins as soon as the one before it has ended and a slot is free.

    Of those that wait, the one of the oldest chain goes first.
    """
    waiting, under_way, now = [(chain, 0) for chain in range(len(chains))], list[tuple[float, int, int]](), 0.0
    while waiting or under_way:
        while waiting and len(under_way) < at_once:
            chain, number = heapq.heappop(waiting)
            heapq.heappush(under_way, (now + chains[chain][number], chain, number))
        now, chain, number = heapq.heappop(under_way)
        if number + 1 < len(chains[chain]):
            heapq.heappush(waiting, (chain, number + 1))
    return now


def _one(seeds: int, shard_rows: int, folder: Path) -> None:
    """Send the seeds through the recipe as the flow does; print what it took."""
    from prefect import flow

    from flows.config import InstructionSFT
    from flows.runs.candidates import candidates_of
    from flows.runs.make import through_recipe
    from flows.runs.plan import plan_of
    from flows.runs.run import Run
    from flows.runs.runners.shard_runner import ShardRunner
    from flows.watch.hooks import watched
    from tasks.storage.home import keep_prefect_off_the_terminal

    @flow(task_runner=ShardRunner(), validate_parameters=False)
    def measured(questions: list[str]) -> dict[str, Any]:
        config = InstructionSFT.model_validate(
            {
                "recipe": "evolved",
                "seeds": questions,
                "shard_rows": shard_rows,
                "out": str(folder / "out"),
                "model": {"name": RULE, "max_in_flight": AT_ONCE},
                "self_instruct": {"queries": 1},
            }
        )
        run = Run.start(plan_of(config))
        tables = candidates_of(run.plan, run.settings, run.lineage).take(None)
        began = time.perf_counter()
        with watched(run):
            made = through_recipe(run, tables)
        assert sum(table.rows for table in made) == len(questions)
        ended = [Path(table.path).stat().st_mtime - time.time() + time.perf_counter() - began for table in made]
        return {
            "wall_s": time.perf_counter() - began,
            "first_s": min(ended),
            "requests": run.context.accounting.tally.requests,
        }

    keep_prefect_off_the_terminal()
    measured([f"Tell me of galaxy {10**6}."])  # warms up: the first flow run of a process imports and connects
    print(json.dumps(measured([f"Tell me of galaxy {chain}." for chain in range(seeds)])))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        _one(int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
    else:
        main()
