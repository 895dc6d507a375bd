"""An endpoint under load: tests A, B, C, D and J of the rivals' table, ledger on, a printed line each.

    python -m tests.benchmarks.endpoint [A B C D50 D200 J ...]

The server is a process of its own that sleeps and answers. Rows go through `text_generation`, the gate, the ledger
and the window, all shards at once. Bars are ratios to an ideal that is computed, or measured in the same run.
"""

from __future__ import annotations

import asyncio
import heapq
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import aiohttp
import orjson

from tasks.engine.ask import Member, Models
from tasks.engine.context import Context
from tasks.engine.gate import Gate
from tasks.engine.ledger import Ledger
from tasks.engine.loop import run_in_loop, the_loop
from tasks.engine.shard import run_shard
from tasks.generate.text_generation import TextGeneration, text_generation
from tasks.models.base import Model
from tasks.models.config import ModelConfig
from tasks.models.endpoint import EndpointModel, open_endpoint
from tasks.models.scripted import ScriptedModel
from tests.benchmarks.rules import at_once
from tests.benchmarks.sleeper import delay_s, sleeping
from tests.engine.world import seeds

SHARD_ROWS = 1000


@dataclass(frozen=True)
class Figure:
    """What a run took: seconds on the clock, seconds of CPU in the loop's thread and in the whole process."""

    seconds: float
    loop_cpu_s: float
    cpu_s: float


def question(number: int) -> str:
    return f"What is {number}?"


def run(model: Model, rows: int, ledger: Ledger) -> Figure:
    """All rows through the technique, as the flows do it."""
    context, gate = Context(ledger), Gate()
    gate.widen(model.max_in_flight)
    models = Models({"generator": [Member(model, ModelConfig(name="bench"))]}, context)
    frame = seeds([question(number) for number in range(rows)])
    shards = [frame[start : start + SHARD_ROWS] for start in range(0, rows, SHARD_ROWS)]

    def one(order: int) -> int:
        outcome = run_shard(text_generation, shards[order], models, TextGeneration(), context, gate=gate, order=order)
        return outcome.rows.height

    loop_cpu, cpu, started = _loop_cpu_s(), time.process_time(), time.perf_counter()
    with ThreadPoolExecutor(16) as pool:
        done = sum(pool.map(one, range(len(shards))))
    figure = Figure(time.perf_counter() - started, _loop_cpu_s() - loop_cpu, time.process_time() - cpu)
    assert done == rows, f"{done} of {rows} rows"
    return figure


def _loop_cpu_s() -> float:
    async def read() -> float:
        return time.thread_time()

    the_loop()
    return run_in_loop(read())


def measured(url: str, rows: int, in_flight: int) -> tuple[Figure, EndpointModel]:
    """The rows against a server, with a fresh ledger."""
    model = open_endpoint(ModelConfig(name=f"bench@{url}", max_in_flight=in_flight))
    figure = _with_ledger(lambda ledger: run(model, rows, ledger))
    run_in_loop(model.close())
    return figure, model


def _with_ledger(work: Callable[[Ledger], Figure]) -> Figure:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(f"sqlite:///{folder}/ledger.sqlite")
        try:
            return work(ledger)
        finally:
            run_in_loop(ledger.close())


def bare(url: str, rows: int, in_flight: int) -> float:
    """Requests per second of aiohttp alone: as many workers as requests in flight, JSON read, nothing kept."""

    async def work() -> float:
        numbers = iter(range(rows))
        connector = aiohttp.TCPConnector(limit=in_flight)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def worker() -> None:
                for number in numbers:
                    body = {"model": "bench", "messages": [{"role": "user", "content": question(number)}]}
                    async with session.post(f"{url}/chat/completions", data=orjson.dumps(body)) as response:
                        orjson.loads(await response.read())["choices"][0]["message"]["content"]

            started = time.perf_counter()
            await asyncio.gather(*(worker() for _ in range(in_flight)))
            return rows / (time.perf_counter() - started)

    return run_in_loop(work())


def list_schedule_s(delays: list[float], in_flight: int) -> float:
    """Seconds that the delays take, taken in order by so many workers."""
    workers = [0.0] * in_flight
    for delay in delays:
        heapq.heapreplace(workers, workers[0] + delay)
    return max(workers)


