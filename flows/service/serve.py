"""All that nightly runs need, on this machine, until Ctrl-C: a Prefect server, the deployments and a worker.

stillroom serve

The server's database is a SQLite file in the home; the logs are beside it, in `logs/`. A run that is under way when it
stops, or is killed, goes on when it serves again. While it serves, every command on the same home shows its runs in the
same UI.
"""

# ruff: noqa: T201 - what the command says

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import IO

from flows.service.child_command import child_command
from flows.service.children import Children
from flows.service.server.app import ALLOWED_HOSTS
from tasks.errors import ConfigError
from tasks.storage.digest import digest
from tasks.storage.home import SERVE_LOCK, check_home, home, served_url

LOOPBACK = ("127.0.0.1", "localhost", "::1")
ANYWHERE = ("0.0.0.0", "::")
AUTH = "PREFECT_SERVER_API_AUTH_STRING"
CORS = "PREFECT_SERVER_CORS_ALLOWED_ORIGINS"
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
START_TIMEOUT_S = 180.0
RUNS_STOP_TIMEOUT_S = 20.0
WORKER_STOP_TIMEOUT_S = 10.0
SERVER_STOP_TIMEOUT_S = 10.0
WORKER_RESTART_S = 3.0
SERVER_LIVES_S = 60.0
"""A server that ends sooner than this is not started again: it would end for the same reason."""
LOCK_TRIES = 10
POLL_S = 0.2


class ServerEnded(RuntimeError):
    """The Prefect server ended by itself, or did not come up."""


def serve(host: str = "127.0.0.1", port: int = 4200, catch_up: str = "newest") -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP. `catch_up`: which runs start that were missed; newest, all or none.

    Raises ConfigError where it cannot begin (a port or a home that is taken, an open host without a password, a
    mistake in the configs), and ServerEnded.
    """
    check_home()
    _check_host(host)
    for number in STOP_SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup: a hang-up is no reason
            signal.signal(number, signal.default_int_handler)
    try:
        with _alone_on_this_home() as lock, Children(home() / "logs") as children:
            _check_port(host, port)
            _keep_house(host, port, catch_up, children, lock)
    except KeyboardInterrupt:
        print("stopped", flush=True)


def _keep_house(host: str, port: int, catch_up: str, children: Children, lock: IO[str]) -> None:
    """Start everything, say where it is, and keep it running until KeyboardInterrupt."""
    ui = f"http://{shown_host(host)}:{port}"
    environment = _environment(ui, host)
    server, restarted = children.start("server", _server(host, port), environment), -math.inf
    worker: subprocess.Popen[bytes] | None = None
    try:
        _wait_until_up(server, f"{ui}/api/health", children.log("server"))
        _deploy(children, environment, catch_up)
        worker = _start_worker(children, environment)
        lock.write(f"{ui}/api")
        lock.flush()
        print(f"Prefect UI: {ui}   (home: {home()}; Ctrl-C stops)", flush=True)
        while True:
            if server.poll() is not None:
                if time.monotonic() - restarted < SERVER_LIVES_S:
                    raise ServerEnded(f"the Prefect server has ended again: {children.log('server')} says why")
                print(f"the Prefect server has ended with code {server.returncode}; starting another", flush=True)
                server, restarted = children.start("server", _server(host, port), environment), time.monotonic()
                _wait_until_up(server, f"{ui}/api/health", children.log("server"))
            if worker.poll() is not None:
                print(f"the worker has ended with code {worker.returncode}; starting another", flush=True)
                time.sleep(WORKER_RESTART_S)
                worker = _start_worker(children, environment)
            time.sleep(POLL_S)
    finally:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        if worker is not None:  # first, so that it takes nothing more
            if worker.poll() is None:
                children.end_members(worker, RUNS_STOP_TIMEOUT_S)
            children.end(worker, WORKER_STOP_TIMEOUT_S)
        children.end(server, SERVER_STOP_TIMEOUT_S)


def shown_host(host: str) -> str:
    """The host that a server listens on, as a URL on this machine names it."""
    return "127.0.0.1" if host in ANYWHERE else f"[{host}]" if ":" in host else host


def _environment(ui: str, host: str) -> dict[str, str]:
    """What the server, the worker and its runs are told; what the user has set counts more."""
    ours = {
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_WORKER_QUERY_SECONDS": "5",
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "10",  # so that a schedule set to the next minute is seen in time
        "PREFECT_SERVER_UI_API_URL": "/api",  # of the UI's own origin, under whatever name it was opened
        ALLOWED_HOSTS: host,
    }
    origins = os.environ.get(CORS) or ui  # not *: any page in the user's browser could start runs
    return {**ours, **os.environ, CORS: origins, "PREFECT_API_URL": f"{ui}/api"}


def _server(host: str, port: int) -> list[str]:
    """Prefect's server, by our app: Prefect's own command answers under any name."""
    return child_command("flows.service.server.app", host, str(port))


def _wait_until_up(server: subprocess.Popen[bytes], health: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(health, timeout=5):
                return
        except OSError:
            time.sleep(POLL_S)
    raise ServerEnded(f"the Prefect server does not come up: {log} says why")


def _deploy(children: Children, environment: dict[str, str], catch_up: str) -> None:
    """In a process of its own, so that this one stays small. Raises ConfigError with what it said."""
    deploy = children.start(
        "deploy",
        child_command("flows.command.main", "deploy", "--here", _worker_name(), "--catch-up", catch_up),
        environment,
    )
    deploy.wait()
    said = children.log("deploy").read_text(encoding="utf-8").strip()
    if deploy.returncode:
        raise ConfigError("the deployments cannot be made", said.splitlines()[-1] if said else "", "mend deployments/")
    children.end(deploy, 0)
    print(said, flush=True)


def _start_worker(children: Children, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    options = ["--pool", "stillroom", "--type", "process", "--name", _worker_name()]
    return children.start("worker", child_command("prefect", "worker", "start", *options), environment)


def _worker_name() -> str:
    """The same each time that this home is served, so that the runs of a worker that has gone are known for its own."""
    return f"serve-{socket.gethostname()}-{digest(str(home()))[:8]}"


@contextmanager
def _alone_on_this_home() -> Iterator[IO[str]]:
    """The lock of the home, held; the kernel gives it back however this process ends. Its text is the API's URL."""
    with (home() / SERVE_LOCK).open("a+") as lock:
        for attempt in range(LOCK_TRIES):  # another command may be looking at it
            try:
                flock(lock, LOCK_EX | LOCK_NB)
                break
            except BlockingIOError:
                if attempt == LOCK_TRIES - 1:
                    where = served_url() or "starting"
                    raise ConfigError(
                        f"another `stillroom serve` runs on this home ({where})",
                        home(),
                        "stop it, or set STILLROOM_HOME",
                    ) from None
                time.sleep(POLL_S)
        lock.truncate(0)
        try:
            yield lock
        finally:
            lock.truncate(0)


def _check_host(host: str) -> None:
    if host not in LOOPBACK and not os.environ.get(AUTH):
        raise ConfigError("whoever reaches the server can run code here", host, f"set {AUTH}=user:password first")


def _check_port(host: str, port: int) -> None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ConfigError(f"cannot listen there ({error.strerror})", f"{host}:{port}", "give another --port") from error
