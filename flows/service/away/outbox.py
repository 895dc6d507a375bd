"""What a run tells Prefect's server by the way: its log, and events (its task runs' states are events, too).

    outbox = start_outbox()
    ...
    leave()

Prefect sends each kind by a worker of its own, which while the server is away tries every event for eight seconds, throws
lines of the log away, and at the end of the process waits for all of it without a bound. Here one thread sends both in
batches, keeps what is not taken, and sends it when the server is back; at the end it is waited for as long as the server
is, and no longer.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from contextvars import copy_context
from typing import Any, Literal

import httpx
import orjson
from prefect.client.orchestration import SyncPrefectClient
from prefect.events.schemas.events import Event
from prefect.exceptions import PrefectException

from flows.service.away.outage import BRIEF_S, Late, Outage, ServerAway, be_patient
from flows.service.away.untold import tell_untold

EVERY_S = 0.25
AGAIN_S = 1.0
"""How often a server that is away is tried."""
MOST = 200
"""Events or lines of one request."""
KEPT = 100_000
"""Of each kind; what comes after them is dropped, and counted."""
Path = Literal["/logs/", "/events"]
LINES: Path = "/logs/"
EVENTS: Path = "/events"
JSON = {"Content-Type": "application/json"}


class Outbox:
    """Events and lines of the log on their way to the server. `client` is the outbox's own."""

    def __init__(self, client: SyncPrefectClient, outage: Outage, late: Late) -> None:
        be_patient(client.__enter__(), outage, late, waits=False)
        outage.is_looked_after = True
        self._client, self._outage, self._late = client, outage, late
        self._queues: dict[Path, deque[bytes]] = {LINES: deque(), EVENTS: deque()}
        self._dropped = {LINES: 0, EVENTS: 0}
        self._given = self._gone = 0
        self._is_urgent, self._is_new = False, True
        self._changed = threading.Condition()
        work = copy_context().run  # Prefect keeps its settings there
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=work, args=(self._keep_sending,), name="stillroom-outbox", daemon=True)
        self._thread.start()

    def put(self, item: tuple[str, Event]) -> None:
        """Take an event: to Prefect this is the queue to another process."""
        self._take(EVENTS, item[1].model_dump(mode="json"))

    def line(self, line: dict[str, Any]) -> None:
        """Take a line of the log."""
        self._take(LINES, {name: value for name, value in line.items() if name != "__payload_size__"})

    def flush(self, deadline: float = math.inf) -> None:
        """Wait until all that was taken so far is sent, or the server is away and was waited for, or the deadline."""
        with self._changed:
            given, self._is_urgent = self._given, True
            self._changed.notify_all()
            while (self._gone < given or self._late.requests()) and not self._outage.is_given_up:
                if time.monotonic() > deadline:
                    break
                self._changed.wait(EVERY_S)
            self._is_urgent = False

    def close(self) -> None:
        """Stop the sending thread and close the client. What is not sent by then is not sent."""
        self._is_over.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(BRIEF_S)
        self._client.__exit__(None, None, None)

    def untold(self) -> tuple[int, int]:
        """How many lines and events the server has not been told."""
        lines, events = (len(queue) + self._dropped[path] for path, queue in self._queues.items())
        return lines, events

    def _take(self, path: Path, item: dict[str, Any]) -> None:
        with self._changed:
            if len(self._queues[path]) >= KEPT:
                self._dropped[path] += 1
                return
            was_empty = not any(self._queues.values())
            self._queues[path].append(orjson.dumps(item))
            self._given += 1
            if was_empty:  # what comes after the first goes with it
                self._changed.notify_all()

    def _keep_sending(self) -> None:
        while not self._is_over.is_set():
            with self._changed:
                self._changed.wait_for(lambda: any(self._queues.values()) or self._is_over.is_set(), AGAIN_S)
                self._changed.wait_for(lambda: self._is_urgent and not self._outage.is_on, EVERY_S)
            try:
                if self._outage.is_on:
                    self._client.request("GET", "/health")
                if self._is_new:
                    tell_untold(self._client)
                    self._is_new = False
                self._late.tell(self._client._client.send)
                for path in self._queues:
                    self._send(path)
            except ServerAway:
                self._is_over.wait(AGAIN_S)

    def _send(self, path: Path) -> None:
        """Send all there is of one kind. Raises ServerAway, with what is not sent kept."""
        queue = self._queues[path]
        while batch := [queue[index] for index in range(min(MOST, len(queue)))]:
            try:
                self._client.request("POST", path, content=b"[" + b",".join(batch) + b"]", headers=JSON)
            except (httpx.HTTPStatusError, PrefectException):
                self._dropped[path] += len(batch)  # refused, as it would be again
            with self._changed:
                for _ in batch:
                    queue.popleft()
                self._gone += len(batch)
                self._changed.notify_all()
