"""Which Prefect server a command talks to, from its first moment to its last.

The one that is named (PREFECT_API_URL, Prefect's own files, or `stillroom serve` on this home), else one of its own,
which then starts before anything else is done.
"""

from __future__ import annotations

import os
import threading
from types import TracebackType

from flows.service.imports import begin_imports, end_imports
from flows.service.own_server import OwnServer

START_TIMEOUT = "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"
TELL_S = 10.0
"""How long the way out waits for Prefect's client to send what it has, and for the server to write it down."""


class Connection:
    """A command's way to its Prefect server. A context manager: on leaving, what can be told has been told."""

    def __init__(self) -> None:
        named = os.environ.get("PREFECT_API_URL") or os.environ.get("PREFECT_API_KEY")
        self._own = None if named else OwnServer()
        self._is_open = False
        begin_imports()

    def __enter__(self) -> Connection:
        return self

    def open(self) -> None:
        """Point Prefect at the server, and wait for one of our own. Raises ServerFailed where it does not come up."""
        from prefect.context import refresh_global_settings_context
        from prefect.settings import PREFECT_API_URL

        end_imports()
        self._is_open = True
        if self._own is not None and PREFECT_API_URL.value():  # named in a file that Prefect reads
            self._own.end(0.0)
            self._own = None
        if self._own is not None:
            self._own.begin(float(os.environ[START_TIMEOUT]))
            os.environ["PREFECT_API_URL"] = self._own.api_url
            refresh_global_settings_context()

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._is_open:
            tell_the_rest(TELL_S)
        if self._own is not None:
            self._own.end(TELL_S)


def tell_the_rest(patience_s: float) -> None:
    """Have Prefect's client send the events and log lines that it still holds. It may be cut off for good: then don't."""

    def drain() -> None:
        from prefect.events.worker import EventsWorker
        from prefect.logging.handlers import APILogWorker

        EventsWorker.drain_all()
        APILogWorker.drain_all()

    telling = threading.Thread(target=drain, name="stillroom-tell", daemon=True)
    telling.start()
    telling.join(patience_s)
