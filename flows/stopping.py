"""Ctrl-C: once lets what is in flight finish, ten seconds at most; twice ends the process at once.

Either way nothing is lost but requests that were in flight: the same command goes on.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from rich.console import Console

from tasks.engine.process import process

GRACE_S = 10.0  # for what is in flight
WIND_UP_S = 5.0  # after that, for tables, Prefect's states and the way out
AT_ONCE_S = 0.7  # the same after a second Ctrl-C
FAILED = 1
GO_ON = "stopped: what was paid for is kept; the same command goes on from there"


@contextmanager
def stopping_on_ctrl_c(console: Console) -> Iterator[None]:
    """Heed Ctrl-C while the block runs. A stopped run ends in Interrupted, or the process with exit code 1."""
    stopping = Stopping(console)
    before = signal.signal(signal.SIGINT, stopping.heed)
    try:
        yield
    finally:
        stopping.run_is_over.set()
        if not stopping.is_asked:  # on the way out a second Ctrl-C still counts
            signal.signal(signal.SIGINT, before)


def start_prefects_server() -> None:
    """Have Prefect start a server of its own, where none is named, that a Ctrl-C at the terminal does not reach.

    The terminal sends it to all that the command has started; without its server the run could not end in order.
    """
    from prefect.client.orchestration import get_client

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # what is started here inherits it
    try:
        get_client(sync_client=True)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


class Stopping:
    """What has been asked of a process, and the thread that sees to it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.is_asked = False
        self.run_is_over = threading.Event()
        self._again = threading.Event()

    def heed(self, _signal: int, _frame: Any) -> None:
        """The signal handler: a thread does the work, since the main thread may hold any lock at this moment."""
        if not process.contexts():
            raise KeyboardInterrupt
        if self.is_asked:
            self._again.set()
            return
        self.is_asked = True
        threading.Thread(target=self._see_to_it, name="stillroom-stop", daemon=True).start()

    def _see_to_it(self) -> None:
        self._console.print(f"stopping: waiting {GRACE_S:.0f} s for what is in flight (Ctrl-C again stops at once)")
        process.stop()
        at_once = self._again.wait(GRACE_S)
        if self.run_is_over.is_set() and not at_once:
            return
        process.cut()
        if at_once or self._again.wait(WIND_UP_S):
            self._again.clear()
            self._again.wait(AT_ONCE_S)
        self._end()

    def _end(self) -> NoReturn:
        """End the process, whatever its other threads do. Files are renamed into place and commits are atomic."""
        self._console.show_cursor()
        if not self.run_is_over.is_set():
            sys.stderr.write(f"stillroom: {GO_ON}\n")
            sys.stderr.flush()
        _end_prefects_server()
        os._exit(FAILED)


def _end_prefects_server() -> None:
    """The server that Prefect has started for this process would outlive it."""
    server = sys.modules.get("prefect.server.api.server")
    for instance in () if server is None else tuple(server.SubprocessASGIServer._instances.values()):
        if instance.server_process is not None:
            instance.server_process.terminate()
