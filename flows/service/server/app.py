"""Prefect's server as we start it: the same app, answering under its own names alone.

    STILLROOM_ALLOWED_HOSTS=stillroom.example.com python -m uvicorn --factory flows.service.server.app:create_app --host 0.0.0.0

A page that lets its own name resolve to this machine (DNS rebinding) is, to the browser, of the same origin as the server:
only the `Host` header tells. An address is no name that could be rebound, so those are answered, as the health checks of
Kubernetes ask.
"""

from __future__ import annotations

import os
import sys
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the process that serves imports what is small
    from starlette.types import ASGIApp, Receive, Scope, Send

ALLOWED_HOSTS = "STILLROOM_ALLOWED_HOSTS"
"""Names under which the server is reached, with commas between them; `localhost` and addresses always are."""
REFUSED_HTTP, REFUSED_WEBSOCKET = 421, 1008


def create_app() -> ASGIApp:
    """Prefect's app behind a look at the `Host` header."""
    from prefect.server.api.server import create_app as prefects_app

    from flows.service.server.on_sqlite import serve_many_on_sqlite
    from flows.service.server.watchdog import make_watchdog_careful

    serve_many_on_sqlite()
    make_watchdog_careful()
    return OwnNames(prefects_app(final=True), frozenset(allowed_hosts()))


def allowed_hosts() -> list[str]:
    """The names in STILLROOM_ALLOWED_HOSTS."""
    return [name.strip().lower() for name in os.environ.get(ALLOWED_HOSTS, "").split(",") if name.strip()]


class OwnNames:
    """An ASGI app that passes on what is asked of this server, and refuses what names another (421)."""

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        self._app, self._names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] not in ("http", "websocket") or self.is_ours(_hosts(scope)):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": REFUSED_WEBSOCKET})
        else:
            from starlette.responses import PlainTextResponse

            text = f"this server does not answer under that name; {ALLOWED_HOSTS} says which it has\n"
            await PlainTextResponse(text, REFUSED_HTTP)(scope, receive, send)

    def is_ours(self, hosts: list[str]) -> bool:
        """Whether there is one `Host`, and it is an address, localhost, or one of the names."""
        if len(hosts) != 1:
            return False
        name = _name(hosts[0])
        return name == "localhost" or name in self._names or _is_address(name)


def _hosts(scope: Scope) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"host"]


def _name(host: str) -> str:
    """The host without its port, in small letters."""
    if host.startswith("["):
        address, _, port = host[1:].partition("]")
        return address.lower() if port in ("", f":{port[1:]}") else ""
    return host.partition(":")[0].rstrip(".").lower()


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def main() -> None:
    """Serve at the host and the port that the arguments name. uvicorn's command would look for packages here, first."""
    import uvicorn

    host, port = sys.argv[1:]
    uvicorn.run(create_app, factory=True, host=host, port=int(port), log_level="warning")


if __name__ == "__main__":
    main()
