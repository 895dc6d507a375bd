"""`stillroom serve`: one a home, one a port, stopped without a trace, and started again where it was."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from fcntl import LOCK_EX, flock
from pathlib import Path

import pytest

from tasks.storage.home import SERVE_LOCK, prepare_environment, served_url
from tests.serving import Served, environment, free_port, slow_config, until

IN_FLIGHT = 8


@pytest.fixture
def held(home: Path) -> Iterator[Path]:
    """A home on which something serves."""
    home.mkdir()
    with (home / SERVE_LOCK).open("w") as lock:
        flock(lock, LOCK_EX)
        lock.write("http://127.0.0.1:4211/api")
        lock.flush()
        yield home


def serve(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flows.command.main", "serve", *options]
    return subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=60, check=False
    )


def assert_one_line(said: subprocess.CompletedProcess[str], *words: str) -> None:
    assert said.returncode == 2, said.stderr
    assert len(said.stderr.strip().splitlines()) == 1, said.stderr
    assert [word for word in words if word not in said.stderr] == []


def test_commands_on_a_home_use_the_server_that_serves_it(held: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "")  # so that what is set here is taken back
    monkeypatch.delenv("PREFECT_API_URL")
    prepare_environment()
    assert os.environ["PREFECT_API_URL"] == "http://127.0.0.1:4211/api"


def test_a_server_that_the_user_names_counts_more(held: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect.example/api")
    prepare_environment()
    assert os.environ["PREFECT_API_URL"] == "http://prefect.example/api"


def test_the_address_of_a_dead_server_is_not_used(home: Path) -> None:
    assert served_url() is None
    home.mkdir()
    (home / SERVE_LOCK).write_text("http://127.0.0.1:4211/api")
    assert served_url() is None


def test_the_password_of_the_server_is_the_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "user:password")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "")
    monkeypatch.delenv("PREFECT_API_AUTH_STRING")
    prepare_environment()
    assert os.environ["PREFECT_API_AUTH_STRING"] == "user:password"


def test_a_second_one_on_the_home_is_refused_and_told_where_the_first_is(held: Path, tmp_path: Path) -> None:
    assert_one_line(serve(tmp_path, "--port", str(free_port())), "4211", str(held), "STILLROOM_HOME")


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert_one_line(serve(tmp_path, "--port", str(port)), str(port), "--port")


def test_an_open_host_without_a_password_is_refused(tmp_path: Path) -> None:
    assert_one_line(serve(tmp_path, "--host", "0.0.0.0"), "0.0.0.0", "PREFECT_SERVER_API_AUTH_STRING")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/api", "nonsense"])
def test_a_server_that_does_not_answer_is_one_clear_line(tmp_path: Path, url: str) -> None:
    command = [sys.executable, "-m", "flows.command.main", "deploy"]
    environ = environment(tmp_path, PREFECT_API_URL=url)
    said = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert_one_line(said, url, "PREFECT_API_URL")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_goes_on_when_it_serves_again_and_what_was_switched_on_stays_on(tmp_path: Path) -> None:
    first = Served(tmp_path, free_port())
    deployment = first.deployment("preference-dpo-nightly")
    schedule = deployment["schedules"][0]["id"]
    first.ask(f"deployments/{deployment['id']}/schedules/{schedule}", {"active": True}, "PATCH")
    run_id = first.start_run("instruction-sft-nightly", config=slow_config(1000, IN_FLIGHT))
    until(lambda: len(first.requests()) > 200, 120, "the run makes requests")
    assert first.stop() == 0
    with pytest.raises(urllib.error.URLError):
        first.ask("health")

    second = Served(tmp_path, free_port())
    assert [s["active"] for s in second.deployment("preference-dpo-nightly")["schedules"]] == [True]
    assert [s["active"] for s in second.deployment("instruction-sft-nightly")["schedules"]] == [False]
    assert second.ended(run_id)["state_type"] == "COMPLETED"
    asked = Counter(second.requests())
    assert len(asked) == asked.total() == 1000  # what was in flight was let finish
    second.start_run("instruction-sft-nightly", config=slow_config(2000))
    until(lambda: second.process_of("prefect.engine"), 60, "a run is under way")
    assert second.stop(signal.SIGKILL) == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_with_a_password_everything_works_and_others_are_refused(tmp_path: Path) -> None:
    served = Served(tmp_path, free_port(), PREFECT_SERVER_API_AUTH_STRING="user:a password")
    try:
        for auth in ("", "user:another"):
            stranger = urllib.request.Request(f"{served.url}/api/flow_runs/filter", b"{}", method="POST")
            stranger.add_header("Authorization", f"Basic {auth}")
            with pytest.raises(urllib.error.HTTPError, match="401"):
                urllib.request.urlopen(stranger, timeout=30)
        assert (
            served.ended(served.start_run("instruction-sft-nightly", config=slow_config(3)))["state_type"]
            == "COMPLETED"
        )
        options = ["--recipe", "respond", "--seeds", "seeds.txt", "--model", "demo"]
        (tmp_path / "seeds.txt").write_text("Name a colour.\n")
        without = environment(tmp_path)
        command = [sys.executable, "-m", "flows.command.main", "sft", *options]
        said = subprocess.run(
            command, cwd=tmp_path, env=without, capture_output=True, text=True, timeout=60, check=False
        )
        assert_one_line(said, "PREFECT_API_AUTH_STRING")
        shown = served.said() + "".join(log.read_text() for log in (served.home / "logs").glob("*.log"))
        assert "a password" not in shown
    finally:
        served.stop()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_outlives_its_worker(tmp_path: Path) -> None:
    served = Served(tmp_path, free_port())
    try:
        run_id = served.start_run("instruction-sft-nightly", config=slow_config(600, IN_FLIGHT))
        until(lambda: len(served.requests()) > 100, 120, "the run makes requests")
        worker = served.process_of("prefect worker start")
        assert worker is not None
        os.kill(worker, signal.SIGKILL)
        ended = served.ended(run_id)
        assert ended["state_type"] == "COMPLETED", [ended["state"], *served.log_of(run_id)[-10:]]
        asked = Counter(served.requests())
        assert len(asked) == asked.total() == 600
    finally:
        served.stop()
