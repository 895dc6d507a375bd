"""The studio as a FastAPI app: the gate, the pages of each part, and what is said when something is wrong.

stillroom studio datasets
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles

from flows.studio import dataset, describe, home, login, preview, publish, running
from flows.studio.folders import Folders
from flows.studio.guard.forms import check_form
from flows.studio.guard.gate import Gate
from flows.studio.guard.names import check_password, own_hosts
from flows.studio.guard.sessions import Sessions, kept_secret
from flows.studio.pages import page
from flows.studio.state import Studio
from tasks.errors import ConfigError

STATIC = Path(__file__).parent / "static"
PARTS = ("look", "review")


def create_studio(
    folders: Sequence[str | Path],
    *,
    token: str,
    host: str = "127.0.0.1",
    port: int = 7860,
    password: str | None = None,
    names: Sequence[str] = (),
) -> FastAPI:
    """The app. `token`: what the start URL brings along; `names`: under which a proxy reaches it.

    Raises ConfigError for folders that there are not, and a host that others reach without a password.
    """
    studio = Studio(
        Folders.of(folders), Sessions(kept_secret(), token, check_password(host, password)), f"stillroom_studio_{port}"
    )
    app = FastAPI(
        lifespan=_lasting, dependencies=[Depends(check_form)], docs_url=None, redoc_url=None, openapi_url=None
    )
    app.state.studio = studio
    app.add_middleware(
        Gate,
        sessions=studio.sessions,
        hosts=own_hosts(host, port, names),
        cookie=studio.cookie,
    )
    app.mount("/static", StaticFiles(directory=STATIC))
    for module in (login, home, describe, preview, running, dataset, publish, *_parts()):
        app.include_router(module.router)
    app.add_exception_handler(ConfigError, _show_mistake)
    app.add_exception_handler(HTTPException, _show_refusal)
    app.add_exception_handler(404, _show_refusal)
    app.add_exception_handler(RequestValidationError, _show_bad_form)
    return app


@asynccontextmanager
async def _lasting(app: FastAPI) -> AsyncIterator[None]:
    """While the studio serves; when it ends, so does the worker of its tries."""
    yield
    app.state.studio.desk.close()


def _parts() -> list[Any]:
    return [import_module(f"flows.studio.{name}") for name in PARTS if find_spec(f"flows.studio.{name}")]


def _show_mistake(request: Request, error: Exception) -> Response:
    assert isinstance(error, ConfigError)
    status = 404 if error.what.startswith("no such") else 400
    return page(request, "wrong.html", status=status, what=error.what, value=error.value, fix=error.fix)


def _show_refusal(request: Request, error: Exception) -> Response:
    status, what = getattr(error, "status_code", 404), str(getattr(error, "detail", "not found"))
    return page(request, "wrong.html", status=status, what=what, value=None, fix="")


def _show_bad_form(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return page(request, "wrong.html", status=422, what=f"{where}: {first['msg']}", value=None, fix="")
