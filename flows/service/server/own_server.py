"""The Prefect server of one command: a process of its own that ends with the command, however that ends.

    with OwnServer() as server:     # at the very first: it imports while the command does
        ...                         # what can be the user's mistake
        server.begin(timeout_s=90)  # now it may touch the home
        ...                         # Prefect's client uses server.api_url

The process leads a session of its own and hears no signal, so that nothing takes it away before the run has told it
everything. It lives as long as a pipe from the command does: the kernel closes that, too, when the command is killed.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from typing import IO

from flows.service.child_command import child_command

BEGIN = b"b"
BACKLOG = 128
SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


class ServerFailed(RuntimeError):
    """The command's own Prefect server ended by itself, or did not come up in time."""


class OwnServer:
    """A server process of this one. A context manager: on leaving, it has ended."""

    def __init__(self) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        listening = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)  # a request that comes early waits there
        with listening:  # here it is closed: where the process has ended, a request is refused
            self.api_url = f"http://127.0.0.1:{listening.getsockname()[1]}/api"
            self._begun = False
            self._process = _start(listening, self._said)

    def __enter__(self) -> OwnServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.end(0.0)

    def begin(self, timeout_s: float) -> None:
        """Let it open its database and serve; wait until it answers. Raises ServerFailed."""
        assert self._process.stdin is not None
        self._begun = True
        try:
            self._process.stdin.write(BEGIN)
            self._process.stdin.flush()
            urllib.request.urlopen(f"{self.api_url}/health", timeout=timeout_s).close()
        except OSError as error:
            raise ServerFailed(f"the Prefect server of this command does not come up: {self._last_words()}") from error

    def end(self, patience_s: float) -> None:
        """Have it write down what it was told, and end; after `patience_s` seconds it is killed."""
        if self._process.returncode is not None:
            return
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        if not self._begun:
            self._process.kill()  # it has nothing to write down
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(patience_s if self._begun else None)
        self._process.kill()
        self._process.wait()
        self._said.close()

    def _last_words(self) -> str:
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it says nothing"


def server_environment(given: Mapping[str, str]) -> dict[str, str]:
    """What the process is told: no more than a run needs, and no page of any other origin may ask it."""
    return {
        **given,
        "PREFECT_UI_ENABLED": "false",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": "",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "ERROR",
    }


def _start(listening: socket.socket, output: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the process. It hears no signal from its birth on: what is blocked here stays blocked there."""
    command = child_command("flows.service.server.server_process", str(listening.fileno()))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        return subprocess.Popen(
            command,
            env=server_environment(os.environ),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            pass_fds=[listening.fileno()],
            start_new_session=True,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
