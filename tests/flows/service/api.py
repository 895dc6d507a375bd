"""A stand-in for Prefect's API that writes down what it is told, and can be stopped and started again on its port."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from aiohttp import web
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.states import Pending

from tests.models.server import Server, serving


class Api:
    """What a server was told: `states` by name, `lines` of the log, `events`, all in their order. It knows one flow run."""

    def __init__(self) -> None:
        self.run = FlowRun(id=uuid4(), name="a run", flow_id=uuid4(), state=Pending(), run_count=1)
        self.states: list[str] = []
        self.lines: list[str] = []
        self.events: list[str] = []
        self.forced: list[bool] = []
        self.renewal = 204

    async def answer(self, request: web.Request) -> web.Response:
        """Answer as Prefect's server does, as far as a run asks it."""
        path = request.path.removeprefix("/api")
        if path == "/csrf-token":
            return web.json_response({"detail": "CSRF protection is disabled."}, status=422)
        if path == "/health":
            return web.json_response(True)
        if path.endswith("/renew"):
            return web.Response(status=self.renewal)
        if str(self.run.id) not in path and path.startswith("/flow_runs/"):
            return web.json_response({"detail": "Flow run not found"}, status=404)
        body = await request.read()
        told = json.loads(body) if body else None
        if path == "/logs/":
            self.lines += [line["message"] for line in told]
        elif path == "/events":
            self.events += [event["event"] for event in told]
        elif path.endswith("/set_state"):
            return self._take_on(told)
        elif request.method == "GET":
            return web.json_response(json.loads(self.run.model_dump_json()))
        return web.Response(status=204)

    def _take_on(self, told: Any) -> web.Response:
        self.states.append(told["state"]["name"])
        self.forced.append(told["force"])
        state = told["state"] | {"id": str(uuid4()), "timestamp": "2026-01-01T00:00:00Z"}
        accepted = {"state": state, "status": "ACCEPT", "details": {"type": "accept_details"}}
        return web.json_response(accepted, status=201)


@contextmanager
def an_api() -> Iterator[tuple[Api, Server]]:
    """A stand-in, serving."""
    api = Api()
    with serving(api.answer) as server:
        yield api, server


def client_of(server: Server) -> SyncPrefectClient:
    """A client of a stand-in."""
    return SyncPrefectClient(f"http://127.0.0.1:{server.port}/api")
