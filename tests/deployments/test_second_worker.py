"""A second worker on the pool has a run while `stillroom serve` starts again, and the server dies: its run is nobody else's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.serving import THINKING_RULES, Served, environment, free_port, slow_config, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
IN_FLIGHT, ROWS = 4, 320


@contextmanager
def another_worker(served: Served, folder: Path) -> Iterator[None]:
    """A worker as on another machine, with the ledger and the requests of this one. It takes what comes next."""
    own = {
        "PREFECT_API_URL": f"{served.url}/api",
        "PREFECT_HOME": str(folder / "prefect"),
        "STILLROOM_HOME": str(folder),
    }
    more = own | {
        "STILLROOM_LEDGER": str(served.home / "ledger.sqlite"),
        "REQUEST_LOG": str(served.folder / "requests.log"),
    }
    first = until(lambda: served.process_of("prefect worker start"), 60, "the own worker")
    os.kill(first, signal.SIGSTOP)
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "stillroom", "--name", "elsewhere"]
    worker = subprocess.Popen(command, cwd=folder, env=environment(folder) | more)
    try:
        yield
    finally:
        worker.terminate()
        worker.wait(60)


def answers(served: Served) -> bool:
    """Whether the server is there."""
    try:
        served.ask("health")
    except urllib.error.URLError:
        return False
    return True


def test_a_restart_leaves_a_live_run_of_another_worker_alone(tmp_path: Path) -> None:
    port = free_port()
    (elsewhere := tmp_path / "elsewhere").mkdir()
    first = Served(tmp_path, port)
    first.chain(False)
    with another_worker(first, elsewhere):
        slow = {"model": {"name": THINKING_RULES, "max_in_flight": IN_FLIGHT}}
        run_id = first.start_run("instruction-sft-nightly", config=slow_config(ROWS) | slow)
        until(lambda: len(first.requests()) > 2 * IN_FLIGHT, 120, "the other worker's run makes requests")
        own = first.process_of("prefect worker start")
        assert own is not None
        os.kill(own, signal.SIGCONT)
        first.stop()
        second = Served(tmp_path, port)
        try:
            assert "left to its worker (elsewhere): sft-respond slow" in second.said()
            assert len(second.requests()) < ROWS
            run = second.ended(run_id)
            assert (run["state_type"], run["run_count"]) == ("COMPLETED", 1)
            assert Counter(second.requests()).most_common(1)[0][1] == 1
        finally:
            second.stop()


def test_a_server_that_dies_is_started_again_and_the_run_goes_on(tmp_path: Path) -> None:
    served = Served(tmp_path, free_port())
    try:
        served.chain(False)
        run_id = served.start_run("instruction-sft-nightly", config=slow_config(1200, IN_FLIGHT))
        until(lambda: len(served.requests()) > 100, 120, "the run makes requests")
        server = served.process_of("flows.service.server.app")
        assert server is not None
        os.kill(server, signal.SIGKILL)
        until(lambda: "the Prefect server has ended" in served.said() and answers(served), 120, "another one")
        run = served.ended(run_id)
        assert (run["state_type"], run["run_count"]) == ("COMPLETED", 1)
        assert Counter(served.requests()).total() == 1200
    finally:
        if served.process.poll() is None:
            served.stop()
