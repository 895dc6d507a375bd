"""However a command ends, no process that it started lives on; and a stop lets what is in flight finish."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest

from tests.flows.command.test_main import questions
from tests.models.server import Server, chat, serving
from tests.serving import environment, until

IN_FLIGHT, ROWS = 4, 40
GO_ON = "the same command goes on"
START_S, END_S = 120.0, 60.0


def respond(folder: Path, server: Server, rows: int = ROWS) -> list[str]:
    return [
        "sft",
        "--recipe",
        "respond",
        "--seeds",
        questions(folder, rows),
        "--model",
        server.name,
        "--out",
        "out",
        "--json",
        "--set",
        f"model.max_in_flight={IN_FLIGHT}",
    ]


class Command:
    """A command under way in a process group of its own, and all the processes that it has started."""

    def __init__(self, folder: Path, arguments: list[str], *before: str) -> None:
        self.process = subprocess.Popen(
            [*before, sys.executable, "-m", "flows.command.main", *arguments],
            env=environment(folder),
            cwd=folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.family: list[psutil.Process] = []

    def has_requests(self, server: Server, count: int = 2 * IN_FLIGHT) -> None:
        until(lambda: len(server.bodies) >= count or self.process.poll() is not None, START_S, "it makes requests")
        assert self.process.poll() is None, self.process.communicate()
        self.family = psutil.Process(self.process.pid).children(recursive=True)
        assert self.family, "it has a server of its own"

    def ended(self) -> tuple[str, str]:
        """What it said, once it has ended, and none of its family is left."""
        said, told = self.process.communicate(timeout=END_S)
        assert psutil.wait_procs(self.family, timeout=END_S)[1] == []
        return said, told


@contextmanager
def under_way(folder: Path, *before: str) -> Iterator[tuple[Command, Server]]:
    with serving(chat(delay_s=0.3)) as server:
        command = Command(folder, respond(folder, server), *before)
        command.has_requests(server)
        yield command, server


def flow_runs(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "home" / "prefect" / "prefect.db")) as database:
        return [state for (state,) in database.execute("SELECT state_type FROM flow_run")]


def everyone(command: Command, number: signal.Signals) -> None:
    for process in [psutil.Process(command.process.pid), *command.family]:
        process.send_signal(number)


STOPS: dict[str, Callable[[Command], None]] = {
    "Ctrl-C": lambda command: command.process.send_signal(signal.SIGINT),
    "SIGTERM": lambda command: command.process.send_signal(signal.SIGTERM),
    "SIGHUP": lambda command: command.process.send_signal(signal.SIGHUP),
    "Ctrl-C in a terminal": lambda command: os.killpg(command.process.pid, signal.SIGINT),
    "SIGTERM to the group": lambda command: os.killpg(command.process.pid, signal.SIGTERM),
    "SIGTERM to all processes": lambda command: everyone(command, signal.SIGTERM),
}
KILLS: dict[str, Callable[[Command], None]] = {
    "kill -9": lambda command: command.process.kill(),
    "kill -9 of the group": lambda command: os.killpg(command.process.pid, signal.SIGKILL),
}
QUICK = ("SIGTERM to all processes", "kill -9")


def _each(ends: dict[str, Callable[[Command], None]]) -> list[object]:
    return [pytest.param(end, id=name, marks=[] if name in QUICK else pytest.mark.slow) for name, end in ends.items()]


@pytest.mark.slow
@pytest.mark.parametrize("stop", _each(STOPS))
def test_a_stop_lets_what_is_in_flight_finish_and_leaves_no_process(
    stop: Callable[[Command], None], tmp_path: Path
) -> None:
    with under_way(tmp_path) as (command, server):
        stop(command)
        _, told = command.ended()
        asked = len(server.bodies)
    assert command.process.returncode == 1
    assert GO_ON in told
    assert "Traceback" not in told
    assert asked < ROWS
    assert flow_runs(tmp_path) not in (["RUNNING"], [])  # its server was there to the end
    with closing(sqlite3.connect(tmp_path / "home" / "ledger.sqlite")) as ledger:
        assert ledger.execute("SELECT count(*) FROM completions").fetchall() == [(asked,)]


@pytest.mark.slow
@pytest.mark.parametrize("kill", _each(KILLS))
def test_a_kill_leaves_no_process(kill: Callable[[Command], None], tmp_path: Path) -> None:
    with under_way(tmp_path) as (command, _):
        kill(command)
        command.ended()
    assert command.process.returncode == -signal.SIGKILL
    assert flow_runs(tmp_path) == ["RUNNING"]


@pytest.mark.slow
def test_timeout_which_tells_its_child_twice_still_lets_what_is_in_flight_finish(tmp_path: Path) -> None:
    with serving(chat(delay_s=2)) as server:
        command = Command(tmp_path, respond(tmp_path, server, rows=10 * ROWS), "timeout", "600")
        command.has_requests(server, 1)
        command.process.send_signal(signal.SIGALRM)  # by which `timeout` knows that its time is over
        _, told = command.ended()
        assert GO_ON in told
        assert len(server.bodies) < 10 * ROWS
    assert command.process.returncode == 124


@pytest.mark.slow
def test_a_hang_up_stops_nothing_under_nohup(tmp_path: Path) -> None:
    with under_way(tmp_path, "nohup") as (command, _):
        os.killpg(command.process.pid, signal.SIGHUP)
        said, told = command.ended()
    assert command.process.returncode == 0, told
    assert json.loads(said)["rows"] == ROWS


@pytest.mark.slow
def test_a_crash_leaves_no_process(tmp_path: Path) -> None:
    (tmp_path / "rules.py").write_text("def answer(request):\n    raise ZeroDivisionError('a bug')\n")
    seeds = questions(tmp_path, 3)
    command = Command(tmp_path, ["sft", "--recipe", "respond", "--seeds", seeds, "--model", "scripted:rules.py:answer"])
    until(lambda: psutil.Process(command.process.pid).children(), START_S, "it has a server of its own")
    command.family = psutil.Process(command.process.pid).children(recursive=True)
    _, told = command.ended()
    assert command.process.returncode == 1
    assert "ZeroDivisionError: a bug" in told


@pytest.mark.slow
def test_a_run_leaves_its_whole_history_and_no_process(tmp_path: Path) -> None:
    with serving(chat()) as server:
        arguments = [*respond(tmp_path, server, rows=60), "--set", "shard_rows=2"]
        command = Command(tmp_path, arguments)
        command.has_requests(server, 1)
        said, told = command.ended()
    assert command.process.returncode == 0, told
    assert json.loads(said)["rows"] == 60
    with closing(sqlite3.connect(tmp_path / "home" / "prefect" / "prefect.db")) as database:
        assert database.execute("SELECT state_type FROM flow_run").fetchall() == [("COMPLETED",)]
        states = database.execute("SELECT state_type, count(*) FROM task_run GROUP BY 1").fetchall()
        assert states == [("COMPLETED", 60)]
        kept = database.execute("SELECT type, count(*) FROM task_run_state GROUP BY 1 ORDER BY 1").fetchall()
        assert kept == [("COMPLETED", 60), ("PENDING", 60), ("RUNNING", 60)]
        assert database.execute("SELECT count(*) FROM events WHERE event = 'stillroom.run.published'").fetchone() == (
            1,
        )
        assert {row[0] for row in database.execute("SELECT key FROM artifact")} >= {"report-out", "sample-out"}


def test_a_mistake_leaves_no_process_and_nothing_in_prefects_home(tmp_path: Path) -> None:
    command = Command(tmp_path, ["sft", "--seeds", "none.jsonl"])
    _, told = command.ended()
    assert command.process.returncode == 2, told
    assert [path for path in (tmp_path / "home" / "prefect").rglob("*") if path.is_file()] == []
