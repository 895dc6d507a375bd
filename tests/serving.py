"""`stillroom serve` as a user starts it: a real process in a temporary folder, asked by HTTP as Prefect's UI asks it."""

from __future__ import annotations

import base64
import http.server
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SLOW_RULES = f"scripted:{ROOT / 'tests' / 'flows' / 'command' / 'slow_rules.py'}:answer"
THINKING_RULES = SLOW_RULES.replace(":answer", ":think")
START_S, POLL_S = 300.0, 0.3
LOOPBACK, LISTENING = "0100007F", "0A"  # 127.0.0.1 and the state, as /proc/net/tcp writes them
_seeds = itertools.count(100)
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(folder: Path, **more: str) -> dict[str, str]:
    """The user's: nothing of Prefect's that this test run has set for itself."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    own = {"STILLROOM_HOME": str(folder / "home"), "REQUEST_LOG": str(folder / "requests.log"), "PYTHONPATH": path}
    return ours | own | more


def until(done: Callable[[], Any], timeout_s: float, what: str) -> Any:
    """What `done` returns, once it is true. Fails after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not (result := done()):
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(POLL_S)
    return result


class Api:
    """A Prefect server, asked as its UI asks it. `auth`: `user:password`, if it wants one."""

    def __init__(self, url: str, auth: str = "") -> None:
        self.url, self.auth = url, auth

    def ask(self, path: str, body: Any = None, method: str = "") -> Any:
        """Ask the API; again while it says 503, as Prefect's clients do: SQLite is busy. Raises HTTPError else."""
        request = urllib.request.Request(
            f"{self.url}/api/{path}", method=method or ("POST" if body is not None else "GET")
        )
        request.add_header("Content-Type", "application/json")
        if self.auth:
            request.add_header("Authorization", "Basic " + base64.b64encode(self.auth.encode()).decode())
        data = json.dumps(body).encode() if body is not None else None
        for pause_s in (0.5, 1, 2, 4, 8, 0):
            try:
                with urllib.request.urlopen(request, data, timeout=60) as answer:
                    text = answer.read()
                return json.loads(text) if text else None
            except urllib.error.HTTPError as error:
                if error.code != 503 or not pause_s:
                    raise
            time.sleep(pause_s)
        return None

    def deployment(self, name: str) -> dict[str, Any]:
        flow = name if name == "retry-failed" else name.rpartition("-")[0]
        found: dict[str, Any] = self.ask(f"deployments/name/{flow}/{name}")
        return found

    def start_run(self, deployment: str, **parameters: Any) -> str:
        """Start a run as the form does; its id."""
        body = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
        return str(self.ask(f"deployments/{self.deployment(deployment)['id']}/create_flow_run", body)["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask(f"flow_runs/{run_id}")
        return found

    def runs_of(self, deployment: str) -> list[dict[str, Any]]:
        only = {"deployments": {"name": {"any_": [deployment]}}, "sort": "EXPECTED_START_TIME_ASC"}
        found: list[dict[str, Any]] = self.ask("flow_runs/filter", only)
        return found

    def ended(self, run_id: str, timeout_s: float = 300) -> dict[str, Any]:
        """The run, once it has ended."""

        def look() -> dict[str, Any] | None:
            run = self.run(run_id)
            return run if run["state_type"] in ENDED else None

        found: dict[str, Any] = until(look, timeout_s, f"run {run_id} ends")
        return found


class Served(Api):
    """A serving `stillroom serve`, the folder that it was started in, and its API."""

    def __init__(self, folder: Path, port: int, **more: str) -> None:
        super().__init__(f"http://127.0.0.1:{port}", more.get("PREFECT_SERVER_API_AUTH_STRING", ""))
        self.folder, self.port, self.home = folder, port, folder / "home"
        self.environment = environment(folder, **more)
        self.output = folder / "serve.out"
        self._said_before = len(self.said()) if self.output.exists() else 0
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-P", str(ROOT / "stillroom.py"), "flows.command.main", "serve", "--port", str(port)],
                cwd=folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            until(self._is_up, START_S, "Prefect UI")
        except BaseException:
            self.process.terminate()
            self.process.wait(60)
            raise

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self.said()
        return f"Prefect UI: {self.url}" in self.said()[self._said_before :]

    def said(self) -> str:
        return self.output.read_text()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it, and wait until nothing of it is left."""
        self.process.send_signal(how)
        code = self.process.wait(60)
        until(lambda: not self.processes(), 20, f"nothing left of {self.folder}")
        return code

    def processes(self) -> dict[int, str]:
        """All processes that work on this home, by what stands in their environment: pid to command line."""
        return self._with(f"STILLROOM_HOME={self.home}")

    def process_of_run(self, run_id: str) -> int | None:
        """The process that a worker has started for a run; the newest, where there are several."""
        return max(self._with(f"PREFECT__FLOW_RUN_ID={run_id}"), default=None)

    def _with(self, variable: str) -> dict[int, str]:
        mark = f"{variable}\0".encode()
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (path / "environ").read_bytes() + b"\0":
                    found[int(path.name)] = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue  # it has just ended, or is another user's
        return {pid: command for pid, command in found.items() if command}

    def process_of(self, words: str) -> int | None:
        return next((pid for pid, command in self.processes().items() if words in command), None)

    def listeners(self) -> set[tuple[str, int]]:
        """The addresses (as Linux writes them) and ports that its processes listen on."""
        sockets = set()
        for pid in self.processes():
            for descriptor in Path(f"/proc/{pid}/fd").glob("*"):
                with suppress(OSError):
                    sockets.add(str(descriptor.readlink()).removeprefix("socket:[").removesuffix("]"))
        lines = [
            line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()
        ]
        found = [line[1].split(":") for line in lines if line[3] == LISTENING and line[9] in sockets]
        return {(address, int(port, 16)) for address, port in found}

    def requests(self) -> list[str]:
        """What the scripted model was asked, in the order of asking."""
        return self._logged("asked ")

    def answers(self) -> list[str]:
        """What it has answered."""
        return self._logged("answered ")

    def _logged(self, what: str) -> list[str]:
        path = self.folder / "requests.log"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.removeprefix(what) for line in lines if line.startswith(what)]

    def log_of(self, run_id: str) -> list[str]:
        """The lines of a run's log, in order."""
        about = {"logs": {"flow_run_id": {"any_": [run_id]}}, "sort": "TIMESTAMP_ASC"}
        return [line["message"] for line in self.ask("logs/filter", about)]

    def chain(self, is_on: bool) -> None:
        """Switch the start of the DPO run after the SFT run on or off."""
        chain = next(a for a in self.ask("automations/filter", {}) if a["name"].startswith("Stillroom: after"))
        self.ask(f"automations/{chain['id']}", {"enabled": is_on}, "PATCH")

    def set_state(self, run_id: str, kind: str, name: str) -> None:
        """Change a run's state as the buttons of the UI do."""
        self.ask(f"flow_runs/{run_id}/set_state", {"state": {"type": kind, "name": name}})


def slow_config(rows: int, in_flight: int = 8) -> dict[str, Any]:
    """A run whose model takes 50 ms for each of its requests, one a row, and writes each down.

    Each has a seed of its own, so that no test's run is answered from what another test has asked.
    """
    seeds = [{"instruction": f"question {i}"} for i in range(rows)]
    model = {"name": SLOW_RULES, "max_in_flight": in_flight}
    return {
        "recipe": "respond",
        "name": "slow",
        "seeds": seeds,
        "seed": next(_seeds),
        "shard_rows": 100,
        "model": model,
    }


@contextmanager
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A receiver of alerts on loopback: its URL, and what it has received."""
    received: list[dict[str, Any]] = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/alerts", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
