"""Control tokens in a user's text: sent as text, published as the user wrote them, or their rows filtered."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from tests.engine.served import run_served
from tests.models.server import Behaviour, answer, serving
from tests.models.test_endpoint import tokenizer_in

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
