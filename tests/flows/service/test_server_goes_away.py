"""A real Prefect server that is killed, restarted or frozen while the command runs on it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tasks.storage.shard_sizes import shard_count
from tests.models.server import body, never, serving
from tests.serving import SLOW_RULES, Api, environment, free_port, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROWS, IN_FLIGHT, SHARD = 400, 8, 50
UNTOLD = "was not told: that the run is Completed"


class Machine(Api):
    """A folder with a home, and a Prefect server on one port, with one database, whenever it runs."""

    def __init__(self, folder: Path) -> None:
        self.port, self.folder = free_port(), folder
        super().__init__(f"http://127.0.0.1:{self.port}")
        self.environment = environment(
            folder, PREFECT_API_URL=f"{self.url}/api", DO_NOT_TRACK="1", PREFECT_SERVER_ANALYTICS_ENABLED="false"
        )
        (folder / "home" / "prefect").mkdir(parents=True)
        (folder / "seeds.txt").write_text("".join(f"question {number}\n" for number in range(ROWS)))
        self.start()

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(self.port)]
        own = self.environment | {"PREFECT_HOME": str(self.folder / "home" / "prefect")}
        with (self.folder / "server.log").open("ab") as log:
            self.server = subprocess.Popen(
                command, env=own, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )
        until(self._answers, 120, "the server answers")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all processes of the server."""
        os.killpg(self.server.pid, number)

    def kill(self) -> None:
        """End the server at once."""
        self.signal(signal.SIGKILL)
        self.server.wait()

    def run_sft(self, wait_s: float, *more: str) -> subprocess.Popen[str]:
        """The command, started."""
        options = [
            "sft",
            "--recipe",
            "respond",
            "--seeds",
            "seeds.txt",
            "--model",
            SLOW_RULES,
            "--out",
            "out",
            "--json",
        ]
        options += ["--set", f"shard_rows={SHARD}", "--set", f"model.max_in_flight={IN_FLIGHT}", *more]
        return subprocess.Popen(
            [sys.executable, "-m", "flows.command.main", *options],
            cwd=self.folder,
            text=True,
            env=self.environment | {"STILLROOM_PREFECT_WAIT_S": str(wait_s)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def wait_for_requests(self, count: int) -> None:
        """Wait until the model was asked so often."""
        log = self.folder / "requests.log"
        until(lambda: log.exists() and log.read_text().count("asked") >= count, 120, f"{count} requests")

    def runs(self) -> list[str]:
        """The states of all flow runs."""
        return [run["state_type"] for run in self.ask("flow_runs/filter", {})]

    def shards(self) -> list[str]:
        """The states of all shards."""
        return [task["state_type"] for task in self.ask("task_runs/filter", {})]

    def log_lines(self) -> str:
        """The log of all runs."""
        return "\n".join(line["message"] for line in self.ask("logs/filter", {}))

    def _answers(self) -> bool:
        try:
            return bool(self.ask("health"))
        except OSError:
            return False


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    machine.kill()


def ended(command: subprocess.Popen[str], machine: Machine) -> list[str]:
    """What the command says on stderr, once it has ended well with its dataset written and nothing asked twice."""
    out, said = command.communicate(timeout=240)
    assert command.returncode == 0, said
    assert json.loads(out)["rows"] == ROWS
    assert len(pl.read_parquet(machine.folder / "out/data/train.parquet")) == ROWS
    assert (machine.folder / "requests.log").read_text().count("asked") == ROWS
    return said.strip().splitlines()


@pytest.mark.parametrize("asked", [1, ROWS // 2, ROWS], ids=["starting", "in the middle", "at the end"])
def test_a_run_whose_server_is_killed_writes_its_dataset_and_the_next_one_tells_how_it_ended(
    machine: Machine, asked: int
) -> None:
    command = machine.run_sft(2)
    machine.wait_for_requests(asked)
    machine.kill()
    said = ended(command, machine)
    assert len(said) == 1, said
    assert UNTOLD in said[0]
    assert machine.url in said[0]
    machine.start()
    assert machine.runs() == ["RUNNING"]
    assert ended(machine.run_sft(30), machine) == []
    assert machine.runs() == ["COMPLETED", "COMPLETED"]


def test_a_restarted_server_is_told_all_that_happened_meanwhile(machine: Machine) -> None:
    command = machine.run_sft(120)
    machine.wait_for_requests(ROWS // 2)
    machine.signal(signal.SIGTERM)
    machine.server.wait()
    machine.wait_for_requests(ROWS)
    machine.start()
    assert ended(command, machine) == []
    assert machine.runs() == ["COMPLETED"]
    until(lambda: machine.shards() == ["COMPLETED"] * 2 * shard_count(ROWS, SHARD), 60, "the states of the shards")
    assert "Finished in state Completed()" in machine.log_lines()
    assert {"report-out", "sample-out"} <= {artifact["key"] for artifact in machine.ask("artifacts/filter", {})}


@pytest.mark.parametrize("wakes", [True, False], ids=["and wakes", "for good"])
def test_a_server_that_freezes_holds_up_nobody_for_longer_than_it_is_waited_for(machine: Machine, wakes: bool) -> None:
    command = machine.run_sft(120 if wakes else 2)
    machine.wait_for_requests(ROWS // 2)
    machine.signal(signal.SIGSTOP)
    try:
        machine.wait_for_requests(ROWS)
        if wakes:
            machine.signal(signal.SIGCONT)
        said = ended(command, machine)
    finally:
        machine.signal(signal.SIGCONT)
    if wakes:
        assert said == []
        assert machine.runs() == ["COMPLETED"]
        until(lambda: machine.shards() == ["COMPLETED"] * 2 * shard_count(ROWS, SHARD), 60, "the states of the shards")
    else:
        assert UNTOLD in said[-1]


def test_a_run_whose_server_goes_away_before_it_begins_gets_one_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "seeds.txt").write_text("Name a colour.\n")
    with serving(body(b'"3.8"'), never) as server:
        url = f"http://127.0.0.1:{server.port}/api"
        options = ["sft", "--recipe", "respond", "--seeds", "seeds.txt", "--model", SLOW_RULES, "--out", "out"]
        command = subprocess.Popen(
            [sys.executable, "-m", "flows.command.main", *options],
            cwd=tmp_path,
            text=True,
            stderr=subprocess.PIPE,
            env=environment(tmp_path, PREFECT_API_URL=url, STILLROOM_PREFECT_WAIT_S="1"),
        )
        until(lambda: server.paths, 60, "the command looks whether the server answers")
        server.stop()
        _, said = command.communicate(timeout=240)
    assert command.returncode == 0, said
    assert len(said.strip().splitlines()) == 1, said
    assert url in said
    assert len(pl.read_parquet(tmp_path / "out/data/train.parquet")) == 1
