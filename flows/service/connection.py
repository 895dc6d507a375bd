"""Which Prefect server a command talks to, from its first moment to its last.

The one that is named (PREFECT_API_URL, Prefect's own files, or `stillroom serve` on this home), else one of its own,
which then starts before anything else is done.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from flows.service.imports import begin_imports, end_imports
from flows.service.server.own_server import OwnServer, ServerFailed
from flows.service.server.reachable import check_server, without_password
from tasks.errors import Interrupted

T = TypeVar("T")

START_TIMEOUT = "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"
TELL_S = 10.0
"""How long the way out of a run that was stopped waits for its server to take what it was told, and any way out for a server
of our own to write it down."""


class ServerConnection:
    """A command's way to its Prefect server. A context manager: on leaving, what can be told has been told.

    `say`: what the user is told, a line at a time.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._client = say, ExitStack()
        named = os.environ.get("PREFECT_API_URL") or os.environ.get("PREFECT_API_KEY")
        self._own = None if named else OwnServer()
        self._is_open = self._is_replaced = False
        begin_imports()

    def __enter__(self) -> ServerConnection:
        return self

    def open(self) -> None:
        """Point Prefect at the server, and wait for one of our own.

        Raises ConfigError where the ledger, or a server that the user names, cannot be used; ServerFailed where one of our
        own does not come up.
        """
        if not self._is_open:  # before Prefect is imported
            _check_places()
        from prefect.context import refresh_global_settings_context
        from prefect.settings import PREFECT_API_URL

        end_imports()
        self._is_open = True
        if self._own is not None and PREFECT_API_URL.value() and not self._is_replaced:  # named in a file of Prefect's
            self._own.end(0.0)
            self._own = None
        if self._own is not None:
            self._own.begin(float(os.environ[START_TIMEOUT]))
            os.environ["PREFECT_API_URL"] = self._own.api_url
            refresh_global_settings_context()
        from flows.service.away.patience import patience
        from flows.service.heartbeat import without_prefects

        self._client.enter_context(without_prefects())
        self._client.enter_context(patience())

    def run(self, run: Callable[[Callable[[], None]], T]) -> T:
        """Run flows on the server; on one of our own where the one that was named goes away before they can begin.

        `run` calls what it is given, `open`, before its flow. Raises ServerFailed.
        """
        try:
            return run(self.open)
        except self._away() as error:
            if self._own is not None:
                raise ServerFailed(f"the Prefect server of this command has gone away: {error}") from error
            self._say(f"the Prefect server at {_named()} does not answer ({error}): the run goes to one of its own")
        self._client.close()
        self._is_replaced, self._own = True, OwnServer()
        return self.run(run)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._is_open:
            from flows.service.away.patience import leave

            was_stopped = kind is not None and issubclass(kind, (Interrupted, KeyboardInterrupt))
            if line := leave(TELL_S if was_stopped else math.inf):
                self._say(line)
        self._client.close()
        if self._own is not None:
            self._own.end(TELL_S)

    def _away(self) -> tuple[type[Exception], ...]:
        """What says that the server has gone away; before it was opened nothing does, and nothing is imported."""
        if not self._is_open:
            return ()
        from flows.service.away.outage import ServerAway

        return (ServerAway,)


def _check_places() -> None:
    from tasks.ledger.database import reach_ledger

    reach_ledger()
    check_server()


def _named() -> str:
    """The server that Prefect's settings name, without a password that stands in it."""
    from prefect.settings import PREFECT_API_URL

    return without_password(str(PREFECT_API_URL.value()))