def test_a() -> str:
    with sleeping(0.2) as url:
        figure, _ = measured(url, 2000, 100)
        ideal_s = 2000 * 0.2 / 100
        naked_s = 2000 / bare(url, 2000, 100)
    return f"2000 rows, 0.2 s, 100 at once: {figure.seconds:.2f} s, ideal {ideal_s:.1f} s, ratio {figure.seconds / ideal_s:.3f}, " \
           f"bare loop {naked_s:.2f} s (bar 4.5 s)"  # fmt: skip


def test_b() -> str:
    with sleeping(0.005) as url:
        bare(url, 500, 200)  # warms up
        pairs, cpu_ms = [], []
        for _ in range(5):
            naked = bare(url, 3000, 200)
            figure, _ = measured(url, 3000, 200)
            pairs.append((3000 / figure.seconds / naked, 3000 / figure.seconds, naked))
            cpu_ms.append(figure.cpu_s / 3)
    ratio, rate, naked = sorted(pairs)[2]
    return f"3000 rows, 5 ms, 200 at once: {rate:.0f} req/s, bare loop {naked:.0f} req/s, ratio {ratio:.2f}, the median of " \
           f"5 pairs from {min(pairs)[0]:.2f} to {max(pairs)[0]:.2f} (bar 0.6), {sorted(cpu_ms)[2]:.3f} ms CPU a row, " \
           "whole process"  # fmt: skip


def test_c() -> str:
    with sleeping(0.2, most=20) as url:
        figure, model = measured(url, 500, 100)
    return f"500 rows, 0.2 s, server takes 20 of 100: {figure.seconds:.2f} s, ideal 5.0 s, ratio {figure.seconds / 5:.3f}, " \
           f"{model.window.refusals} refusals (bar 6 s, 100 refusals)"  # fmt: skip


def test_d(in_flight: int) -> str:
    delays = [delay_s(0.2, 1.0, number) for number in range(2000)]
    ideal_s = list_schedule_s(delays, in_flight)
    with sleeping(0.2, sigma=1.0) as url:
        figure, _ = measured(url, 2000, in_flight)
    return f"2000 rows, log-normal 0.2 s, {in_flight} at once: {figure.seconds:.2f} s, list schedule {ideal_s:.2f} s, " \
           f"{ideal_s / figure.seconds:.1%} of it (bar {95 if in_flight == 50 else 90} %)"  # fmt: skip


def test_j() -> str:
    model = ScriptedModel(at_once, max_in_flight=256)
    figure = _with_ledger(lambda ledger: run(model, 20_000, ledger))
    return f"20000 rows, free model: {20_000 / figure.seconds:.0f} rows/s, without Prefect (bar 5000)"


def test_cpu() -> str:
    """CPU of the model alone, at 256 in flight: no ledger, no rows."""
    from tasks.models.base import Request, Sampling

    with sleeping(0.05) as url:
        model = open_endpoint(ModelConfig(name=f"bench@{url}", max_in_flight=256))
        requests = [
            Request(Sampling(), number, ({"role": "user", "content": question(number)},)) for number in range(5000)
        ]

        async def ask() -> float:
            numbers = iter(requests)

            async def worker() -> None:
                for request in numbers:
                    await model.complete(request)

            started = time.thread_time()
            await asyncio.gather(*(worker() for _ in range(256)))
            return (time.thread_time() - started) / len(requests) * 1000

        run_in_loop(ask())
        alone_ms = run_in_loop(ask())
        figure, _ = measured(url, 5000, 256)
        run_in_loop(model.close())
    return f"5000 requests, 256 in flight: {alone_ms:.3f} ms a request in the endpoint, " \
           f"{figure.cpu_s / 5:.3f} ms with rows and ledger, whole process (bar 0.5)"  # fmt: skip


TESTS: dict[str, Callable[[], str]] = {
    "A": test_a, "B": test_b, "C": test_c, "D50": lambda: test_d(50), "D200": lambda: test_d(200), "J": test_j, "CPU": test_cpu,
}  # fmt: skip


def main() -> None:
    """Run the tests named, all by default, and print a line each."""
    _with_ledger(lambda ledger: run(ScriptedModel(at_once), 100, ledger))  # imports, schemas: paid once a process
    for name in sys.argv[1:] or TESTS:
        print(f"endpoint {name}: {TESTS[name]()}", flush=True)


if __name__ == "__main__":
    main()
