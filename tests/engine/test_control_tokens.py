"""Control tokens in a user's text: sent as text, published as the user wrote them, or their rows filtered."""

from __future__ import annotations

import asyncio
import copy
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.requests.asking import Member
from tasks.errors import Filtered
from tasks.generate.text_generation import TextGeneration, text_generation
from tasks.models.config import ModelConfig
from tasks.models.scripted import ScriptedModel
from tests.engine.served import run_served
from tests.models.endpoint.test_endpoint import tokenizer_in
from tests.models.server import Behaviour, answer, serving
from tests.rows import a_row

TRICK = "What comes after <|im_end|> here?"
SENT = "What comes after <\u2060|im_end|> here?"


async def repeating(request: web.Request) -> web.StreamResponse:
    asked = await request.json()
    return web.json_response(answer(f"You said: {asked['messages'][-1]['content']}"))


ECHO: Behaviour = repeating


def test_a_token_is_sent_as_text_and_published_as_it_was_written(tmp_path: Path) -> None:
    with serving(ECHO) as server:
        run = run_served(server.name, tmp_path, [TRICK, "Plain?"])
        assert sorted(sent["messages"][0]["content"] for sent in server.bodies) == sorted(["Plain?", SENT])
    assert run.responses == [f"You said: {TRICK}", "You said: Plain?"]
    assert run.outcome is not None
    assert run.outcome.rows["instruction"].to_list() == [TRICK, "Plain?"]
    assert ["control tokens (<|im_end|>)" in line for line in run.told] == [True]


def test_such_rows_can_be_rejected(tmp_path: Path) -> None:
    with serving(ECHO) as server:
        run = run_served(server.name, tmp_path, [TRICK, "Plain?"], control_tokens="reject")
        assert len(server.bodies) == 1
    assert (run.reasons, run.responses) == (["control_tokens"], ["You said: Plain?"])


def test_such_texts_can_be_sent_as_they_are(tmp_path: Path) -> None:
    with serving(ECHO) as server:
        run = run_served(server.name, tmp_path, [TRICK], control_tokens="keep")
        assert server.bodies[0]["messages"][0]["content"] == TRICK
    assert (run.responses, run.told) == ([f"You said: {TRICK}"], [])


@pytest.mark.parametrize(
    ("text", "sent"), [("a </s> b", "a <\u2060/s> b"), (TRICK, TRICK)], ids=["its own", "another's"]
)
def test_where_the_tokenizer_is_known_its_tokens_are_meant(text: str, sent: str, tmp_path: Path) -> None:
    with serving(ECHO) as server:
        run = run_served(server.name, tmp_path, [text], tokenizer=str(tokenizer_in(tmp_path / "tokenizer")))
        assert server.bodies[0]["messages"][0]["content"] == sent
    assert run.responses == [f"You said: {text}"]


CITY = "Hue<|im_end|>"
CALLED = {
    "plain": json.dumps({"city": CITY}),
    "escaped": json.dumps({"city": CITY}).replace("<", "\\u003c"),
    "in a name": json.dumps({CITY: 1}),
    "no JSON": f"city={CITY}",
    "bare": json.dumps(CITY),
}
SENT_CITY = "Hue<\u2060|im_end|>"


def asked_with_tools(arguments: str, tools: str | None, **config: Any) -> tuple[Any, Any]:
    """The row that comes of a conversation with a call of a tool, and the request that was made for it."""
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": arguments}}
    turns = [
        {"role": "user", "content": "The weather?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "31 C", "tool_call_id": "c1", "name": "weather"},
    ]
    model = ScriptedModel(lambda _: "Warm.")
    member = Member(model, ModelConfig(name="m@http://127.0.0.1:1/v1", **config))
    row = a_row(messages=copy.deepcopy(turns), tools=tools)
    [child] = asyncio.run(text_generation(row, Models({"generator": [member]}, Context()), TextGeneration()))
    assert (child["messages"], child["tools"]) == (turns, tools), "what is published is as it was given"
    return child, model.requests[0]


@pytest.mark.parametrize("arguments", CALLED.values(), ids=CALLED)
def test_a_token_in_a_call_of_a_tool_is_sent_as_text(arguments: str) -> None:
    _, request = asked_with_tools(arguments, None)
    sent = request.messages[1]["tool_calls"][0]["function"]["arguments"]
    try:
        sent = json.loads(sent)
    except ValueError:
        assert sent == f"city={SENT_CITY}"
    else:
        assert sent in ({"city": SENT_CITY}, {SENT_CITY: 1}, SENT_CITY)


def test_a_token_in_the_tools_is_sent_as_text() -> None:
    tools = json.dumps([{"type": "function", "function": {"name": "weather", "description": f"of {CITY}"}}])
    _, request = asked_with_tools("{}", tools)
    assert json.loads(request.tools)[0]["function"]["description"] == f"of {SENT_CITY}"


def test_calls_and_tools_without_a_token_are_sent_as_they_are_written() -> None:
    arguments, tools = '{"city":  "H\\u00fc"}', '[{"type":  "function"}]'
    _, request = asked_with_tools(arguments, tools)
    assert request.messages[1]["tool_calls"][0]["function"]["arguments"] == arguments and request.tools == tools


def test_a_row_with_a_token_in_a_call_can_be_rejected() -> None:
    with pytest.raises(Filtered, match="control_tokens"):
        asked_with_tools(CALLED["plain"], None, control_tokens="reject")
