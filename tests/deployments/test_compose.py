"""The services of compose.yaml at work: their commands, environments and health checks, as processes on one machine.

No container is built: the commands run in this environment, with the image's variables and no others, in a folder that
stands for /data. PostgreSQL is a real one. What is not tested is what Docker does: the image, volumes and restarts.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.error
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import polars as pl
import pytest

from tests.deployments.files import command_of_image, environment_of_image, read
from tests.postgres import USER, Postgres
from tests.serving import Api, free_port, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
AUTH = "nightly:night-watch"
UP_S = 180.0


class Composed(Api):
    """The services, each with its name and ports changed to those that it has here."""

    def __init__(self, folder: Path, postgres: Postgres, ends: ExitStack) -> None:
        self.port = free_port()
        super().__init__(f"http://127.0.0.1:{self.port}", AUTH)
        self.folder, self._ends = folder, ends
        self.file = read("compose.yaml")
        self._here = {
            "postgres:5432": f"127.0.0.1:{postgres.port}",
            "0.0.0.0": "127.0.0.1",
            "//server": "//127.0.0.1",
            "4200": str(self.port),
            "/data": str(folder),
        }
        self._given = {"STILLROOM_DB_PASSWORD": postgres.password, "PREFECT_SERVER_API_AUTH_STRING": AUTH}
        self.workers: list[tuple[subprocess.Popen[bytes], int]] = []

    def here(self, text: str) -> str:
        for there, ours in self._here.items():
            text = text.replace(there, ours)
        text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
        return re.sub(r"\$\{(\w+)[^}]*\}", lambda found: self._given[found[1]], text)

    def environment(self, service: str) -> dict[str, str]:
        """All that a process of the container sees."""
        path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"])
        set_there = environment_of_image() | self.file["services"][service]["environment"]
        return {"PATH": path, "HOME": str(self.folder)} | {name: self.here(text) for name, text in set_there.items()}

    def start(self, service: str, **more: str) -> subprocess.Popen[bytes]:
        command = self.file["services"][service].get("command", command_of_image())
        said = self._ends.enter_context((self.folder / f"{service}.out").open("ab"))
        process = subprocess.Popen(
            [self.here(word) for word in command],
            cwd=self.folder,
            env=self.environment(service) | more,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        self._ends.callback(_end, process)
        return process

    def start_worker(self) -> None:
        port = free_port()  # two containers may both listen on 8080
        self.workers.append((self.start("worker", PREFECT_WORKER_WEBSERVER_PORT=str(port)), port))

    def is_healthy(self, service: str, port: int = 0) -> bool:
        _, *check = self.file["services"][service]["healthcheck"]["test"]
        words = [self.here(word).replace("8080", str(port)) for word in check]
        return subprocess.run(words, env=self.environment(service), capture_output=True, check=False).returncode == 0

    def said(self, service: str) -> str:
        return (self.folder / f"{service}.out").read_text()[-3000:]


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        process.wait(60)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Composed]:
    with ExitStack() as ends:
        composed = Composed(tmp_path_factory.mktemp("composed"), postgres, ends)
        database = composed.file["services"]["postgres"]["environment"]
        assert database["POSTGRES_USER"] == USER
        postgres.execute(f"CREATE DATABASE {database['POSTGRES_DB']}")
        postgres.execute(composed.file["configs"]["databases"]["content"])
        composed.start("server")
        until(lambda: composed.is_healthy("server"), UP_S, "the server is healthy")
        for _ in range(2):  # `up` a second time deploys a second time
            assert composed.start("deploy").wait(UP_S) == 0, composed.said("deploy")
        for _ in range(composed.file["services"]["worker"]["deploy"]["replicas"]):
            composed.start_worker()
        for _, port in composed.workers:
            until(lambda port=port: composed.is_healthy("worker", port), UP_S, "a worker is healthy")  # type: ignore[misc]
        yield composed


def rows_of_a_run(composed: Composed, name: str) -> int:
    """The rows that a run of the deployment publishes; it has to complete."""
    seeds = [{"instruction": f"What is {number} plus 4?"} for number in range(5)]
    config = {"recipe": "respond", "name": name, "seeds": seeds}
    run = composed.ended(composed.start_run("instruction-sft-nightly", config=config))
    assert run["state_type"] == "COMPLETED", run["state"]["message"] + composed.said("worker")
    return pl.read_parquet(composed.folder / f"datasets/{name}/data/train.parquet").height


def test_a_run_completes_in_a_worker_with_ledger_and_server_on_postgres(composed: Composed, postgres: Postgres) -> None:
    assert rows_of_a_run(composed, "composed") == 5
    assert postgres.execute("SELECT count(*) FROM completions", postgres.url("ledger")) == [(5,)]
    assert postgres.execute("SELECT count(*) > 0 FROM flow_run", postgres.url("prefect")) == [(True,)]
    assert not (composed.folder / ".stillroom/ledger.sqlite").exists()


def test_the_server_wants_the_password(composed: Composed) -> None:
    with pytest.raises(urllib.error.HTTPError, match="401"):
        Api(composed.url).deployment("retry-failed")


def test_with_one_worker_gone_the_other_goes_on(composed: Composed) -> None:
    process, _ = composed.workers[0]
    os.killpg(process.pid, signal.SIGKILL)
    assert rows_of_a_run(composed, "one_worker") == 5
