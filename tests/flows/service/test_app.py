"""Prefect's server answers under its own names alone, and no page of another origin may read or start anything."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.service.server.app import OwnNames
from tests.serving import ROOT, environment, free_port, until


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("localhost", True),
        ("LOCALHOST:4200", True),
        ("127.0.0.1:4200", True),
        ("10.1.2.3", True),
        ("[::1]:4200", True),
        ("server:4200", True),
        ("Server.", True),
        ("evil.example", False),
        ("localhost.evil.example:4200", False),
        ("127.0.0.1.evil.example", False),
        ("server.evil.example", False),
        ("", False),
        ("[::1].evil.example", False),
    ],
)
def test_addresses_localhost_and_given_names_are_ours_and_nothing_else(host: str, ours: bool) -> None:
    assert OwnNames(None, frozenset({"server"})).is_ours([host]) is ours  # type: ignore[arg-type]


@pytest.mark.parametrize("hosts", [[], ["localhost", "localhost"], ["localhost", "evil.example"]])
def test_none_or_two_hosts_are_refused(hosts: list[str]) -> None:
    assert not OwnNames(None, frozenset()).is_ours(hosts)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server, started as `stillroom serve` does."""
    from flows.service.serve import _server

    folder, port = tmp_path_factory.mktemp("service"), free_port()
    environ = environment(folder) | {"STILLROOM_ALLOWED_HOSTS": "stillroom.example"}
    with (folder / "log").open("wb") as log:
        code = "import flows, os, sys; os.execv(sys.argv[1], sys.argv[1:])"  # with what the command sets for its server
        server = subprocess.Popen(
            [sys.executable, "-c", code, *_server("127.0.0.1", port)], cwd=ROOT, env=environ, stdout=log, stderr=log
        )
        try:
            until(lambda: _status(f"http://127.0.0.1:{port}/api/health") == 200, 120, "the server comes up")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(30)


def _status(url: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0


@pytest.mark.parametrize("path", ["/api/health", "/api/admin/version", "/"])
def test_a_server_refuses_a_name_that_is_not_its_own(path: str, url: str) -> None:
    assert _status(url + path, Host="evil.example") == 421
    assert _status(url + path, Host="stillroom.example") == 200
    assert _status(url + path) == 200


@pytest.mark.parametrize("path", ["/api/events/in", "/api/events/out", "/api/logs/out"])
def test_a_websocket_is_refused_under_a_name_that_is_not_the_servers_own(path: str, url: str) -> None:
    port = url.rpartition(":")[2]
    assert _upgraded(url, path, "evil.example") == 403
    assert _upgraded(url, path, f"evil.example:{port}") == 403
    assert _upgraded(url, path, f"localhost:{port}") == 101
    assert _upgraded(url, path, "stillroom.example") == 101


def _upgraded(url: str, path: str, host: str) -> int:
    """The status that answers the opening handshake of a websocket."""
    handshake = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Protocol: prefect",
        "",
        "",
    ]
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=30) as connection:
        connection.sendall("\r\n".join(handshake).encode())
        return int(connection.makefile("rb").readline().split()[1])


def test_no_web_origin_is_let_in(url: str) -> None:
    request = urllib.request.Request(f"{url}/api/admin/version", headers={"Origin": "http://evil.example"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.headers.get("access-control-allow-origin") is None
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    preflight = urllib.request.Request(f"{url}/api/flow_runs/", method="OPTIONS", headers=asked)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(preflight, timeout=30)
    with refused.value as error:
        assert error.code == 400
        assert error.headers.get("access-control-allow-origin") is None


def test_a_command_lets_no_origin_reach_the_server_that_it_starts(tmp_path: Path) -> None:
    code = "import flows\nfrom prefect.settings import PREFECT_SERVER_CORS_ALLOWED_ORIGINS as o\nprint(repr(o.value()))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(tmp_path), cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout == "''\n", done.stderr


def test_what_serve_tells_its_server_names_its_own_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    from flows.service.serve import _environment

    monkeypatch.setattr(os, "environ", {"PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ""})
    told = _environment("http://127.0.0.1:4200", "127.0.0.1")
    assert told["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] == "http://127.0.0.1:4200"
    assert told["STILLROOM_ALLOWED_HOSTS"] == "127.0.0.1"
