"""Ctrl-C, SIGTERM and SIGHUP: what is in flight is let finish, ten seconds at most; a second Ctrl-C ends at once.

SIGTERM and SIGHUP often come twice (`timeout` sends its child one, then the whole group), so that only Ctrl-C counts as
asked again. Either way nothing is lost but requests that were in flight: the same command goes on.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from rich.console import Console

from flows.service.waking import waking_the_main_thread

if TYPE_CHECKING:
    from tasks.engine.context import Context

GRACE_S = 10.0  # for what is in flight
WIND_UP_S = 5.0  # after that, for tables, Prefect's states and the way out
AT_ONCE_S = 0.7  # the same after a second Ctrl-C
FAILED = 1
GO_ON = "stopped: what was paid for is kept; the same command goes on from there"

_heeding: list[Stopping] = []


def stop_signals() -> list[signal.Signals]:
    """The signals that ask a process to stop. Not a hang-up that is ignored: that is what nohup is for."""
    hang_up = [] if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGINT, signal.SIGTERM, *hang_up]


@contextmanager
def heeding_signals(console: Console) -> Iterator[AbstractContextManager[None]]:
    """Heed the stop signals while the block runs; it gets a context for the run itself, after which only the way out is left.

    A stopped run ends in Interrupted, or the process with exit code 1.
    """
    stopping = Stopping(console)
    before = {number: signal.getsignal(number) for number in stop_signals()}
    _heeding.append(stopping)
    keep_heeding()
    try:
        with waking_the_main_thread():
            yield stopping.run()
    finally:
        _heeding.remove(stopping)
        for number, handler in before.items():
            signal.signal(number, handler)


def keep_heeding() -> None:
    """Take the stop signals, where a command heeds them. Called by each run: as its flow begins, Prefect takes SIGTERM."""
    for stopping in _heeding:
        for number in stop_signals():
            signal.signal(number, stopping.heed)


class Stopping:
    """What has been asked of a process, and the thread that sees to it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.is_asked = self._has_stopped_the_run = False
        self.run_is_over = threading.Event()
        self._again = threading.Event()

    @contextmanager
    def run(self) -> Iterator[None]:
        """What a stop can end: after this block, there is nothing to stop any more."""
        try:
            yield
        finally:
            self.run_is_over.set()

    def heed(self, number: int, _frame: Any) -> None:
        """The signal handler: a thread does the work, since the main thread may hold any lock at this moment."""
        if self.is_asked:
            if number == signal.SIGINT:
                self._again.set()
                if self.run_is_over.is_set():
                    self._end()
            return
        if not runs_under_way() and not self.run_is_over.is_set():
            raise KeyboardInterrupt
        self.is_asked = True
        if not self.run_is_over.is_set():  # else the process is on its way out, which is bounded
            self._has_stopped_the_run = True
            threading.Thread(target=self._see_to_it, name="stillroom-stop", daemon=True).start()

    def _see_to_it(self) -> None:
        from tasks.engine.process import process

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
        if self._has_stopped_the_run or not self.run_is_over.is_set():
            sys.stderr.write(f"stillroom: {GO_ON}\n")
            sys.stderr.flush()
        os._exit(FAILED)  # a server of our own notices, writes down what it was told, and ends


def runs_under_way() -> list[Context]:
    """The contexts of the runs under way. Nothing is imported for it: before the engine is there, there is none."""
    process = getattr(sys.modules.get("tasks.engine.process"), "process", None)  # a module may be half imported
    return [] if process is None else list(process.contexts())
