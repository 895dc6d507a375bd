"""An endpoint under load: rows A to H and J of the rivals' table, ledger on, a printed line each.

    python -m tests.benchmarks.endpoint [A B C D50 D200 E F G H J CPU]

The server is a process of its own that sleeps and answers. Rows go through `text_generation`, the admission, the ledger
and the window, all shards at once; E to H (`resume.py`) are whole flows. Ideals are computed, or measured in the same run.
"""

from __future__ import annotations

import asyncio
import heapq
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass

from tasks.engine.admission import Admission
from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.loop import run_in_loop, the_loop
from tasks.engine.requests.asking import Member
from tasks.engine.shard import Place, run_shard
from tasks.generate.text_generation import TextGeneration, text_generation
from tasks.ledger.ledger import Ledger
from tasks.models.base import Model
from tasks.models.config import ModelConfig
from tasks.models.endpoint.endpoint import EndpointModel, open_endpoint
from tasks.models.scripted import ScriptedModel
from tests.benchmarks.bare import Bare, bare, question, script
from tests.benchmarks.lines import Line
from tests.benchmarks.resume import prefect_server, test_e, test_f, test_g, test_h
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


def run(model: Model, rows: int, ledger: Ledger) -> Figure:
    """All rows through the technique, as the flows do it."""
    context, admission = Context(ledger), Admission()
    admission.widen(model.max_in_flight)
    models = Models({"generator": [Member(model, ModelConfig(name="bench"))]}, context)
    frame = seeds([question(number) for number in range(rows)])
    shards = [frame[start : start + SHARD_ROWS] for start in range(0, rows, SHARD_ROWS)]

    def one(order: int) -> int:
        outcome = run_shard(
            text_generation, shards[order], models, TextGeneration(), context, admission=admission, place=Place(order)
        )
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


def list_schedule_s(delays: list[float], in_flight: int) -> float:
    """Seconds that the delays take, taken in order by so many workers."""
    workers = [0.0] * in_flight
    for delay in delays:
        heapq.heapreplace(workers, workers[0] + delay)
    return max(workers)


def test_a() -> Line:
    with sleeping(0.2) as url:
        figure, _ = measured(url, 2000, 100)
        naked_s = 2000 / script(url, 2000, 100).per_s
    ideal_s = 2000 * 0.2 / 100
    what, ideal = "2000 rows, 0.2 s each, 100 at once", f"{ideal_s:.1f} s (a bare loop: {naked_s:.2f} s)"
    return Line(what, f"{figure.seconds:.2f} s", ideal, "4.5 s", figure.seconds <= 4.5)


def test_b(rounds: int = 7) -> Line:
    """The best of several of each, taken in turns: whatever else the machine does only adds to all of them."""
    ours, scripts, tuned = [], [], []
    with sleeping(0.005) as url:
        for _ in range(rounds):
            scripts.append(script(url, 3000, 200))
            tuned.append(run_in_loop(bare(url, 3000, 200)))
            ours.append(measured(url, 3000, 200)[0])
    rate, cpu_ms = 3000 / min(one.seconds for one in ours), min(one.cpu_s for one in ours) / 3
    naked, on_our_loop = max(scripts, key=_rate), max(tuned, key=_rate)
    ratio = rate / naked.per_s
    figure = (
        f"{rate:.0f} req/s, {ratio:.2f} of a bare script and {rate / on_our_loop.per_s:.2f} of a bare loop that has our event loop"
        f" and collector's settings ({cpu_ms:.3f} ms CPU a row in all, script {naked.cpu_ms:.3f}, loop {on_our_loop.cpu_ms:.3f})"
    )
    ideal = f"{naked.per_s:.0f} and {on_our_loop.per_s:.0f} req/s"
    what = f"3000 rows, 5 ms each, 200 at once, the best of {rounds}"
    return Line(what, figure, ideal, "0.6 of a bare script", ratio >= 0.6)


def _rate(one: Bare) -> float:
    return one.per_s


def test_c() -> Line:
    with sleeping(0.2, most=20) as url:
        figure, model = measured(url, 500, 100)
    refusals = model.window.refusals
    what = "500 rows, 0.2 s each, server takes 20 of 100"
    met = figure.seconds <= 6 and refusals <= 100
    return Line(what, f"{figure.seconds:.2f} s, {refusals} refusals", "5.0 s", "6 s and 100 refusals", met)


def test_d(in_flight: int) -> Line:
    delays = [delay_s(0.2, 1.0, number) for number in range(2000)]
    ideal_s = list_schedule_s(delays, in_flight)
    with sleeping(0.2, sigma=1.0) as url:
        figure, _ = measured(url, 2000, in_flight)
    share, bar = ideal_s / figure.seconds, 0.95 if in_flight == 50 else 0.9
    what = f"2000 rows, log-normal around 0.2 s, {in_flight} at once"
    shown = f"{figure.seconds:.2f} s, {share:.1%} of the list schedule"
    return Line(what, shown, f"{ideal_s:.2f} s", f"{bar:.0%} of it", share >= bar)


def test_j() -> Line:
    model = ScriptedModel(at_once, max_in_flight=256, remembers=False)
    rate = 20_000 / _with_ledger(lambda ledger: run(model, 20_000, ledger)).seconds
    what = "20000 rows, free model, without Prefect (with it: tests.benchmarks.overhead)"
    return Line(what, f"{rate:.0f} rows/s", "–", "5000 rows/s", rate >= 5000)


def test_cpu() -> Line:
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
    all_ms = figure.cpu_s / 5
    shown = f"{alone_ms:.3f} ms CPU a request in the endpoint, {all_ms:.3f} ms with rows and ledger, whole process"
    return Line("5000 requests, 256 in flight", shown, "–", "0.5 ms", all_ms <= 0.5)


TESTS: dict[str, Callable[[], Line]] = {
    "A": test_a,
    "B": test_b,
    "C": test_c,
    "D50": lambda: test_d(50),
    "D200": lambda: test_d(200),
    "E": test_e,
    "F": test_f,
    "G": test_g,
    "H": test_h,
    "J": test_j,
    "CPU": test_cpu,
}
FLOWS = {"E", "F", "G", "H"}


def main() -> None:
    """Run the tests named, all by default, and print a line each."""
    _with_ledger(lambda ledger: run(ScriptedModel(at_once), 100, ledger))  # imports, schemas: paid once a process
    names = sys.argv[1:] or list(TESTS)
    with prefect_server() if set(names) & FLOWS else nullcontext():
        for name in names:
            print(f"endpoint {name}: {TESTS[name]()}", flush=True)


if __name__ == "__main__":
    main()
