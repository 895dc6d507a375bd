"""Marks for the provider's cache: on what requests have in common and what is long enough, and on nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.engine.accounting import cost_of
from tasks.models.base import Message, Request, Sampling
from tasks.models.config import ModelConfig
from tasks.models.endpoint.beginnings import MOST_KINDS, Beginnings
from tests.engine.served import run_served
from tests.models.asking import ask
from tests.models.endpoint.test_anthropic import TOOLS
from tests.models.messages_api import message
from tests.models.server import serving

LONG = "Judge by all of this, and by nothing else. " * 120  # some 1,300 tokens
MARK = {"cache_control": {"type": "ephemeral"}}


def request(seed: int, system: str, asked: str, tools: str | None = None) -> Request:
    turns: tuple[Message, ...] = ({"role": "system", "content": system}, {"role": "user", "content": asked})
    return Request(Sampling(), seed, turns, tools=tools)


def sent(*requests: Request, **config: Any) -> list[dict[str, Any]]:
    """The bodies of requests that are made one after another."""
    with serving(message("four")) as server:
        ask(server, *requests, provider="anthropic", max_in_flight=1, **{"price_cached": 0.3, **config})
        return list(server.bodies)


def test_a_long_system_prompt_is_marked_once_another_request_has_had_it() -> None:
    first, second, third = sent(*(request(n, LONG, f"question {n}") for n in range(3)))
    assert first["system"] == LONG
    for body in (second, third):
        assert body["system"] == [{"type": "text", "text": LONG} | MARK]
        assert isinstance(body["messages"][0]["content"], str)


def test_what_the_first_turns_have_in_common_is_a_marked_part_of_its_own_and_the_words_stay() -> None:
    asked = [f"{LONG}Question: {word}, and why?" for word in ("how", "when", "where", "who")]
    bodies = sent(*(request(n, "Be short.", one) for n, one in enumerate(asked)))
    contents = [body["messages"][0]["content"] for body in bodies]
    assert contents[0] == asked[0]
    for content, one in zip(contents[1:], asked[1:], strict=True):
        assert "".join(part["text"] for part in content) == one
        assert [part.get("cache_control") for part in content] == [{"type": "ephemeral"}, None]
    assert contents[-1][0]["text"] == f"{LONG}Question: "


def test_a_prompt_that_is_asked_again_for_another_sample_is_marked_whole() -> None:
    _, again = sent(request(1, "Be short.", LONG), request(2, "Be short.", LONG))
    assert again["messages"][0]["content"] == [{"type": "text", "text": LONG} | MARK]


@pytest.mark.parametrize(
    ("system", "config"),
    [("Be short.", {}), (LONG, {"price_cached": None})],
    ids=["too short to be kept", "a server that says nothing of a cache"],
)
def test_nothing_else_is_marked(system: str, config: dict[str, Any]) -> None:
    bodies = sent(*(request(n, system, f"question {n}") for n in range(3)), **config)
    assert [body["system"] for body in bodies] == [system] * 3


def test_tools_count_as_they_come_before_the_system_prompt() -> None:
    system = LONG[: len(LONG) * 3 // 4]
    many = TOOLS[:-1] + f", {TOOLS[1:-1].replace('weather', 'x' * 1000)}]"
    assert [type(b["system"]) for b in sent(*(request(n, system, f"q {n}") for n in range(2)))] == [str, str]
    assert [type(b["system"]) for b in sent(*(request(n, system, f"q {n}", many) for n in range(2)))] == [str, list]


def test_a_request_that_is_written_again_is_no_other_request() -> None:
    beginnings = Beginnings()
    assert [beginnings.shared("", LONG, 1) for _ in range(3)] == ["", "", ""]
    assert [beginnings.shared("", LONG, 2), beginnings.shared("", LONG, 1)] == [LONG, LONG]


def test_what_is_remembered_has_a_bound() -> None:
    beginnings = Beginnings()
    for number in range(MOST_KINDS + 50):
        beginnings.shared(f"{number}", LONG, number)
    assert beginnings.shared("0", LONG, -1) == ""  # forgotten
    assert beginnings.shared(f"{MOST_KINDS + 49}", LONG, -1) == LONG


def test_marks_are_no_part_of_a_request_key_and_what_they_save_is_counted(tmp_path: Path) -> None:
    questions = [f"{LONG}Question: {word}?" for word in ("how", "when", "where")]
    usage = {
        "input_tokens": 10,
        "cache_creation_input_tokens": 200,
        "cache_read_input_tokens": 1000,
        "output_tokens": 3,
    }
    prices = {"price_prompt": 3.0, "price_completion": 15.0, "price_cached": 0.3, "price_cache_write": 3.75}
    with serving(message("It is this one.", usage=usage)) as server:
        plain = run_served(server.name, tmp_path, questions, provider="anthropic")
        again = run_served(server.name, tmp_path, questions, provider="anthropic", **prices)
        assert again.context.accounting.tally.requests == 0 < plain.context.accounting.tally.requests
        assert again.responses == plain.responses
        marked = run_served(server.name, tmp_path, [f"{one} Why?" for one in questions], provider="anthropic", **prices)
    assert any(isinstance(body["messages"][0]["content"], list) for body in server.bodies[3:])
    figures = marked.context.accounting.tally.figures()
    assert (figures["prompt_tokens"], figures["cached_tokens"], figures["cache_write_tokens"]) == (3630, 3000, 600)
    assert figures["cost"] == pytest.approx(3 * (10 * 3 + 200 * 3.75 + 1000 * 0.3 + 3 * 15) / 1e6)


def test_what_is_read_from_the_cache_and_written_there_have_prices_of_their_own() -> None:
    prices = {"price_prompt": 3.0, "price_completion": 15.0, "price_cached": 0.3, "price_cache_write": 3.75}
    config = ModelConfig(name="claude-x@https://api.anthropic.com", **prices)
    assert cost_of(config, 10_000, 100, 4000, 2000) == pytest.approx(
        (4000 * 3 + 4000 * 0.3 + 2000 * 3.75 + 100 * 15) / 1e6
    )
    assert cost_of(config.model_copy(update={"price_cache_write": None}), 10_000, 0, 0, 2000) == pytest.approx(0.03)
    assert config.marks_beginnings
