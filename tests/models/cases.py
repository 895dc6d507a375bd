"""Recorded behaviours of servers, played back on loopback."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from tests.models.server import Behaviour, body

FILE = Path(__file__).parents[1] / "data" / "cases" / "servers" / "servers.jsonl"
CASES: dict[str, dict[str, Any]] = {
    case["name"]: case for case in (orjson.loads(line) for line in FILE.read_bytes().splitlines())
}


def played(name: str) -> Behaviour:
    """The answers of a case: those that are for some requests only to those, the others in order, the last one for ever."""
    answers = CASES[name]["answers"]
    conditional = [answer for answer in answers if "when" in answer]
    others = [answer for answer in answers if "when" not in answer]
    asked = -1

    async def behave(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        sent = await request.json()
        for answer in conditional:
            if _applies(answer["when"], sent):
                return await _behaviour(answer)(request)
        asked += 1
        return await _behaviour(others[min(asked, len(others) - 1)])(request)

    return behave


def _applies(when: str, sent: dict[str, Any]) -> bool:
    if when == "the request has more than 4 stop texts":
        return len(sent.get("stop", ())) > 4
    assert when == "response_format.type is json_schema"
    return bool(sent.get("response_format", {}).get("type") == "json_schema")


def _behaviour(answer: dict[str, Any]) -> Behaviour:
    content, headers = answer["body"], dict(answer["headers"])
    kind = headers.pop("content-type")
    for name, value in headers.items():
        if value.startswith("NOW_MS"):
            headers[name] = str(int(time.time() * 1000) + int(value.removeprefix("NOW_MS")))
    sent = content.encode() if isinstance(content, str) else orjson.dumps(content)
    return body(sent, kind, answer["status"], headers=headers)
