"""Which server a command talks to, and what its own is told, allowed and able to touch."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from flows.service.server.own_server import SIGNALS, OwnServer, ServerFailed
from tests.flows.command.test_main import questions
from tests.flows.service.test_ends import Command, respond
from tests.models.server import chat, serving
from tests.serving import Api, environment, until


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The environment of a user, with a home of its own."""
    for name in os.environ:
        if name.startswith("PREFECT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("STILLROOM_HOME", str(tmp_path / "home"))
    return tmp_path


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.slow
def test_it_touches_nothing_before_it_may_and_hears_no_signal(user: Path) -> None:
    with OwnServer() as server:
        process = psutil.Process(server._process.pid)
        until(lambda: len(process.threads()) > 1, 60, "it runs")
        for number in SIGNALS:
            process.send_signal(number)
        assert process.is_running()
        assert files(user) == []
        server.begin(90)
        for number in SIGNALS:
            process.send_signal(number)
        for origin in ("http://pages.example", "null"):
            request = urllib.request.Request(f"{server.api_url}/admin/version", headers={"Origin": origin})
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert answer.headers["Access-Control-Allow-Origin"] is None
        server.end(30)
        assert server._process.returncode == 0
    beside = ("-wal", "-shm")  # which SQLite leaves beside it where somebody was reading at the end
    assert [path.name for path in files(user) if not path.name.endswith(beside)] == ["prefect.db"]


def tell(server: OwnServer, events: int) -> None:
    about = {"occurred": "2026-01-01T00:00:00Z", "event": "told", "resource": {"prefect.resource.id": "it"}}
    body = json.dumps([{"id": str(uuid4()), **about} for _ in range(events)]).encode()
    request = urllib.request.Request(f"{server.api_url}/events", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=60).close()


def told(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "home" / "prefect" / "prefect.db")) as database:
        count: int = database.execute("SELECT count(*) FROM events WHERE event = 'told'").fetchone()[0]
        return count


@pytest.mark.slow
def test_what_it_was_told_in_its_last_moment_is_written_down(user: Path) -> None:
    with OwnServer() as server:
        server.begin(90)
        tell(server, 2000)
        server.end(60)
    assert told(user) == 2000


@pytest.mark.slow
def test_one_that_ends_while_its_services_start_writes_down_what_it_was_told(user: Path) -> None:
    for times in range(1, 4):
        with OwnServer() as server:
            server.begin(90)
            tell(server, 1)
            server.end(60)
            assert server._process.returncode == 0
        assert told(user) == times


def test_one_that_cannot_come_up_says_why(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", "sqlite+aiosqlite:////proc/none/prefect.db")
    with OwnServer() as server, pytest.raises(ServerFailed, match="/proc/none"):
        server.begin(90)


@pytest.mark.slow
def test_a_server_named_in_a_file_of_prefects_is_used(tmp_path: Path, prefect_server: str) -> None:
    (tmp_path / "prefect.toml").write_text(f'[api]\nurl = "{prefect_server}"\n')
    with serving(chat()) as server:
        command = Command(tmp_path, respond(tmp_path, server, rows=2))
        said, told = command.ended()
    assert command.process.returncode == 0, told
    run = json.loads(said)["run"].removeprefix("sft-")
    newest = {"sort": "START_TIME_DESC", "limit": 200}  # of all tests that share the server
    found = Api(prefect_server.removesuffix("/api")).ask("flow_runs/filter", newest)
    assert [flow_run["state_type"] for flow_run in found if flow_run["id"].startswith(run)] == ["COMPLETED"]
    assert not (tmp_path / "home" / "prefect" / "prefect.db").exists()


@pytest.mark.slow
def test_a_local_model_whose_answers_are_on_record_is_not_loaded(tmp_path: Path) -> None:
    program = (
        "import os, sys, flows.command.main; end = os._exit; "
        "os._exit = lambda code: (print(*(m for m in ('torch', 'transformers') if m in sys.modules), file=sys.stderr), end(code)); "
        "flows.command.main.main()"
    )
    options = [
        "sft",
        "--recipe",
        "respond",
        "--seeds",
        questions(tmp_path, 2),
        "--model",
        "demo",
        "--out",
        "out",
        "--json",
    ]

    def run() -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-c", program, *options],
            env=environment(tmp_path),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=250,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["requests"], done.stderr.strip().splitlines()[-1] if done.stderr.strip() else ""

    assert run() == (2, "torch transformers")
    shutil.rmtree(tmp_path / "home" / "tables")  # the ledger alone has them
    assert run() == (0, "")
