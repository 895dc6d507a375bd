"""A worker's run ends as a command does at Ctrl-C: no new request, what is in flight is kept, and one line says so.

    with as_a_worker_runs(context, log):
        ...

For SIGTERM (the worker stops, and the run goes on with the next one), *Cancel* in the UI (Prefect sends SIGTERM too), and a
run that is another process's by now (ownership.py). Prefect gives a run that is cancelled 30 s, then kills it.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol
from uuid import UUID

from prefect._internal.control_listener import get_intent
from prefect.client.orchestration import get_client
from prefect.exceptions import Abort, TerminationSignal
from prefect.states import Cancelled, Scheduled

from flows.service.away.outage import be_patient, late, outage
from flows.service.waking import waking_the_main_thread
from flows.service.worker.ownership import owning, worker_run
from tasks.engine.context import Context
from tasks.engine.process import process

GRACE_S = 8.0
"""For what is in flight: so that a run has ended twelve seconds after the click."""
WAY_OUT_S = 3.0
"""After that, for tables, states and the log."""
POLL_S = 0.05
KEPT = "no request is made any more, and what is in flight is kept"


class WarningLog(Protocol):
    """What a line is told to."""

    def warning(self, text: object, /, *parts: object) -> None:
        """Write a warning into the log."""


@contextmanager
def as_a_worker_runs(context: Context, log: WarningLog) -> Iterator[None]:
    """Have a run heed its worker, the UI and whoever takes it over while the block runs. In a command nothing changes.

    Raises Abort, on which Prefect leaves the run's state alone, and TerminationSignal of a run that is cancelled.
    """
    run = worker_run()
    if run is None:
        yield
        return
    with _heeding(), owning(run) as ownership:
        context.confirm = ownership.confirm
        try:
            yield
        except TerminationSignal:
            _wind_up(log, "cancelled" if get_intent() == "cancel" else "the worker stops")
            if get_intent() == "cancel":
                raise
            _set_state(run, Scheduled(name="AwaitingRetry", message="its worker was stopped; it goes on with the next"))
            raise Abort("the worker stops") from None
        finally:
            context.confirm = None
            if ownership.lost is not None:
                _wind_up(log, f"this process leaves the run alone: {ownership.lost}")
                if ownership.was_cancelled:
                    _set_state(run, Cancelled(message="Flow run was cancelled."))
                raise Abort(ownership.lost) from None


def _wind_up(log: WarningLog, why: str) -> None:
    """Begin no request any more, and wait for those in flight, a few seconds at most."""
    with _deaf():
        log.warning("%s: %s", why, KEPT)
        process.stop()
        _end_by_force(GRACE_S + WAY_OUT_S)
        deadline = time.monotonic() + GRACE_S
        while time.monotonic() < deadline and any(context.pending for context in process.contexts()):
            time.sleep(POLL_S)
        process.cut()


def _heeding() -> AbstractContextManager[None]:
    """Prefect's handler of SIGTERM runs in the main thread, which has to wake for it."""
    return waking_the_main_thread() if threading.current_thread() is threading.main_thread() else nullcontext()


@contextmanager
def _deaf() -> Iterator[None]:
    """Hear no second SIGTERM: a worker and its process group are often sent one each."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end_by_force(after_s: float) -> None:
    """End the process then, whatever its threads do. Files are renamed into place and commits are atomic."""
    timer = threading.Timer(after_s, os._exit, (0,))
    timer.daemon = True
    timer.start()


def _set_state(run: UUID, state: Any) -> None:
    """Have a run take on a state; a server that is gone is told when it serves again."""
    with get_client(sync_client=True) as client:
        be_patient(client, outage, late, waits=False)
        client.set_flow_run_state(run, state, force=True)
