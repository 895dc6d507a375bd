"""Ctrl-C in a real process, against a server that is slow: once, once with answers that do not come, and twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from select import select

import pytest

from tests.flows.command.test_main import ROOT, environment, questions, stillroom
from tests.models.server import Server, chat, never, serving

IN_FLIGHT, ROWS = 4, 40
NEVER_S = 300.0
GO_ON = "the same command goes on"


def respond(folder: Path, server: Server, *more: str) -> list[str]:
    return [
        "sft",
        "--recipe",
        "respond",
        "--seeds",
        questions(folder, ROWS),
        "--model",
        server.name,
        "--out",
        "out",
        "--json",
        "--set",
        f"model.max_in_flight={IN_FLIGHT}",
        *more,
    ]


def started(folder: Path, arguments: list[str], prefect: str = "") -> subprocess.Popen[str]:
    """The command, in a process group of its own, as a terminal would start it."""
    command = [sys.executable, "-m", "flows.command.main", *arguments]
    return subprocess.Popen(
        command,
        env=environment(folder, prefect) | {"PYTHONFAULTHANDLER": "1"},
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_requests(server: Server, count: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while len(server.bodies) < count:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "the command makes no requests"
        time.sleep(0.02)


def ended(process: subprocess.Popen[str]) -> tuple[str, float]:
    """What the process says until its end, and the seconds that it takes."""
    asked = time.monotonic()
    try:
        _, said = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)  # Python's faulthandler writes down where each thread stands
        pytest.fail(f"the command does not end:\n{process.communicate(timeout=30)[1]}")
    return said, time.monotonic() - asked


def requests_of(folder: Path, arguments: list[str], prefect: str) -> int:
    finished = stillroom(folder, *arguments, server=prefect)
    assert finished.returncode == 0, finished.stderr
    summary = json.loads(finished.stdout.splitlines()[-1])
    assert summary["rows"] == ROWS
    requests: int = summary["requests"]
    return requests


@pytest.mark.slow
def test_once_lets_what_is_in_flight_finish_and_sends_nothing_more(tmp_path: Path, prefect_server: str) -> None:
    with serving(chat(delay_s=0.5)) as server:
        arguments = respond(tmp_path, server)
        process = started(tmp_path, arguments, prefect_server)
        wait_for_requests(server, 3 * IN_FLIGHT, process)
        process.send_signal(signal.SIGINT)
        said, _ = ended(process)
        assert process.returncode == 1
        assert GO_ON in said
        assert "Traceback" not in said
        sent = len(server.bodies)
        assert sent <= 5 * IN_FLIGHT  # the rest waited for a slot
    with serving(chat(), port=server.port):
        assert requests_of(tmp_path, arguments, prefect_server) == ROWS - sent  # whatever was sent is in the ledger


@pytest.mark.slow
def test_once_waits_ten_seconds_and_no_longer(tmp_path: Path, prefect_server: str) -> None:
    with serving(*[chat()] * IN_FLIGHT, chat(delay_s=NEVER_S)) as server:
        arguments = respond(tmp_path, server)
        process = started(tmp_path, arguments, prefect_server)
        wait_for_requests(server, 2 * IN_FLIGHT, process)
        process.send_signal(signal.SIGINT)
        said, seconds = ended(process)
        assert process.returncode == 1
        assert GO_ON in said
        assert "Traceback" not in said
        assert 10 <= seconds < 20
        assert len(server.bodies) == 2 * IN_FLIGHT
    with serving(chat(), port=server.port):
        assert requests_of(tmp_path, arguments, prefect_server) == ROWS - IN_FLIGHT


@pytest.mark.slow
def test_twice_ends_at_once(tmp_path: Path, prefect_server: str) -> None:
    with serving(*[chat()] * IN_FLIGHT, chat(delay_s=NEVER_S)) as server:
        arguments = respond(tmp_path, server)
        process = started(tmp_path, arguments, prefect_server)
        wait_for_requests(server, 2 * IN_FLIGHT, process)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert process.poll() is None  # once still waits
        process.send_signal(signal.SIGINT)
        said, seconds = ended(process)
        assert process.returncode == 1
        assert GO_ON in said
        assert "Traceback" not in said
        assert seconds < 5  # far from the ten seconds that once would take
    with serving(chat(), port=server.port):
        assert requests_of(tmp_path, arguments, prefect_server) == ROWS - IN_FLIGHT


def test_before_the_run_begins_ctrl_c_is_one_line_too(tmp_path: Path) -> None:
    with serving(never) as server, serving(never) as prefect:  # the command waits for Prefect's server
        process = started(tmp_path, respond(tmp_path, server), f"http://127.0.0.1:{prefect.port}/api")
        wait_for_requests(prefect, 1, process)
        process.send_signal(signal.SIGINT)
        said, seconds = ended(process)
    assert process.returncode == 1
    assert said.strip().splitlines()[-1].endswith(GO_ON + " from there")
    assert "Traceback" not in said
    assert seconds < 10
    assert server.bodies == []


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
def test_in_a_terminal_prefects_own_server_hears_ctrl_c_too_and_does_not_outlive_the_run(
    times: int, tmp_path: Path
) -> None:
    with serving(chat(delay_s=0.5)) as server:
        process = started(tmp_path, respond(tmp_path, server))
        wait_for_requests(server, IN_FLIGHT, process)
        for _ in range(times):
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.2)
        said, seconds = ended(process)
        assert process.returncode == 1
        assert GO_ON in said
        assert "Traceback" not in said
        assert seconds < 10
        time.sleep(6)
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)


WAITS = """
import os, signal, subprocess, sys, threading
from flows.service.waking import waking_the_main_thread

def starts_processes():
    while True:
        subprocess.run(["true"])

signal.signal(signal.SIGINT, lambda *_: os.write(1, b"."))
for _ in range(3):
    threading.Thread(target=starts_processes, daemon=True).start()
never = threading.Lock()
never.acquire()
with waking_the_main_thread():
    os.write(1, b".")
    never.acquire()
"""


def test_a_waiting_main_thread_heeds_every_signal_though_other_threads_start_processes() -> None:
    with subprocess.Popen([sys.executable, "-c", WAITS], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            for sent in range(300):
                assert select([process.stdout], [], [], 30)[0], f"signal {sent} was not heeded"
                assert os.read(process.stdout.fileno(), 64) == b"."
                process.send_signal(signal.SIGINT)
        finally:
            process.kill()
