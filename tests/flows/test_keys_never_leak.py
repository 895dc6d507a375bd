"""An endpoint's key is nowhere but in the Authorization header: runs against a server that echoes it in every error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from aiohttp import web

from tasks.errors import ConfigError
from tests.models.server import Behaviour, body, chat, page, reset, serving, status

ROOT = Path(__file__).parents[2]
KEY = "sk-the-key-that-nobody-sees-4711"
WRONG = "sk-a-wrong-key-that-nobody-sees-either"


def echo(request: web.Request) -> str:
    """The header, as a server in debug mode shows it."""
    return request.headers.get("Authorization", "")


async def json_400(request: web.Request) -> web.StreamResponse:
    return await status(400, f"bad request: headers {{'Authorization': '{echo(request)}'}}", key=echo(request))(request)


async def page_502(request: web.Request) -> web.StreamResponse:
    return await page(502, f"<h1>Bad Gateway</h1>{'<p></p>' * 577}<pre>{echo(request)}</pre>")(request)


async def error_in_200(request: web.Request) -> web.StreamResponse:
    return await body(orjson.dumps({"error": {"message": echo(request), "code": 422}}))(request)


async def not_json(request: web.Request) -> web.StreamResponse:
    return await body(echo(request).encode(), "text/plain")(request)


async def header_429(request: web.Request) -> web.StreamResponse:
    headers = {"Retry-After": "0", "X-Debug": echo(request), "Set-Cookie": f"key={echo(request).split()[-1]}"}
    return await status(429, echo(request), headers=headers)(request)


async def redirect(request: web.Request) -> web.StreamResponse:
    to = f"http://127.0.0.1:9/{echo(request).split()[-1]}?key={echo(request).split()[-1]}"
    return await status(307, echo(request), headers={"Location": to})(request)


ERRORS: dict[str, Behaviour] = {
    "json 400": json_400,
    "page 502": page_502,
    "error in 200": error_in_200,
    "not json": not_json,
    "reset": reset,
}


def by_question(answered: dict[str, int]) -> Behaviour:
    """Errors for the questions that name them, one refusal of the first question, answers for all others."""

    async def behave(request: web.Request) -> web.StreamResponse:
        if echo(request) != f"Bearer {KEY}":
            return await status(401, f"Incorrect API key provided: {echo(request)}")(request)
        question = (await request.json())["messages"][-1]["content"]
        answered[question] = answered.get(question, 0) + 1
        if question == "question 0" and answered[question] == 1:
            return await header_429(request)
        return await ERRORS.get(question, chat(f"An answer to {question}."))(request)

    return behave


def stillroom(folder: Path, prefect: str, key: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command at its most talkative."""
    own = {
        "STILLROOM_HOME": str(folder / "home"),
        "PYTHONPATH": str(ROOT),
        "PREFECT_API_URL": prefect,
        "THE_KEY": key,
        "PREFECT_LOGGING_LEVEL": "DEBUG",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "DEBUG",
        "PREFECT_LOGGING_ROOT_LEVEL": "DEBUG",
    }
    command = [sys.executable, "-m", "flows.command.main", *arguments]
    return subprocess.run(command, env=os.environ | own, cwd=folder, capture_output=True, text=True, timeout=200)


def everything_prefect_knows() -> str:
    """All that its API gives of flow runs, task runs, states, logs, artifacts and blocks, as JSON."""
    from prefect.client.orchestration import get_client

    kinds = (
        "flow_runs",
        "task_runs",
        "flow_run_states",
        "logs",
        "artifacts",
        "deployments",
        "block_documents",
        "variables",
    )
    with get_client(sync_client=True) as client:
        told: dict[str, Any] = {}
        for kind in kinds:
            if kind == "flow_run_states":
                ids = [run["id"] for run in told["flow_runs"]]
                told[kind] = [client.request("GET", "/flow_run_states/", params={"flow_run_id": i}).json() for i in ids]
            else:
                told[kind] = pages(client, kind)
    assert told["flow_runs"] and told["task_runs"] and told["logs"]
    return json.dumps(told)


def pages(client: Any, kind: str) -> list[Any]:
    found: list[Any] = []
    while True:
        part = client.request("POST", f"/{kind}/filter", json={"limit": 200, "offset": len(found)}).json()
        assert isinstance(part, list), part
        found.extend(part)
        if len(part) < 200:
            return found


def everything_on_disk(folder: Path) -> bytes:
    """All files under a folder, Parquet unpacked."""
    parts = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        parts.append(str(path).encode() + b"\n" + path.read_bytes())
        if path.suffix == ".parquet":
            parts.append(pl.read_parquet(path).write_json().encode())
    return b"\n".join(parts)


@pytest.mark.slow
def test_a_key_is_nowhere_but_in_the_header_whatever_goes_wrong(tmp_path: Path, prefect_server: str) -> None:
    questions = [f"question {number}" for number in range(4)] + list(ERRORS)
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps({"instruction": q}) + "\n" for q in questions))
    common = [
        "sft",
        "--recipe",
        "respond",
        "--seeds",
        "questions.jsonl",
        "--set",
        "model.api_key_env=THE_KEY",
        "--set",
        "model.max_tries=2",
        "--set",
        "max_reject_fraction=0.1",
    ]
    with serving(by_question({})) as server, serving(redirect) as elsewhere:
        run = stillroom(tmp_path, prefect_server, KEY, *common, "--model", server.name, "--out", "out")
        refused = stillroom(
            tmp_path, prefect_server, WRONG, *common, "--model", server.name, "--out", "wrong", "--set", "seed=1"
        )
        led_away = stillroom(tmp_path, prefect_server, KEY, *common, "--model", elsewhere.name, "--out", "away")
        assert f"Bearer {KEY}" in {headers.get("authorization") for headers in server.headers}

    assert run.returncode == 3, run.stderr[-2000:]
    assert refused.returncode == led_away.returncode == 2
    assert "check the environment variable THE_KEY" in refused.stderr
    assert "the key goes nowhere else" in led_away.stderr
    rejects = pl.read_parquet(tmp_path / "out" / "rejects.parquet")
    assert rejects.height == len(ERRORS)
    assert rejects["detail"].str.contains(r"\*\*\*").sum() >= 3  # the errors are told, and what they echo is not
    assert pl.read_parquet(tmp_path / "out" / "data" / "train.parquet").height == 4

    told = {
        "terminal": "".join(part for done in (run, refused, led_away) for part in (done.stdout, done.stderr)).encode(),
        "prefect": everything_prefect_knows().encode(),
        "disk": everything_on_disk(tmp_path),
    }
    for secret in (KEY, WRONG):
        halves = (secret[: len(secret) // 2 + 3], secret[len(secret) // 2 - 3 :])
        for place, text in told.items():
            assert not [half for half in halves if half.encode() in text], place
    assert b"THE_KEY" in told["disk"]  # its name is what is written down


@pytest.mark.parametrize("pasted", ["sk-pasted-here-by-mistake", "hf_PastedHereByMistake"])
def test_a_key_pasted_in_place_of_its_name_is_told_without_it(pasted: str, home: Path) -> None:
    from flows.config import InstructionSFT
    from flows.config_file import load_config
    from flows.runs.plan import plan_of

    model = {"name": "m@http://127.0.0.1:9/v1", "api_key_env": pasted}
    with pytest.raises(ConfigError, match="api_key_env") as caught:
        plan_of(load_config(InstructionSFT, None, {"recipe": "respond", "seeds": ["a"], "model": model})).check()
    assert "asted" not in str(caught.value)
