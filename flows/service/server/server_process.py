"""What the process of a command's own Prefect server does, from its first import to its last write.

Started by own_server.py with a socket that listens. It runs Prefect's API with the services that write down what a run
tells (its task runs and events), and the automations; no UI, no schedules, and none of what looks after deployments. Its
standard input says how far it may go: nothing is touched before the first byte, and its end is the end of the process,
once all that was told is written down.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

from flows.service.imports import begin_imports, end_imports
from flows.service.server.app import OwnNames
from flows.service.server.new_database import lay_out

WIND_UP_S = 8.0
"""For writing down what was told, once the command has gone."""
TOLD_POLL_S = 0.01
PARENT_POLL_S = 1.0


class Life:
    """Tells how far this process may go. A thread reads that from standard input, independent of all other threads."""

    def __init__(self) -> None:
        self._parent = os.getppid()
        self._begun, self._over = threading.Event(), threading.Event()
        threading.Thread(target=self._follow, name="life", daemon=True).start()

    def wait_for_begin(self) -> None:
        """Wait until the command lets the home be touched; where it has gone instead, the process ends here."""
        self._begun.wait()

    async def end(self) -> None:
        """Wait until the command has gone."""
        while not self._over.is_set():
            await asyncio.sleep(TOLD_POLL_S)

    def _follow(self) -> None:
        if not self._next():
            os._exit(0)
        self._begun.set()
        while self._next():
            pass
        self._over.set()
        while os.getppid() == self._parent:  # the command waits for it, for as long as it likes
            time.sleep(PARENT_POLL_S)
        time.sleep(WIND_UP_S)
        os._exit(1)

    def _next(self) -> bytes:
        """The next byte; none where the command has gone (a process that it forked may hold the pipe open)."""
        while os.getppid() == self._parent:
            if select.select([0], [], [], PARENT_POLL_S)[0]:
                return os.read(0, 1)
        return b""


def main() -> None:
    """Serve until the command has gone."""
    life = Life()
    listening = socket.socket(fileno=int(sys.argv[1]))
    begin_imports()
    app = _app()
    end_imports()
    life.wait_for_begin()
    _run(_serve(app, listening, life))


def _app() -> Any:
    """Prefect's application, without its lifespan: `_serve` starts what of it a run needs."""
    from prefect.server.api.server import LIFESPAN_RAN_FOR_APP, create_app

    app = create_app(ephemeral=True)
    LIFESPAN_RAN_FOR_APP.add(app)
    return app


def _run(work: Any) -> None:
    import uvloop

    uvloop.run(work)


async def _serve(app: Any, listening: socket.socket, life: Life) -> None:
    from prefect.server.database import provide_database_interface
    from uvicorn import Config, Server

    from flows.service.server.on_sqlite import serve_many_on_sqlite

    class Unsignalled(Server):
        """A server that leaves signals alone: its end comes by `life`."""

        def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
            return nullcontext()

    serve_many_on_sqlite()
    database = provide_database_interface()
    _lay_out_database((await database.engine()).url)
    await database.create_db()
    async with _services():
        server = Unsignalled(Config(OwnNames(app, frozenset()), lifespan="off", log_level="error"))
        serving = asyncio.create_task(server.serve([listening]))
        await asyncio.wait([serving, asyncio.create_task(life.end())], return_when=asyncio.FIRST_COMPLETED)
        await _settle(server)
    await (await database.engine()).dispose()  # its last connection puts SQLite's log into the database
    os._exit(0)  # all is written: nobody waits for the loop and the interpreter to take themselves apart


@asynccontextmanager
async def _services() -> AsyncIterator[None]:
    """Prefect's services that a run needs. On leaving, they write down what they still hold.

    `Service.running` of Prefect does not wait until they have started: a service that is stopped before that fails, and
    what the others hold is lost.
    """
    from prefect.server.events.services.triggers import ReactiveTriggers
    from prefect.server.services.base import RunInEphemeralServers

    services = [service() for service in RunInEphemeralServers.enabled_services()]
    running = {service: asyncio.create_task(service.start()) for service in services}
    try:
        yield
    finally:
        while any(_is_starting(*one) for one in running.items()):
            await asyncio.sleep(TOLD_POLL_S)
        await asyncio.gather(*(service.stop() for service, task in running.items() if not task.done()))
        # the triggers hold nothing, and sleep for 5 s where their end meets them in the middle of an evaluation
        writing = [task for service, task in running.items() if not isinstance(service, ReactiveTriggers)]
        await asyncio.gather(*writing, return_exceptions=True)


def _is_starting(service: Any, task: asyncio.Task[Any]) -> bool:
    """Whether it cannot be stopped yet: it has no consumer of events so far. Those that pass events on never have one."""
    return not task.done() and getattr(service, "consumer_task", task) is None


def _lay_out_database(url: Any) -> None:
    """Where Prefect's database is a file that is not there yet, make it: migrations would take seconds."""
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:" and "uri" not in url.query:
        lay_out(Path(url.database))


async def _settle(server: Any) -> None:
    """Wait until what was sent is taken in: requests and event streams first, then what lies between the services."""
    from prefect.server.utilities.messaging.memory import Topic

    while server.server_state.tasks:
        await asyncio.sleep(TOLD_POLL_S)
    while any(not s._queue.empty() or not s._retry.empty() for t in Topic._topics.values() for s in t._subscriptions):
        await asyncio.sleep(TOLD_POLL_S)


if __name__ == "__main__":
    main()
