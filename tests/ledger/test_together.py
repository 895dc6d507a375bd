"""Several processes on one ledger, and databases that are locked or go away: nothing is lost, nothing comes twice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tasks.engine.loop import run_in_loop
from tasks.errors import ConfigError
from tasks.ledger import database
from tasks.ledger.check import check_ledger
from tasks.ledger.leases import Leases
from tasks.ledger.ledger import Ledger
from tasks.models.base import Request
from tasks.storage.tables import encoded
from tests.engine.world import World, world
from tests.ledger.one_of_two_runs import IN_FLIGHT, INSTRUCTIONS, ROWS
from tests.postgres import Postgres

ROOT = Path(__file__).parents[2]
NAMES = ("one", "other")
LOCKING = {  # how another process takes a SQLite file for itself
    "a writer": "c.execute('BEGIN IMMEDIATE')",
    "everything": "c.execute('PRAGMA locking_mode=EXCLUSIVE'); c.execute('BEGIN EXCLUSIVE'); c.execute('COMMIT')",
}


def test_two_runs_at_once_pay_once_for_each_request_and_both_use_its_answer(ledger_url: str, tmp_path: Path) -> None:
    runs = [started(ledger_url, name, tmp_path) for name in NAMES]
    wait_for(lambda: all((tmp_path / f"{name}.ready").exists() for name in NAMES))
    (tmp_path / "go").touch()
    for run in runs:
        _, said = run.communicate(timeout=120)
        assert run.returncode == 0, said.decode()
    assert (tmp_path / "one.dataset").read_bytes() == (tmp_path / "other.dataset").read_bytes()
    asked = [questions(tmp_path, name) for name in NAMES]
    assert all(asked), "one process has only looked on"
    assert sorted(asked[0] + asked[1]) == sorted(INSTRUCTIONS), "a request was paid for twice"
    health = check_ledger(ledger_url)
    assert health.healthy and health.rows == ROWS


def test_another_process_goes_on_with_the_requests_of_one_that_was_killed(ledger_url: str, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    killed = started(ledger_url, "other", tmp_path)
    wait_for(lambda: len(questions(tmp_path, "other")) >= 2 * IN_FLIGHT)
    killed.kill()
    killed.communicate()
    kept = check_ledger(ledger_url).rows
    with world(ledger_url) as w:
        run = w.run(INSTRUCTIONS, lambda _: "an answer")
    assert run.frame().height == ROWS
    assert run.requests == ROWS - kept


def test_a_process_that_stood_still_uses_the_answers_of_the_one_that_took_over(
    ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STILLROOM_LEASE_S", "1")
    (tmp_path / "go").touch()
    frozen = started(ledger_url, "other", tmp_path)
    wait_for(lambda: len(questions(tmp_path, "other")) >= 2 * IN_FLIGHT)
    freeze(frozen, ledger_url)
    asked, kept = len(questions(tmp_path, "other")), check_ledger(ledger_url).rows
    try:
        with world(ledger_url) as w:
            run = w.run(INSTRUCTIONS, lambda _: "an answer")
        assert run.frame().height == ROWS
        assert run.requests <= ROWS - kept
    finally:
        frozen.send_signal(signal.SIGCONT)
    _, said = frozen.communicate(timeout=120)
    assert frozen.returncode == 0, said.decode()
    # requests that had their slots when the process froze may still be sent
    assert len(questions(tmp_path, "other")) <= asked + IN_FLIGHT, (
        "it went on asking for what another process had answered"
    )
    tables = (run.frame(kind).sort("row_id") for kind in ("rows", "rejects", "losses", "provenance"))
    assert (tmp_path / "other.dataset").read_bytes() == b"".join(encoded(table) for table in tables)
    assert check_ledger(ledger_url).rows == ROWS


def test_a_process_that_stood_still_within_a_transaction_goes_on(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "STANDSTILL_S", 0.05)
    claim, stands_still = Leases.claim, iter((0.5,))

    def claimed(self: Leases, *arguments: Any) -> set[bytes]:
        leased = claim(self, *arguments)
        time.sleep(next(stands_still, 0))  # the server ends the transaction meanwhile
        return leased

    monkeypatch.setattr(Leases, "claim", claimed)
    with world(postgres.new_database()) as w:
        run = w.run(INSTRUCTIONS, lambda _: "an answer")
    assert next(stands_still, None) is None
    assert run.frame().height == run.requests == ROWS


def started(url: str, name: str, folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.ledger.one_of_two_runs", url, name, str(folder)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)


def freeze(run: subprocess.Popen[bytes], url: str) -> None:
    """Stop a process, but not in the middle of a write: a SQLite file would be locked until it goes on."""
    while True:
        run.send_signal(signal.SIGSTOP)
        if not url.startswith("sqlite"):
            return
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=0.5)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError:
                run.send_signal(signal.SIGCONT)


def questions(folder: Path, name: str) -> list[str]:
    path = folder / f"{name}.asked"
    return path.read_text().splitlines() if path.exists() else []


def wait_for(event: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not event():
        assert time.monotonic() < deadline
        time.sleep(0.02)


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
    command = [
        sys.executable,
        "-m",
        "flows.command.main",
        "sft",
        "--recipe",
        "respond",
        "--seeds",
        str(tmp_path / "seeds.jsonl"),
        "--model",
        f"scripted:{tmp_path / 'rule.py'}:answer",
        "--set",
        "model.max_in_flight=4",
        "--out",
        "out",
    ]
    runs = []
    for name in NAMES:
        (tmp_path / name).mkdir()
        environment = os.environ | {
            "STILLROOM_HOME": str(tmp_path / name / "home"),
            "STILLROOM_LEDGER": ledger_url,
            "WHO": name,
            "PREFECT_API_URL": prefect_server,
            "PYTHONPATH": str(ROOT),
        }
        runs.append(subprocess.Popen(command, cwd=tmp_path / name, env=environment, stderr=subprocess.PIPE))
    for run in runs:
        _, said = run.communicate(timeout=200)
        assert run.returncode == 0, said.decode()
    trains = [(tmp_path / name / "out" / "data" / "train.parquet").read_bytes() for name in NAMES]
    assert trains[0] == trains[1]
    logs = [tmp_path / name / "asked" for name in NAMES]
    asked = [log.read_text().splitlines() for log in logs if log.exists()]
    assert sum(map(len, asked)) == 200, "a request was paid for twice"
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
    rule = f"scripted:{ROOT / 'tests' / 'flows' / 'command' / 'slow_rules.py'}:answer"
    command = [
        sys.executable,
        "-m",
        "flows.command.main",
        "sft",
        "--recipe",
        "respond",
        "--seeds",
        "seeds.jsonl",
        "--model",
        rule,
    ]
    environment = os.environ | {
        "STILLROOM_HOME": str(path.parent),
        "STILLROOM_LEDGER_WAIT_S": "0.5",
        "PREFECT_API_URL": prefect_server,
        "REQUEST_LOG": str(tmp_path / "log"),
        "PYTHONPATH": str(ROOT),
    }

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


@pytest.mark.slow
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
