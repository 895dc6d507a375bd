"""Which server a command talks to, and what its own is told, allowed and able to touch."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from flows.service.own_server import SIGNALS, OwnServer, ServerFailed
from tests.flows.service.test_ends import Command, respond
from tests.models.server import chat, serving
from tests.serving import Api, until


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
    assert [path.name for path in files(user)] == ["prefect.db"]


def test_one_that_cannot_come_up_says_why(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", "sqlite+aiosqlite:////proc/none/prefect.db")
    with OwnServer() as server, pytest.raises(ServerFailed, match="/proc/none"):
        server.begin(90)


def test_a_server_named_in_a_file_of_prefects_is_used(tmp_path: Path, prefect_server: str) -> None:
    (tmp_path / "prefect.toml").write_text(f'[api]\nurl = "{prefect_server}"\n')
    with serving(chat()) as server:
        command = Command(tmp_path, respond(tmp_path, server, rows=2))
        said, told = command.ended()
    assert command.process.returncode == 0, told
    run = json.loads(said)["run"].removeprefix("sft-")
    found = Api(prefect_server.removesuffix("/api")).ask("flow_runs/filter", {})
    assert [flow_run["state_type"] for flow_run in found if flow_run["id"].startswith(run)] == ["COMPLETED"]
    assert not (tmp_path / "home" / "prefect" / "prefect.db").exists()
