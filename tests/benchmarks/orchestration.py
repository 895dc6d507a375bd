"""What Prefect costs when the model costs nothing: per shard and technique, beside the plain engine on the same shards.

    python -m tests.benchmarks.orchestration [SHARDS]     # default: 200, of 100 rows each but the first eight

The client's CPU time per task run (bar: 10 ms more than the plain engine takes; what Prefect takes for tasks that do
nothing is told beside it), the server's, and how long the queries behind the pages of the UI take meanwhile. Client and
server share the machine, so that wall times are of both. The server is a process of its own, with the settings that
`stillroom serve` gives it. Each side runs in a process of its own with a fresh home, in turns; the best of each counts,
since what others do on the machine only adds.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from tasks.storage.shard_sizes import shard_sizes

RULE = f"scripted:{Path(__file__).with_name('rules.py')}:at_once"
SHARD_ROWS, AT_ONCE, BAR_MS = 100, 16, 10.0
ROUNDS, IDLE_S, PAUSE_S = 3, 5.0, 0.1
QUERIES = {  # what the list of runs, a run's page and its task runs ask for
    "/flow_runs/paginate": {"sort": "START_TIME_DESC", "limit": 100},
    "/task_runs/paginate": {"sort": "EXPECTED_START_TIME_DESC", "limit": 100},
    "/artifacts/latest/filter": {"limit": 100},
    "/logs/filter": {"sort": "TIMESTAMP_ASC", "limit": 200},
}
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def main() -> None:
    shards = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    plain, nothing, orchestrated, server = [], [], [], []
    with prefect_server() as (url, pid), _looking(url) as times_s:
        began_s = _cpu_s(pid)
        time.sleep(IDLE_S)
        idle, idle_rate = list(times_s), (_cpu_s(pid) - began_s) / IDLE_S
        for number in range(1, ROUNDS + 1):
            plain.append(_measured("plain", shards, ""))
            nothing.append(_measured("nothing", shards, url))
            _wait_for_task_runs(url, (2 * number - 1) * shards)
            seen, before_s, began = len(times_s), _cpu_s(pid), time.perf_counter()
            orchestrated.append(_measured("prefect", shards, url))
            _wait_for_task_runs(url, 2 * number * shards)
            server.append(_cpu_s(pid) - before_s - idle_rate * (time.perf_counter() - began))
            _tell_queries("while a run is under way", times_s[seen:])
    _tell_queries("while none is", idle)
    for unit in ("cpu_s", "wall_s"):
        ours, bare, idle_s = (min(figures[unit] for figures in side) for side in (orchestrated, plain, nothing))
        print(
            f"orchestration: client {unit.removesuffix('_s')} {ours:.2f} s, the plain engine {bare:.2f} s: "
            f"{(ours - bare) / shards * 1000:.1f} ms more per shard and technique (bar, of CPU: {BAR_MS:.0f}); "
            f"Prefect takes {idle_s / shards * 1000:.1f} ms for a task that does nothing"
        )
    print(f"orchestration: server {min(server) / shards * 1000:.1f} ms CPU per task run, the UI's queries left out")


def _tell_queries(when: str, times_s: list[float]) -> None:
    print(
        f"orchestration: {len(times_s)} queries of the UI, {when}: median {statistics.median(times_s) * 1000:.0f} ms, "
        f"p95 {_p95(times_s) * 1000:.0f} ms, slowest {max(times_s) * 1000:.0f} ms"
    )


def _p95(times: list[float]) -> float:
    return sorted(times)[int(0.95 * (len(times) - 1))]


def _measured(side: str, shards: int, url: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"STILLROOM_HOME": f"{folder}/home"} | ({"PREFECT_API_URL": url} if url else {})
        command = [sys.executable, "-m", "tests.benchmarks.orchestration", "--one", side, str(shards), folder]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return figures


@contextmanager
def prefect_server() -> Iterator[tuple[str, int]]:
    """A Prefect server on a fresh database; its API's URL and its process."""
    import flows  # noqa: F401 - settles Prefect's settings

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
        with subprocess.Popen(command, env=os.environ | {"PREFECT_HOME": folder}, stdout=subprocess.DEVNULL) as server:
            try:
                url = f"http://127.0.0.1:{port}/api"
                _wait_for(url)
                yield url, server.pid
            finally:
                server.terminate()


def _wait_for(url: str) -> None:
    for _ in range(600):
        try:
            return urllib.request.urlopen(f"{url}/health", timeout=5).close()
        except OSError:
            time.sleep(0.2)
    raise TimeoutError("the server does not start")


def _cpu_s(pid: int) -> float:
    """CPU time of a process and its children, living ones included."""
    total = 0.0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(path.parent.name) == pid or int(fields[1]) == pid:
            total += sum(map(int, fields[11:15])) / TICKS_PER_S
    return total


@contextmanager
def _looking(url: str) -> Iterator[list[float]]:
    """Ask what the pages of the UI ask for, a few times a second, while the block runs; seconds that each took."""
    times: list[float] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            for path, query in QUERIES.items():
                began = time.perf_counter()
                _ask(url + path, query)
                times.append(time.perf_counter() - began)
                time.sleep(PAUSE_S)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield times
    finally:
        done.set()
        thread.join()


