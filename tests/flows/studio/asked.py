"""A studio in this process, and a client that is signed in to it."""

from __future__ import annotations

import re
from pathlib import Path

from fastapi.testclient import TestClient

from flows.studio.app import create_studio
from flows.studio.trials.desk import Desk

TOKEN = "a-token-of-the-tests-that-is-long-enough-to-be-one"
OPENED: list[Desk] = []
ORIGIN = "http://127.0.0.1:7860"


def open_studio(folder: Path, *, signed_in: bool = True, **told: object) -> TestClient:
    """A client of a studio on this folder; `signed_in`: with its cookie, and the token of its forms."""
    app = create_studio([folder], token=TOKEN, **told)  # type: ignore[arg-type]
    OPENED.append(app.state.studio.desk)
    client = TestClient(app, base_url=ORIGIN, follow_redirects=False)
    if signed_in:
        client.get(f"/?token={TOKEN}")
        found = re.search('csrf-token" content="([^"]+)"', client.get("/").text)
        assert found is not None
        client.headers |= {"origin": ORIGIN, "x-csrf-token": found[1]}
    return client
