"""Reward models behind a server: vLLM's /score and /classify."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tasks.errors import PermanentError, RequestRefused
from tasks.models.base import Message, Request, Sampling
from tests.models.asking import ask
from tests.models.server import body, serving, status

TALK: tuple[Message, ...] = ({"role": "user", "content": "Soup?"}, {"role": "assistant", "content": "Boil it."})
LONG: tuple[Message, ...] = ({"role": "system", "content": "You cook."}, *TALK[:1], *TALK[1:], *TALK)


def wanted(messages: tuple[Message, ...] = TALK, scored_by: str = "score") -> Request:
    return Request(Sampling(), 0, messages, scored_by=scored_by)


def scored(**one: Any) -> bytes:
    data = [{"index": 0, **one}]
    return orjson.dumps({"object": "list", "model": "a-model", "data": data, "usage": {"prompt_tokens": 9}})


def test_a_score_is_asked_for_with_two_texts_and_as_a_bare_logit() -> None:
    with serving(body(scored(object="score", score=-3.25))) as server:
        [completion] = ask(server, wanted())
        assert server.paths == ["/v1/score"]
        told = {"model": "a-model", "text_1": "Soup?", "text_2": "Boil it.", "use_activation": False}
        assert server.bodies == [told]
    assert (completion.text, completion.prompt_tokens) == ("-3.25", 9)
    with serving(body(scored(score=1))) as server:
        ask(server, wanted(LONG))
        assert server.bodies[0]["text_1"] == "system: You cook.\nuser: Soup?\nassistant: Boil it.\nuser: Soup?"


def test_classify_takes_the_conversation_beside_v1() -> None:
    with serving(body(scored(label="LABEL_0", probs=[2.5], num_classes=1))) as server:
        [completion] = ask(server, wanted(LONG, "classify"))
        assert server.paths == ["/classify"]
        assert server.bodies == [{"model": "a-model", "messages": list(LONG), "use_activation": False}]
    assert completion.text == "2.5"


@pytest.mark.parametrize(
    "content",
    [
        b'{"object": "list", "data": []}',
        scored(),
        scored(probs=[0.2, 0.8]),
        b'{"data": [{"score": 1}, {"score": 2}]}',
        b'{"data": [{"score": 1e999}]}',
        b'{"choices": [{"message": {"content": "2.5"}}]}',
        b"2.5",
    ],
    ids=["no data", "no score", "several classes", "two scores", "not finite", "a chat", "a number"],
)
def test_an_answer_that_is_no_one_score_is_tried_again_and_refused(content: bytes) -> None:
    with serving(body(content)) as server:
        [outcome] = ask(server, wanted())
        assert isinstance(outcome, RequestRefused) and outcome.reason == "bad_answer"
        assert len(server.bodies) > 1


def test_a_server_without_scores_ends_the_run_and_one_text_too_long_only_its_row() -> None:
    with serving(status(404, "Not Found")) as server:
        [outcome] = ask(server, wanted())
        assert isinstance(outcome, PermanentError)
    with serving(status(400, "This model's maximum context length is 8 tokens")) as server:
        [outcome] = ask(server, wanted())
        assert isinstance(outcome, RequestRefused) and outcome.reason == "context_too_long"


def test_a_provider_without_scores_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(status(500, "no")) as server:
        [outcome] = ask(server, wanted(), provider="anthropic")
        assert isinstance(outcome, PermanentError) and "offers no scores" in str(outcome)
        assert not server.bodies
