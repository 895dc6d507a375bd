"""A Prefect server that goes away during a run: how long it is waited for, and what the run gets instead of its answers.

    client = get_client(sync_client=True)
    be_patient(client)

A run asks its server for little that it could not do without: whether it may take on a state, its own record, whether its
lease still holds. While the server is away these are answered here, and what the server was to be told is kept in `Late`.
An outage is waited for once, STILLROOM_PREFECT_WAIT_S in all, whoever waits; after that nothing waits any more until the
server has answered again.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
from prefect.client.orchestration import SyncPrefectClient

from tasks.storage.home import prefect_wait_s

POLL_S = 0.5
BRIEF_S = 5.0
"""How long one request may take while the server has been away for longer than it is waited for."""
SLOWEST_S = 60.0
NOBODY_THERE = (502, 503, 504)
"""What a proxy answers while the server behind it is away; 503 is also a server whose database is busy."""
GONE = 410

RUN = re.compile("/flow_runs/[0-9a-f-]{36}$")
NEW_RUN = re.compile("/flow_runs/$")
STATE = re.compile("/flow_runs/[0-9a-f-]{36}/set_state$")
RENEWAL = re.compile("/leases/[0-9a-f-]{36}/renew$")
ARTIFACT = re.compile("/artifacts/")
CSRF_TOKEN = re.compile("/csrf-token$")


class ServerAway(httpx.TransportError):
    """The Prefect server does not answer, and it was waited for. (Prefect's client does not ask again after this one.)"""


class Outage:
    """Whether the server answers, and how much longer it is waited for. Shared by all threads that talk to it.

    `happened`: there was one. `is_looked_after`: some thread tries the server until it is back, so that no other has to.
    """

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s
        self._lock = threading.Lock()
        self._began: float | None = None
        self.happened = False
        self.is_looked_after = False

    def failed(self, since: float) -> float:
        """A request was not answered that was sent at `since`; the seconds that the server is still waited for."""
        with self._lock:
            self.happened = True
            self._began = since if self._began is None else min(since, self._began)
        return self.left_s()

    def answered(self) -> None:
        """Note that the server has answered: the outage, if there was one, is over."""
        with self._lock:
            self._began = None

    @property
    def is_on(self) -> bool:
        """Whether the last request was not answered."""
        return self._began is not None

    @property
    def is_given_up(self) -> bool:
        """Whether the server is away, and was waited for."""
        return self.is_on and self.left_s() <= 0

    def left_s(self) -> float:
        """How much longer the server is waited for; all of it where there is no outage."""
        with self._lock:
            return self._wait_s if self._began is None else max(0.0, self._began + self._wait_s - time.monotonic())


class Late:
    """What the server was to be told of flow runs while it was away: requests, in order.

    `is_dated`: whether the last artifact was not taken; the run brings it up to date itself. `run_counts`: by flow run, how
    often it has begun.
    """

    def __init__(self) -> None:
        self.is_dated = False
        self.run_counts: dict[str, int] = {}
        self._lock = threading.RLock()
        self._requests: list[httpx.Request] = []

    def keep(self, request: httpx.Request) -> None:
        """Keep a request that was answered here."""
        with self._lock:
            self._requests.append(request)

    def tell(self, send: Callable[[httpx.Request], Any]) -> None:
        """Send what was kept, in order; nobody else sends meanwhile. Raises what `send` raises, and keeps the rest."""
        with self._lock:
            kept, self._requests = self._requests, []  # `send` may come back here
            try:
                while kept:
                    with suppress(httpx.HTTPStatusError):  # there is no such run any more
                        send(kept[0])
                    del kept[0]
            finally:
                self._requests = kept + self._requests

    def requests(self) -> list[httpx.Request]:
        """What was kept, in order."""
        with self._lock:
            return list(self._requests)

    def facts(self) -> list[str]:
        """What the server does not know, in words."""
        states = [json.loads(request.content)["state"] for request in self.requests() if STATE.search(request.url.path)]
        facts = [f"that the run is {states[-1]['name']}"] if states else []
        return [*facts, "the artifacts as they are now"] if self.is_dated else facts


class PatientTransport(httpx.BaseTransport):
    """Sends requests, waits for a server that is away, and then answers in its place what a run cannot do without.

    `waits` False: fails at once. Raises ServerAway.
    """

    def __init__(self, inner: httpx.BaseTransport, outage: Outage, late: Late, waits: bool = True) -> None:
        self._inner, self._outage, self._late, self._waits = inner, outage, late, waits
        self._runs: dict[str, dict[str, Any]] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; in an outage again and again until nothing is left to wait."""
        path, late = request.url.path, self._late.requests() and STATE.search(request.url.path)
        if self._waits and self._outage.is_looked_after and self._outage.is_given_up:
            return self._stand_in(request, path, ServerAway("it was waited for", request=request))
        while True:
            sent = time.monotonic()
            try:
                if late:  # states in their order
                    self._late.tell(self._sent)
                response = self._sent(request)
            except ServerAway as error:
                if not self._pause(sent):
                    return self._stand_in(request, path, error)
            else:
                return self._learned(request, path, response)

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()

    def _sent(self, request: httpx.Request) -> httpx.Response:
        limit_s = max(BRIEF_S, min(SLOWEST_S, self._outage.left_s()))
        timeouts = {name: min(limit_s, given or limit_s) for name, given in request.extensions["timeout"].items()}
        request.extensions = request.extensions | {"timeout": timeouts}
        try:
            response = self._inner.handle_request(request)
        except httpx.TransportError as error:
            raise ServerAway(f"{type(error).__name__}: {error}", request=request) from error
        if response.status_code in NOBODY_THERE:
            response.close()
            raise ServerAway(f"the server answers {response.status_code}", request=request)
        self._outage.answered()
        return response

    def _pause(self, sent: float) -> bool:
        """Wait a moment; False where there is nothing left to wait."""
        left_s = self._outage.failed(sent)
        if not self._waits or left_s <= 0:
            return False
        time.sleep(min(POLL_S, left_s))
        return True

    def _learned(self, request: httpx.Request, path: str, response: httpx.Response) -> httpx.Response:
        """Remember the records of flow runs, to answer from them. A lease that a restarted server has lost is no reason to end."""
        if ARTIFACT.search(path):
            self._late.is_dated = False
        if RENEWAL.search(path) and response.status_code == GONE and self._outage.happened:
            response.close()
            return httpx.Response(204, request=request)
        if response.is_success and (RUN.search(path) or NEW_RUN.search(path)) and request.method != "PATCH":
            record = json.loads(response.read())
            self._runs[record["id"]] = record
            self._late.run_counts[record["id"]] = record["run_count"]
        elif response.is_success and STATE.search(path):
            self._enter(path, json.loads(response.read())["state"])
        return response

    def _stand_in(self, request: httpx.Request, path: str, error: ServerAway) -> httpx.Response:
        """What the run needs to go on. Raises the error where only the server can answer."""
        if STATE.search(path):
            self._late.keep(request)
            state = json.loads(request.content)["state"]
            state |= {"id": str(uuid4()), "timestamp": datetime.now(UTC).isoformat()}
            self._enter(path, state)
            answer = {"state": state, "status": "ACCEPT", "details": {"type": "accept_details"}}
            return httpx.Response(201, json=answer, request=request)
        if RUN.search(path) and request.method == "PATCH":
            self._late.keep(request)
            return httpx.Response(204, request=request)
        if RUN.search(path) and request.method == "GET" and (record := self._runs.get(path.rpartition("/")[2])):
            return httpx.Response(200, json=record, request=request)
        if RENEWAL.search(path):
            return httpx.Response(204, request=request)
        if CSRF_TOKEN.search(path):
            token = {"token": "none", "client": str(uuid4()), "expiration": datetime.now(UTC).isoformat()}
            return httpx.Response(200, json=token, request=request)
        self._late.is_dated = self._late.is_dated or ARTIFACT.search(path) is not None
        raise error

    def _enter(self, path: str, state: dict[str, Any] | None) -> None:
        """A flow run has taken on a state."""
        record = self._runs.get(path.split("/")[-2])
        if record is not None and state is not None:
            record |= {"state": state, "state_type": state["type"], "state_name": state["name"]}


def be_patient(client: SyncPrefectClient, outage: Outage, late: Late, waits: bool = True) -> None:
    """Have a client wait for a server that is away; done again, it changes nothing."""
    inner = client._client._transport
    if not isinstance(inner, PatientTransport):
        client._client._transport = PatientTransport(inner, outage, late, waits)


outage, late = Outage(prefect_wait_s()), Late()
"""Those of this process."""
