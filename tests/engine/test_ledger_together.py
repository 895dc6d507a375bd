"""Several processes on one ledger, and databases that are locked or go away: nothing is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tasks.engine.ledger import Ledger
from tasks.engine.ledger_check import check_ledger
from tasks.engine.loop import run_in_loop
from tasks.errors import ConfigError
from tasks.models.base import Request
from tests.engine.one_of_two_runs import INSTRUCTIONS, ROWS
from tests.engine.world import World, world
from tests.postgres import Postgres

ROOT = Path(__file__).parents[2]
NAMES = ("one", "other")
LOCKING = {  # how another process takes a SQLite file for itself
    "a writer": "c.execute('BEGIN IMMEDIATE')",
    "everything": "c.execute('PRAGMA locking_mode=EXCLUSIVE'); c.execute('BEGIN EXCLUSIVE'); c.execute('COMMIT')",
}


def test_two_runs_at_once_lose_nothing_and_both_use_the_first_answers(ledger_url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.engine.one_of_two_runs", ledger_url]
    runs = [subprocess.Popen([*command, name, str(tmp_path)], cwd=ROOT, stderr=subprocess.PIPE) for name in NAMES]
    deadline = time.monotonic() + 60
    while not all((tmp_path / f"{name}.ready").exists() for name in NAMES) and time.monotonic() < deadline:
        time.sleep(0.02)
    (tmp_path / "go").touch()
    for run in runs:
        _, said = run.communicate(timeout=120)
        assert run.returncode == 0, said.decode()
    asked = [(tmp_path / f"{name}.asked").read_text().splitlines() for name in NAMES]
    datasets = [(tmp_path / f"{name}.dataset").read_bytes() for name in NAMES]
    assert datasets[0] == datasets[1]
    for questions in asked:
        assert len(questions) == len(set(questions)), "one process has asked twice"
    assert ROWS < sum(map(len, asked)) <= 2 * ROWS  # more than once, since half of them were asked together
    health = check_ledger(ledger_url)
    assert health.healthy and health.rows == ROWS
    with world(ledger_url) as w:  # what is in the ledger is what both have used, and came from both
        run = w.run(INSTRUCTIONS, lambda _: "a third answer", shard_rows=100)
        assert run.requests == 0
        writers = [response.split()[0] for response in run.frame()["response"]]
        assert set(writers) == set(NAMES)


RULE = """
import asyncio, os
async def answer(request):
    with open("asked", "a") as asked:
        asked.write(request.messages[-1]["content"] + chr(10))
    await asyncio.sleep(0.05)
    return os.environ["WHO"] + " answers " + request.messages[-1]["content"]
"""


@pytest.mark.slow
def test_two_commands_at_once_write_the_same_dataset(ledger_url: str, tmp_path: Path, prefect_server: str) -> None:
    (tmp_path / "rule.py").write_text(RULE)
    (tmp_path / "seeds.jsonl").write_text("".join(f'{{"instruction": "question {i}"}}\n' for i in range(200)))
    command = [sys.executable, "-m", "flows.cli", "sft", "--recipe", "respond", "--seeds", str(tmp_path / "seeds.jsonl"),
               "--model", f"scripted:{tmp_path / 'rule.py'}:answer", "--set", "model.max_in_flight=4", "--out", "out"]  # fmt: skip
    runs = []
    for name in NAMES:
        (tmp_path / name).mkdir()
        environment = os.environ | {
            "STILLROOM_HOME": str(tmp_path / name / "home"), "STILLROOM_LEDGER": ledger_url, "WHO": name,
            "PREFECT_API_URL": prefect_server, "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        runs.append(subprocess.Popen(command, cwd=tmp_path / name, env=environment, stderr=subprocess.PIPE))
    for run in runs:
        _, said = run.communicate(timeout=200)
        assert run.returncode == 0, said.decode()
    trains = [(tmp_path / name / "out" / "data" / "train.parquet").read_bytes() for name in NAMES]
    assert trains[0] == trains[1]
    logs = [tmp_path / name / "asked" for name in NAMES]
    asked = [log.read_text().splitlines() for log in logs if log.exists()]
    assert 200 <= sum(map(len, asked)) <= 400
    assert check_ledger(ledger_url).rows == 200
    for manifest in tmp_path.rglob("manifest.json"):
        assert ledger_url not in manifest.read_text(), "it may hold a password"


# Locks.


@contextmanager
def locked_by_another(path: Path, how: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the file until its input ends."""
    code = f"import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\n{LOCKING[how]}\nprint(flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdin is not None and holder.stdout is not None
        holder.stdout.readline()
        try:
            yield holder
        finally:
            holder.kill()


@pytest.mark.parametrize("how", LOCKING)
def test_a_lock_that_ends_is_waited_for(tmp_path: Path, how: str) -> None:
    path = tmp_path / "ledger.sqlite"
    run_in_loop(Ledger(f"sqlite:///{path}").close())
    with locked_by_another(path, how) as holder:
        threading.Timer(2.5, holder.kill).start()
        ledger = Ledger(f"sqlite:///{path}", wait_s=30)
        run = World(ledger).run(["a", "b"], lambda _: "fine")
        run_in_loop(ledger.close())
    assert (run.frame().height, run.requests) == (2, 2)
    assert check_ledger(f"sqlite:///{path}").rows == 2


