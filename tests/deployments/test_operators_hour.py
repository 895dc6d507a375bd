"""An hour of an operator, in minutes: whatever happens to `stillroom serve`, nothing is paid twice beyond what was in flight,
no row is lost, and every switch is where it was left.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.service.worker.ownership import STALE_S
from tests.deployments.test_missed_nights import NIGHTS, due, sleep_for_nights, switch_schedules_on
from tests.deployments.test_second_worker import another_worker
from tests.deployments.test_switches import switches
from tests.serving import ROOT, THINKING_RULES, Served, free_port, slow_config, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SFT, DPO = "instruction-sft-nightly", "preference-dpo-nightly"
IN_FLIGHT, ROWS, ADDED = 4, 40, 4
INTERRUPTIONS = 2
"""Those that leave requests in flight behind: the frozen process, and kill -9."""


def config(name: str, rows: int = ROWS) -> dict[str, Any]:
    """A run whose every request takes a second and a half, of questions that no other run asks."""
    seeds = [{"instruction": f"{name} {i}"} for i in range(rows)]
    model = {"name": THINKING_RULES, "max_in_flight": IN_FLIGHT}
    return slow_config(0) | {"name": name, "seeds": seeds, "seed": 1, "model": model}


def asked(served: Served, name: str) -> int:
    return sum(question.startswith(name) for question in served.requests())


def start(served: Served, name: str, rows: int = ROWS) -> str:
    """Start a run by the form, and wait until it is well under way."""
    run_id = served.start_run(SFT, config=config(name, rows))
    until(lambda: asked(served, name) >= 2 * IN_FLIGHT, 120, f"{name} makes requests")
    return run_id


def completed(served: Served, run_id: str) -> None:
    run = served.ended(run_id)
    assert run["state_type"] == "COMPLETED", run["state"]


def cancel_and_retry(served: Served) -> None:
    run_id = start(served, "cancelled")
    served.set_state(run_id, "CANCELLING", "Cancelling")
    assert served.ended(run_id)["state_type"] == "CANCELLED"
    served.set_state(run_id, "SCHEDULED", "AwaitingRetry")
    completed(served, run_id)


def freeze_and_wake(served: Served) -> None:
    """A process stands still, is given up for dead, and wakes up when another one has its run."""
    run_id = start(served, "frozen")
    frozen = served.process_of_run(run_id)
    assert frozen is not None
    os.kill(frozen, signal.SIGSTOP)
    served.set_state(run_id, "CRASHED", "Crashed")
    served.set_state(run_id, "SCHEDULED", "AwaitingRetry")
    until(lambda: served.run(run_id)["run_count"] == 2, 120, "another process has begun")
    time.sleep(STALE_S)
    os.kill(frozen, signal.SIGCONT)
    until(lambda: frozen not in served.processes(), 60, "the frozen process has ended by itself")
    completed(served, run_id)


def restart_beside_another_worker(served: Served, elsewhere: Path) -> Served:
    """`serve` starts again while another worker of the pool has a run."""
    elsewhere.mkdir()
    with another_worker(served, elsewhere):
        run_id = start(served, "elsewhere", 5 * ROWS)
        own = served.process_of("prefect worker start")
        assert own is not None
        os.kill(own, signal.SIGCONT)
        assert served.stop() == 0
        again = Served(served.folder, served.port)
        completed(again, run_id)
        assert again.run(run_id)["run_count"] == 1
    return again


def kill_and_miss_three_nights(served: Served) -> Served:
    """`serve` is killed in the middle of a run, and its machine stays off for three nights."""
    run_id = start(served, "killed")
    assert served.stop(signal.SIGKILL) == -signal.SIGKILL
    sleep_for_nights(served.home)
    again = Served(served.folder, served.port)
    completed(again, run_id)
    until(lambda: Counter(due(again.runs_of(SFT)))["Skipped"] == NIGHTS - 1, 60, "the older nights are skipped")
    until(lambda: asked(again, "nightly") == ROWS, 180, "the newest night runs")
    until(lambda: not [r for r in again.runs_of(SFT) if r["state_type"] in ("RUNNING", "PENDING")], 60, "it has ended")
    return again


def clean_then_retry_and_add(served: Served) -> None:
    """After a clean-up of everything that can be made again, a retry asks for nothing, and a night for new seeds alone."""
    command = [sys.executable, "-P", str(ROOT / "stillroom.py"), "flows.command.main", "clean", "--older-than", "0d"]
    said = subprocess.run(
        command, cwd=served.folder, env=served.environment, capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    before = len(served.requests())
    [run_id] = [run["id"] for run in served.runs_of(SFT) if run["auto_scheduled"] and run["state_type"] == "COMPLETED"]
    served.set_state(run_id, "SCHEDULED", "AwaitingRetry")
    until(lambda: served.run(run_id)["run_count"] == 2, 120, "the run is retried")
    completed(served, run_id)
    assert len(served.requests()) == before
    completed(served, served.start_run(SFT, config=config("nightly", ROWS + ADDED) | {"incremental": True}))
    assert len(served.requests()) == before + ADDED


def the_books(served: Served, elsewhere: Path) -> None:
    """Nothing is paid twice beyond what was in flight, and no row is lost."""
    questions = Counter(served.requests())
    names = {"cancelled": ROWS, "frozen": ROWS, "elsewhere": 5 * ROWS, "killed": ROWS, "nightly": ROWS + ADDED}
    assert len(questions) == sum(names.values())
    assert questions.total() - len(questions) <= INTERRUPTIONS * IN_FLIGHT
    for name, rows in names.items():
        folder = elsewhere if name == "elsewhere" else served.folder
        assert len(pl.read_parquet(folder / f"datasets/{name}/data/train.parquet")) == rows, name


def test_the_operators_hour(tmp_path: Path) -> None:
    served, elsewhere = Served(tmp_path, free_port()), tmp_path / "elsewhere"
    try:
        served.chain(False)
        parameters = {"config": config("nightly")}
        served.ask(f"deployments/{served.deployment(SFT)['id']}", {"parameters": parameters}, "PATCH")
        mine = {"schedule": {"interval": 30 * 86400, "timezone": "UTC"}, "active": False}
        served.ask(f"deployments/{served.deployment(DPO)['id']}/schedules", [mine])
        served.ask(f"deployments/{served.deployment(DPO)['id']}/pause_deployment", {})
        switch_schedules_on(served, SFT)
        left = switches(served)
        cancel_and_retry(served)
        freeze_and_wake(served)
        served = restart_beside_another_worker(served, elsewhere)
        served = kill_and_miss_three_nights(served)
        clean_then_retry_and_add(served)
        assert switches(served) == left
        the_books(served, elsewhere)
    finally:
        if served.process.poll() is None:
            served.stop()
