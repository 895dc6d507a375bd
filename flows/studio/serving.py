"""The studio's own server: listens, says where it is, and serves until Ctrl-C.

stillroom studio --port 7860 datasets
"""

# ruff: noqa: T201 - what the command says

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Sequence
from pathlib import Path

from flows.service.serve import shown_host
from flows.service.server.app import allowed_hosts
from flows.studio.app import create_studio
from flows.studio.guard.names import PASSWORD_VARIABLE
from tasks.errors import ConfigError
from tasks.storage.home import check_home, served_url

TOKEN_VARIABLE = "STILLROOM_STUDIO_TOKEN"
"""The environment variable of a token of one's own, at least as long as those below; else one is drawn at each start."""
TOKEN_CHARS = 32
API = "PREFECT_API_URL"


def serve_studio(folders: Sequence[str | Path], host: str, port: int) -> None:
    """Serve until Ctrl-C. Raises ConfigError where the port is taken, or anything else keeps it from beginning."""
    import uvicorn

    check_home()
    if (
        os.environ.get(API) == served_url()
    ):  # jobs find it themselves: it may have ended by then, and begun again elsewhere
        os.environ.pop(API, None)
    token = os.environ.get(TOKEN_VARIABLE) or secrets.token_urlsafe(TOKEN_CHARS)
    if len(token) < TOKEN_CHARS:
        raise ConfigError(
            f"{TOKEN_VARIABLE} is too short", None, f"at least {TOKEN_CHARS} characters that nobody can guess"
        )
    password = os.environ.get(PASSWORD_VARIABLE)
    with _listening(host, port) as opened:
        port = opened.getsockname()[1]
        app = create_studio(folders, token=token, host=host, port=port, password=password, names=allowed_hosts())
        where = f"http://{shown_host(host)}:{port}/"
        print(f"the studio is at {where}{'login' if app.state.studio.sessions.password else f'?token={token}'}")
        print("Ctrl-C ends it; runs that it has started go on", flush=True)
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=2
        )
        uvicorn.Server(config).run(sockets=[opened])


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise ConfigError("cannot listen there", f"{host}:{port}: {error.strerror}", "give another --port") from error