@pytest.mark.parametrize("how", LOCKING)
def test_a_lock_that_does_not_end_is_one_clear_line_and_the_same_run_goes_on_later(tmp_path: Path, how: str) -> None:
    path = tmp_path / "ledger.sqlite"
    with world(tmp_path) as w:
        w.run(["a"], lambda _: "fine")
    with locked_by_another(path, how):
        with pytest.raises(ConfigError, match="the ledger is locked by another process") as caught:
            ledger = Ledger(f"sqlite:///{path}", wait_s=0.5)
            try:
                World(ledger).run(["a", "b"], lambda _: "fine")
            finally:
                run_in_loop(ledger.close())
        line = str(caught.value)
        assert str(path) in line and "run the same command again" in line and "\n" not in line
    with world(tmp_path) as w:
        run = w.run(["a", "b"], lambda _: "fine")
    assert (run.frame().height, run.requests) == (2, 1)


@pytest.mark.slow
def test_a_locked_ledger_ends_the_command_with_one_line_and_the_same_command_goes_on(
    tmp_path: Path, prefect_server: str
) -> None:
    path = tmp_path / "home" / "ledger.sqlite"
    path.parent.mkdir()
    run_in_loop(Ledger(f"sqlite:///{path}").close())
    (tmp_path / "seeds.jsonl").write_text("".join(f'{{"instruction": "question {i}"}}\n' for i in range(20)))
    rule = f"scripted:{ROOT / 'tests' / 'flows' / 'slow_rules.py'}:answer"
    command = [
        sys.executable,
        "-m",
        "flows.cli",
        "sft",
        "--recipe",
        "respond",
        "--seeds",
        "seeds.jsonl",
        "--model",
        rule,
    ]
    environment = os.environ | {
        "STILLROOM_HOME": str(path.parent), "STILLROOM_LEDGER_WAIT_S": "0.5", "PREFECT_API_URL": prefect_server,
        "REQUEST_LOG": str(tmp_path / "log"), "PYTHONPATH": str(ROOT),
    }  # fmt: skip

    def stillroom() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, "--out", "out", "--json"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    for how in LOCKING:
        with locked_by_another(path, how):
            told = stillroom()
        assert told.returncode == 2, told.stderr
        assert len(told.stderr.splitlines()) == 1, told.stderr
        assert str(path) in told.stderr and "locked by another process" in told.stderr
    told = stillroom()
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["rows"] == 20


def test_a_lock_in_postgresql_is_waited_for_and_then_told(postgres: Postgres) -> None:
    import psycopg

    url = postgres.new_database()
    ledger = Ledger(url, wait_s=0.5)
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE completions IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(ConfigError, match="locked by another process"):
            World(ledger).run(["a"], lambda _: "fine")
        run_in_loop(ledger.close())
        threading.Timer(2, other.rollback).start()
        patient = Ledger(url, wait_s=30)
        assert World(patient).run(["a"], lambda _: "fine").frame().height == 1
        run_in_loop(patient.close())


# Servers that go away.


def test_a_server_that_dies_and_comes_back_costs_no_answer_and_no_second_request(postgres: Postgres) -> None:
    url, died, asked = postgres.new_database(), threading.Event(), 0

    async def answer(request: Request) -> str:
        nonlocal asked
        asked += 1
        if asked == 40:
            died.set()
        await asyncio.sleep(0.02)
        return f"answer {asked}"

    def restart() -> None:
        died.wait(60)
        postgres.stop("immediate")
        time.sleep(0.5)
        postgres.start()

    restarting = threading.Thread(target=restart)
    restarting.start()
    ledger = Ledger(url, wait_s=60)
    run = World(ledger).run(INSTRUCTIONS, answer, in_flight=8)
    run_in_loop(ledger.close())
    restarting.join()
    assert (run.frame().height, run.requests) == (ROWS, ROWS)
    with world(url) as w:
        again = w.run(INSTRUCTIONS, lambda _: "another answer")
        assert again.requests == 0
        assert again.frame().equals(run.frame())


def test_a_server_that_stays_away_is_one_clear_line_and_the_same_run_goes_on_later(postgres: Postgres) -> None:
    url, in_flight, answered = postgres.new_database(), 8, 0

    async def answer(request: Request) -> str:
        nonlocal answered
        answered += 1
        if answered == 50:
            await asyncio.to_thread(postgres.stop, "immediate")
        return "fine"

    ledger = Ledger(url, wait_s=0.5)
    try:
        with pytest.raises(ConfigError, match="the ledger's server cannot be used") as caught:
            World(ledger).run(INSTRUCTIONS, answer, in_flight=in_flight)
        run_in_loop(ledger.close())
        with pytest.raises(ConfigError, match="the ledger's server cannot be used"):
            Ledger(url)
    finally:
        postgres.start()
    assert "\n" not in str(caught.value) and postgres.password not in str(caught.value)
    kept = check_ledger(url).rows
    with world(url) as w:
        run = w.run(INSTRUCTIONS, lambda _: "fine")
    assert run.frame().height == ROWS
    assert run.requests == ROWS - kept
    assert kept >= answered - 4 * in_flight  # rows under way: what waited for its commit is asked for again