def _ask(url: str, query: dict[str, Any]) -> Any:
    request = urllib.request.Request(url, json.dumps(query).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def _wait_for_task_runs(url: str, count: int) -> None:
    """The server records task runs a moment later."""
    states = {"task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
    while _ask(f"{url}/task_runs/count", states) < count:
        time.sleep(0.5)


def _one(side: str, shards: int, folder: Path) -> None:
    from tasks.storage.home import keep_prefect_off_the_terminal

    keep_prefect_off_the_terminal()
    seeds = folder / "seeds.jsonl"
    with seeds.open("w") as file:
        for i in range(sum(islice(shard_sizes(0, SHARD_ROWS), shards))):
            file.write(json.dumps({"instruction": f"What is {i} plus two, and why is that so?"}) + "\n")
    sides = {"plain": _plain, "nothing": lambda _seeds, _folder: _nothing(shards), "prefect": _prefect}
    print(json.dumps(sides[side](str(seeds), folder)))


def _config(seeds: Any, folder: Path) -> Any:
    from flows.config import InstructionSFT

    model = {"name": RULE, "max_in_flight": 256}
    uncurated = {"filters": None, "deduplicate": None}  # as the plain engine is: one technique, one task run a shard
    return InstructionSFT(
        recipe="respond", seeds=seeds, shard_rows=SHARD_ROWS, out=str(folder / "out"), model=model, curate=uncurated
    )


def _plain(seeds: str, folder: Path) -> dict[str, float]:
    """The engine alone: each shard read, run and written, by as many threads as the flow has."""
    import tasks.schemas  # noqa: F401 - with pandera, before the clock runs: the flow's warm-up has it, too
    from flows.runs.candidates import SeedRows
    from tasks.engine.process import Settings, process
    from tasks.engine.shard import Place, run_shard
    from tasks.generate.text_generation import text_generation
    from tasks.seeds.sources import open_source
    from tasks.storage.home import home, ledger_url, tables_root
    from tasks.storage.tables import Table, write_table

    config = _config(seeds, folder)
    settings = Settings(run="plain", home=home(), ledger=ledger_url(), tables=tables_root())
    context = process.context(settings)
    tables = SeedRows(open_source(seeds), settings, SHARD_ROWS, None).take(None)
    models = process.models(config.models(), context)

    def run(order: int) -> Table:
        outcome = run_shard(
            text_generation,
            tables[order].read(),
            models,
            config.text_generation,
            context,
            admission=process.admission,
            place=Place(order),
        )
        beside = {"rejects": outcome.rejects, "losses": outcome.losses, "provenance": outcome.provenance}
        return write_table(f"{settings.tables}/plain/{order}.parquet", "plain", outcome.rows, beside)

    wall_s, cpu_s = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert sum(table.rows for table in pool.map(run, range(len(tables)))) == sum(table.rows for table in tables)
    return {"wall_s": time.perf_counter() - wall_s, "cpu_s": time.process_time() - cpu_s}


def _prefect(seeds: str, folder: Path) -> dict[str, float]:
    """The same shards as the flow sends them, watched as it is; with the events that are sent after it."""
    from prefect import flow
    from prefect.events.worker import EventsWorker

    from flows.runs.candidates import candidates_of
    from flows.runs.make import through_recipe
    from flows.runs.plan import plan_of
    from flows.runs.run import Run
    from flows.runs.runners.shard_runner import ShardRunner
    from flows.watch.hooks import watched

    figures: dict[str, float] = {}

    @flow(task_runner=ShardRunner(), validate_parameters=False)
    def orchestrated(source: Any, rows: int) -> None:
        config = _config(source, folder)
        run = Run.start(plan_of(config))
        tables = candidates_of(run.plan, run.settings, run.lineage).take(None)
        figures.update(wall_s=-time.perf_counter(), cpu_s=-time.process_time())
        with watched(run):
            assert sum(table.rows for table in through_recipe(run, tables)) == rows
        figures["wall_s"] += time.perf_counter()

    orchestrated(["Warm up."], 1)
    orchestrated(seeds, len(Path(seeds).read_text().splitlines()))
    EventsWorker.drain_all()
    figures["cpu_s"] += time.process_time()
    return figures


def _nothing(shards: int) -> dict[str, float]:
    """As many task runs with the same options, which do nothing."""
    from prefect import flow, task
    from prefect.cache_policies import CacheKeyFnPolicy
    from prefect.events.worker import EventsWorker
    from prefect.task_runners import ThreadPoolTaskRunner

    import flows  # noqa: F401 - settles Prefect's settings

    by_number = CacheKeyFnPolicy(cache_key_fn=lambda _context, given: f"{time.time_ns()}-{given['number']}")

    @task(cache_policy=by_number, persist_result=True, result_serializer="json", retries=3, task_run_name="{number}")
    def nothing(number: int) -> int:
        return number

    @flow(task_runner=ThreadPoolTaskRunner(max_workers=AT_ONCE))
    def idle(count: int) -> dict[str, float]:
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        for future in nothing.map(list(range(count))):
            future.wait()
        EventsWorker.drain_all()
        return {"wall_s": time.perf_counter() - wall_s, "cpu_s": time.process_time() - cpu_s}

    idle(1)
    figures: dict[str, float] = idle(shards)
    return figures


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        _one(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
    else:
        main()
