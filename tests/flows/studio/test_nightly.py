"""Every night, from the studio: a deployment where a Prefect server runs, else exactly the commands that make one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from fastapi.testclient import TestClient

from flows.studio.jobs.jobs import jobs_of
from flows.studio.jobs.nightly import nightly_state
from tests.flows.studio.asked import open_studio
from tests.models.server import serving
from tests.serving import free_port


@pytest.fixture
def studio(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    opened = open_studio(tmp_path / "datasets")
    opened.post("/new/example", data={"example": "short-answers"})
    return opened


@pytest.fixture
def deployments(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """A stand-in for Prefect's server that knows these deployments, by flow and name."""
    known: dict[str, Any] = {}

    async def answer(request: web.Request) -> web.Response:
        found = known.get(request.path.removeprefix("/api/deployments/name/"))
        return web.json_response(found or {}, status=200 if found else 404)

    with serving(answer) as server:
        monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{server.port}/api")
        yield known


def deployment(cron: str, *, active: bool = True) -> dict[str, Any]:
    return {
        "id": "4711",
        "paused": False,
        "schedules": [{"active": active, "schedule": {"cron": cron, "timezone": "Asia/Tokyo"}}],
    }


def test_where_nothing_serves_the_page_says_exactly_what_to_type(studio: TestClient) -> None:
    page = studio.get("/c/short-answers/run").text
    shown = re.search(r'<pre id="nightly">(.*?)</pre>', page, re.DOTALL)
    assert shown is not None
    assert shown[1].split("\n") == [
        "stillroom serve",
        "stillroom deploy sft --config datasets/short-answers.yaml --at 02:00",
    ]
    assert 'action="/c/short-answers/nightly"' not in page


def test_the_button_starts_the_command_and_its_mistake_is_shown(
    studio: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = studio.post("/c/short-answers/nightly", data={"at": "04:15"}).headers["location"]
    (job,) = jobs_of("short-answers", "deploy")
    assert job.line == "stillroom deploy sft --config datasets/short-answers.yaml --at 04:15"
    assert "event: done" in studio.get(f"{where}/stream").text
    page = studio.get(where).text
    assert job.code == 2
    assert "no Prefect server runs here" in page
    assert studio.post("/c/short-answers/nightly", data={"at": "4 o'clock; rm -rf"}).status_code == 422


def test_how_it_stands_is_asked_of_the_server(studio: TestClient, deployments: dict[str, Any]) -> None:
    page = studio.get("/c/short-answers/run").text
    assert "Run it every night" in page
    assert "Not any more" not in page
    deployments["instruction-sft/short-answers-nightly"] = deployment("15 4 * * *")
    page = studio.get("/c/short-answers/run").text
    assert "It runs every night at 04:15 (Asia/Tokyo)." in page
    assert 'value="04:15"' in page
    assert re.search(r'href="http://127.0.0.1:\d+/deployments/deployment/4711"', page)
    deployments["instruction-sft/short-answers-nightly"] = deployment("15 4 * * *", active=False)
    assert "Its schedule is switched off." in studio.get("/c/short-answers/run").text
    deployments["instruction-sft/short-answers-nightly"] = deployment("0 6 * * 1-5")
    assert "0 6 * * 1-5" in studio.get("/c/short-answers/run").text
    studio.post("/c/short-answers/nightly", data={"off": "true"})
    (job,) = jobs_of("short-answers", "deploy")
    assert job.line.endswith(" --off")
    job.stop()


@pytest.mark.parametrize("told", [{}, {"id": "x"}, {"id": "x", "schedules": [{}]}, []], ids=json.dumps)
def test_an_answer_that_is_none_breaks_no_page(told: Any, studio: TestClient, deployments: dict[str, Any]) -> None:
    deployments["instruction-sft/short-answers-nightly"] = told
    assert studio.get("/c/short-answers/run").status_code == 200


def test_a_server_that_is_gone_breaks_no_page(studio: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{free_port()}/api")
    assert nightly_state("sft", "short-answers") is None
    assert studio.get("/c/short-answers/run").status_code == 200
