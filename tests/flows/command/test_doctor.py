"""`stillroom doctor`: what it makes of servers that do well, and of those that do not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from aiohttp import web
from typer.testing import CliRunner

from flows.command.doctor import Finding, examine
from flows.command.main import app
from tasks.models.config import ModelConfig
from tests.models.server import answer, body, serving, status

REPLIES = {
    "capital": "Paris",
    "sea": "Waves hum {seed}.",
    "fifty": "one two three four",
    "ten in words": "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight",
    "two plus two": "BLUE",
    "rivers": '{"city": "Paris", "rivers": 1}',
    "lines are above": "600",
}


def good(asked: dict[str, Any]) -> dict[str, Any]:
    """The JSON of what a server that does well answers."""
    if "prompt" in asked:
        return {"choices": [{"text": " Paris.", "finish_reason": "stop"}], "usage": {"prompt_tokens": 5}}
    last = asked["messages"][-1]["content"]
    text = next(reply for words, reply in reversed(REPLIES.items()) if words in last)
    text = text.replace("{seed}", str(asked["seed"]))
    usage = {"prompt_tokens": len(last.split()), "completion_tokens": 3}
    return answer(text, "length" if asked["max_tokens"] == 4 else "stop", usage=usage)


def findings(reply: Callable[[dict[str, Any]], dict[str, Any]]) -> tuple[dict[str, Finding], int]:
    """What the doctor finds of a server that answers so, and how often it asked."""

    async def behave(request: web.Request) -> web.StreamResponse:
        return await body(orjson.dumps(reply(orjson.loads(await request.read()))))(request)

    with serving(behave) as server:
        found = asyncio.run(examine(ModelConfig(name=server.name)))
        return {finding.question: finding for finding in found}, len(server.bodies)


def test_a_server_that_does_well_is_asked_ten_times_and_only_its_template_is_missed() -> None:
    found, asked = findings(good)
    assert asked == 10
    assert [question for question, finding in found.items() if finding.verdict != "ok"] == ["continues raw text"]
    assert "model.tokenizer" in found["continues raw text"].advice


def test_what_came_of_a_question_is_told_before_the_next_one_is_asked() -> None:
    async def behave(request: web.Request) -> web.StreamResponse:
        return await body(orjson.dumps(good(orjson.loads(await request.read()))))(request)

    asked_by_then: list[int] = []
    with serving(behave) as server:
        config = ModelConfig(name=server.name)
        found = asyncio.run(examine(config, lambda _: asked_by_then.append(len(server.bodies))))
    assert asked_by_then == [1, 2, 4, *range(5, 11)], "`samples` takes two requests"
    assert len(found) == len(asked_by_then)


def never_cut(asked: dict[str, Any]) -> dict[str, Any]:
    made = good(asked)
    return made | {"choices": [made["choices"][0] | {"finish_reason": "stop"}]}


def saying(text: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda asked: good(asked) if "prompt" in asked else answer(text)


@pytest.mark.parametrize(
    ("question", "verdict", "reply"),
    [
        pytest.param("samples", "no", lambda asked: good({**asked, "seed": 0}), id="greedy"),
        pytest.param("tells its end", "no", never_cut, id="never cut"),
        pytest.param("keeps to a schema", "no", saying("Paris, and one river."), id="no schema"),
        pytest.param("takes a system prompt", "note", saying("Four."), id="system prompt not heeded"),
    ],
)
def test_what_a_server_does_not_do_is_found(question: str, verdict: str, reply: Callable[..., Any]) -> None:
    found, _ = findings(reply)
    assert found[question].verdict == verdict


def test_a_prompt_that_is_refused_as_too_long_is_refused_well() -> None:
    async def behave(request: web.Request) -> web.StreamResponse:
        asked = orjson.loads(await request.read())
        if "lines are above" in str(asked.get("messages")):
            return await status(400, "maximum context length is 4096 tokens")(request)
        return await body(orjson.dumps(good(asked)))(request)

    with serving(behave) as server:
        found = asyncio.run(examine(ModelConfig(name=server.name)))
    assert (found[-1].question, found[-1].verdict) == ("reads long prompts", "ok")
    assert "4096" in found[-1].said


def test_a_server_that_cannot_be_asked_is_one_line_and_exit_code_2() -> None:
    with serving(status(401, "no key, no answer")) as server:
        shown = CliRunner().invoke(app, ["doctor", "--model", server.name])
    assert shown.exit_code == 2
    assert "the server wants a key" in shown.stderr
    assert len(shown.stderr.strip().splitlines()) == 1


def test_the_findings_are_to_be_had_as_json() -> None:
    async def behave(request: web.Request) -> web.StreamResponse:
        return await body(orjson.dumps(good(orjson.loads(await request.read()))))(request)

    with serving(behave) as server:
        shown = CliRunner().invoke(app, ["doctor", "--model", server.name, "--set", "max_in_flight=1", "--json"])
    assert shown.exit_code == 0
    assert [finding["verdict"] for finding in json.loads(shown.stdout)].count("ok") == 8
