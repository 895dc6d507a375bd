"""Anthropic's Messages API: what is sent, what its answers mean, and what it does not offer."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tasks.errors import ConfigError, PermanentError, RequestRefused
from tasks.models.base import Completion, Message, Request, Reshaped, Sampling
from tasks.models.config import ModelConfig
from tasks.models.endpoint.endpoint import open_endpoint
from tasks.models.endpoint.limits import rest_s
from tasks.models.endpoint.providers.anthropic_schema import held_to
from tasks.models.endpoint.refusals import ALIKE
from tasks.notices import heard
from tests.models.asking import HELLO, KEY, ask, asked, opened, question
from tests.models.endpoint.test_structured import GOOD, Verdict
from tests.models.endpoint.test_structured import ask as ask_structured
from tests.models.messages_api import REQUEST_ID, error, message, overloaded, refused
from tests.models.server import Behaviour, body, serving

AT_HOME = "claude-sonnet-4-5@https://api.anthropic.com"
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Hue"}'}}
TOOLS = json.dumps(
    [{"type": "function", "function": {"name": "weather", "description": "d", "parameters": {"type": "object"}}}]
)
TALK: tuple[Message, ...] = (
    {"role": "system", "content": "Be short."},
    {"role": "user", "content": "The weather in Hue?"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "content": "31 C", "tool_call_id": "c1"},
    {"role": "assistant", "content": "31 C."},
    {"role": "user", "content": "And tomorrow?"},
)


def claude(server: Any, *requests: Request, **config: Any) -> list[Any]:
    return ask(server, *requests, provider="anthropic", **config)


# What is sent.


def test_a_request_is_sent_in_the_apis_words_and_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)
    sampling = Sampling(temperature=0.5, max_new_tokens=32, top_k=5, stop=("END", "\n\n"))
    usage = {"input_tokens": 7, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 100, "output_tokens": 3}
    with serving(message("It is four.", usage=usage)) as server:
        (completion,) = claude(server, Request(sampling, 5, TALK, tools=TOOLS), api_key_env="TEST_KEY")
        assert server.bodies == [
            {
                "model": "a-model",
                "max_tokens": 32,
                "temperature": 0.5,
                "top_k": 5,
                "stop_sequences": ["END"],
                "system": "Be short.",
                "tools": [{"name": "weather", "description": "d", "input_schema": {"type": "object"}}],
                "messages": [
                    {"role": "user", "content": "The weather in Hue?"},
                    {
                        "role": "assistant",
                        "content": [{"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Hue"}}],
                    },
                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "31 C"}]},
                    {"role": "assistant", "content": "31 C."},
                    {"role": "user", "content": "And tomorrow?"},
                ],
            }
        ]
        sent = server.headers[0]
    assert (sent["x-api-key"], sent["anthropic-version"], "authorization" in sent) == (KEY, "2023-06-01", False)
    assert completion == Completion("It is four.", "stop", 127, 3, cached_tokens=100, cache_write_tokens=20)


def test_what_a_server_that_ends_at_white_space_would_have_cut_is_cut_here() -> None:
    with serving(message("one\n\ntwo", "max_tokens")) as server:
        (completion,) = claude(server, question(0, Sampling(stop=("\n\n",))))
    assert (completion.text, completion.finish_reason) == ("one", "stop")


def test_thinking_has_a_budget_beside_the_answers_and_newer_models_their_own() -> None:
    words = '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort".'
    on = question(0, Sampling(thinking="on", max_new_tokens=100, max_reasoning_tokens=2000))
    with serving(refused(words), message()) as server:
        assert claude(server, on)[0].text == "hello"
        assert [sent["thinking"]["type"] for sent in server.bodies] == ["enabled", "adaptive"]
        assert [sent["max_tokens"] for sent in server.bodies] == [2100, 2100]
        assert server.bodies[0]["thinking"]["budget_tokens"] == 2000
    with serving(message()) as server:
        claude(server, question(0, Sampling(thinking="off")))
        assert server.bodies[0]["thinking"] == {"type": "disabled"}


# What is read.

ANSWERS: dict[str, tuple[Behaviour, str, str, str | None, str | None]] = {
    "text": (message("four"), "four", "stop", None, None),
    "several blocks": (
        message([{"type": "text", "text": "fo"}, {"type": "text", "text": "ur"}]),
        "four",
        "stop",
        None,
        None,
    ),
    "thinking": (
        message([{"type": "thinking", "thinking": "2+2", "signature": "x"}, {"type": "text", "text": "four"}]),
        "four",
        "stop",
        "2+2",
        None,
    ),
    "thinking kept back": (
        message(
            [
                {"type": "redacted_thinking", "data": "x"},
                {"type": "thinking", "thinking": "", "signature": "x"},
                {"type": "text", "text": "four"},
            ]
        ),
        "four",
        "stop",
        None,
        None,
    ),
    "thinking in the text (vLLM)": (message("<think>2+2</think>four"), "four", "stop", "2+2", None),
    "nothing": (message([]), "", "stop", None, None),
    "stop_sequence": (message("four", "stop_sequence", stop_sequence="END"), "four", "stop", None, None),
    "max_tokens": (message("fo", "max_tokens"), "fo", "length", None, None),
    "context": (message("fo", "model_context_window_exceeded"), "fo", "length", None, None),
    "refusal": (
        message("I ca", "refusal", stop_details={"type": "refusal", "category": "bio", "explanation": None}),
        "I ca",
        "content_filter",
        None,
        "refusal: bio",
    ),
    "pause_turn": (message("fo", "pause_turn"), "fo", "cut_off", None, "pause_turn"),
    "a new word": (message("fo", "compaction"), "fo", "cut_off", None, "compaction"),
    "no word": (message("fo", None), "fo", "cut_off", None, "no word for its end"),
    "tool_use": (
        message(
            [{"type": "text", "text": "Let me see."}, {"type": "tool_use", "id": "t", "name": "weather", "input": {}}],
            "tool_use",
        ),
        "Let me see.",
        "tool_calls",
        None,
        None,
    ),
}


@pytest.mark.parametrize(("behaviour", "text", "finish", "reasoning", "word"), ANSWERS.values(), ids=ANSWERS.keys())
def test_an_answer_means_what_its_stop_reason_says(
    behaviour: Behaviour, text: str, finish: str, reasoning: str | None, word: str | None
) -> None:
    with serving(behaviour) as server:
        (completion,) = claude(server)
    assert isinstance(completion, Completion), completion
    assert (completion.text, completion.finish_reason) == (text, finish)
    assert (completion.reasoning, completion.finish_word) == (reasoning, word)


def test_the_name_of_another_model_is_kept() -> None:
    with serving(message(model="claude-haiku-4-5")) as server:
        assert claude(server)[0].served == "claude-haiku-4-5"


# Faults.


def test_an_overloaded_server_is_asked_again_and_a_limit_is_waited_for() -> None:
    limit = error(429, "rate_limit_error", "This request would exceed your rate limit", headers={"retry-after": "0.1"})
    hidden = error(200, "overloaded_error", "Overloaded")
    with serving(overloaded(), limit, hidden, message()) as server:
        assert claude(server)[0].text == "hello"
        assert len(server.bodies) == 4


def test_an_allowance_at_zero_is_read_from_the_apis_headers() -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=30)).isoformat().replace("+00:00", "Z")
    headers = {
        f"anthropic-ratelimit-output-tokens-{what}": value for what, value in (("remaining", "0"), ("reset", soon))
    }
    assert 25 < rest_s(headers) <= 30
    assert rest_s(headers | {"anthropic-ratelimit-output-tokens-remaining": "1"}) == 0


FAULTS: dict[str, tuple[Behaviour, type[Exception], str]] = {
    "key": (error(401, "authentication_error", "invalid x-api-key"), PermanentError, "the server wants a key"),
    "model": (error(404, "not_found_error", "model: claude-nonesuch"), PermanentError, "does not know this model"),
    "credit": (
        refused("Your credit balance is too low to access the Anthropic API."),
        PermanentError,
        "no credit left",
    ),
    "spend limit": (
        error(429, "rate_limit_error", "reached", details={"error_code": "enforced_spend_limit_reached"}),
        PermanentError,
        "no credit left",
    ),
    "usage limit": (refused("You have reached your specified API usage limits."), PermanentError, "no credit left"),
    "too long": (refused("prompt is too long: 208310 tokens > 200000 maximum"), RequestRefused, "context_too_long"),
    "too long with its answer": (
        refused("input length and `max_tokens` exceed context limit: 1 + 2 > 3"),
        RequestRefused,
        "context_too_long",
    ),
    "too large": (
        error(413, "request_too_large", "Request exceeds the maximum size"),
        RequestRefused,
        "context_too_long",
    ),
    "empty text": (
        refused("messages: text content blocks must be non-empty"),
        RequestRefused,
        f"bad_request: HTTP 400: .*request {REQUEST_ID}",
    ),
    "no message": (body(b'{"type": "message", "content": "four"}'), RequestRefused, "bad_answer"),
    "no JSON": (body(b"four"), RequestRefused, "bad_answer"),
}


@pytest.mark.parametrize(("behaviour", "kind", "said"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_the_rows_or_the_runs(behaviour: Behaviour, kind: type[Exception], said: str) -> None:
    with serving(behaviour) as server, pytest.raises(kind, match=said):
        raise claude(server)[0]


def test_the_same_refusal_of_all_is_the_runs_although_each_has_an_id() -> None:
    refusals = [refused("tools: none for you", headers={"request-id": f"req_011Abc{n}Xyz"}) for n in range(ALIKE + 1)]
    with serving(*refusals) as server:
        results = claude(server, *(question(n) for n in range(ALIKE + 1)), max_in_flight=1)
    assert isinstance(results[-1], PermanentError)
    assert "refuses every request alike" in str(results[-1])


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("`temperature` is deprecated for this model.", "temperature"),
        ("temperature: Extra inputs are not permitted", "temperature"),
        ("`temperature` and `top_p` cannot both be specified for this model. Please use only one.", "top_p"),
        (
            "`temperature` may only be set to 1 when thinking is enabled. Please consult our documentation",
            "temperature",
        ),
        ("`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.", "top_p"),
    ],
)
def test_a_parameter_that_a_model_does_not_take_is_left_out_and_told(words: str, name: str) -> None:
    told: list[str] = []
    both = question(0, Sampling(temperature=0.5, top_p=0.9))
    with serving(refused(words), message()) as server, heard(told.append):
        model = opened(server.name, provider="anthropic")
        first, second = asyncio.run(_twice(model, both))
        assert isinstance(first, Reshaped)
        assert second.text == "hello"
        assert [name in sent for sent in server.bodies] == [True, False]
    assert any(f"does not take `{name}`" in line for line in told)


async def _twice(model: Any, request: Request) -> list[Any]:
    first = await asyncio.gather(model.complete(request), return_exceptions=True)
    return [*first, *await asked(model, request)]


# Structured answers.


def test_a_schema_is_sent_as_the_api_takes_it_and_the_answer_is_checked_by_all_of_it() -> None:
    with serving(message('{"score": 9}'), message(GOOD)) as server:
        verdict, row = ask_structured(opened(server.name, provider="anthropic"))
        sent = server.bodies[0]["output_config"]["format"]
    assert (verdict.score, row.calls[0].attempts) == (4, 2)
    assert sent["type"] == "json_schema"
    score = sent["schema"]["properties"]["score"]
    assert score == {"title": "Score", "type": "integer", "description": "{maximum: 5, minimum: 1}"}
    assert sent["schema"]["additionalProperties"] is False
    assert sent["schema"]["$defs"]["Part"]["additionalProperties"] is False


def test_a_model_without_structured_answers_is_asked_without_and_its_answers_are_checked() -> None:
    words = "output_config.format: structured outputs are not supported for this model"
    with serving(refused(words), message("four"), message(GOOD)) as server:
        verdict, _ = ask_structured(opened(server.name, provider="anthropic"))
        assert ["output_config" in sent for sent in server.bodies] == [True, False, False]
    assert verdict == Verdict.model_validate_json(GOOD)


def test_a_schema_keeps_what_the_api_knows_and_tells_the_rest() -> None:
    schema = {
        "type": "object",
        "required": ["a"],
        "properties": {
            "a": {"type": "array", "items": {"type": "string", "format": "date"}, "minItems": 1, "maxItems": 3},
            "b": {"oneOf": [{"type": "null"}, {"enum": ["x"]}], "description": "why"},
            "c": {"$ref": "#/$defs/C"},
        },
        "$defs": {"C": {"type": "string", "maxLength": 9}},
    }
    assert json.loads(held_to(json.dumps(schema))) == {
        "type": "object",
        "required": ["a"],
        "additionalProperties": False,
        "$defs": {"C": {"type": "string", "description": "{maxLength: 9}"}},
        "properties": {
            "a": {
                "type": "array",
                "items": {"type": "string", "format": "date"},
                "minItems": 1,
                "description": "{maxItems: 3}",
            },
            "b": {"anyOf": [{"type": "null"}, {"enum": ["x"]}], "description": "why"},
            "c": {"$ref": "#/$defs/C"},
        },
    }


# What it does not offer, and whom it is.


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Request(Sampling(), 1, prompt="Once upon"), "continuation of raw text"),
        (Request(Sampling(), 1, embed="x"), "embeddings"),
        (Request(Sampling(logprobs=2), 1, HELLO), "logprobs"),
    ],
    ids=["raw text", "embeddings", "logprobs"],
)
def test_what_the_api_does_not_offer_is_refused_before_anything_is_sent(request_: Request, words: str) -> None:
    with serving(message()) as server:
        (error_,) = claude(server, request_)
        assert server.bodies == []
    assert isinstance(error_, PermanentError)
    assert f"provider anthropic offers no {words}" in str(error_)


def test_a_setting_that_the_api_does_not_have_is_the_users_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    with pytest.raises(ConfigError, match=r"provider anthropic offers no min_p: min_p=0.1 \(leave it out\)"):
        opened(AT_HOME, min_p=0.1)
    with pytest.raises(ConfigError, match="raw text continued, which provider anthropic does not offer"):
        _ = opened(AT_HOME).template


def test_at_anthropic_provider_and_key_are_known_and_elsewhere_no_key_is_sent_unasked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home, elsewhere = ModelConfig(name=AT_HOME), ModelConfig(name="m@http://127.0.0.1:9", provider="anthropic")
    assert (home.spoken, home.key_env) == ("anthropic", "ANTHROPIC_API_KEY")
    assert (elsewhere.spoken, elsewhere.key_env) == ("anthropic", None)
    assert ModelConfig(name=AT_HOME + "/v1", provider="openai").key_env is None
    assert ModelConfig(name="m@https://api.anthropic.com.evil.example").key_env is None
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="not set: ANTHROPIC_API_KEY"):
        open_endpoint(home)


def test_the_provider_is_part_of_a_models_identity_and_the_first_one_adds_nothing() -> None:
    name = "m@http://127.0.0.1:9/v1"
    plain, openai, anthropic = (opened(name, provider=provider).identity for provider in (None, "openai", "anthropic"))
    assert plain == openai == "b5c94f80d77aa1df406ac5c1208ae965"  # paid for under this name
    assert anthropic != plain


def test_log_probabilities_are_left_out_where_the_request_key_says_so() -> None:
    with serving(message()) as server:
        model = opened(server.name, provider="anthropic")
        assert "logprobs" in model.left_out
        [answered] = asyncio.run(asked(model, Request(Sampling(logprobs=20), 1, HELLO, left_out=model.left_out)))
        assert (answered.text, answered.logprobs) == ("hello", None)
        assert not any("logprobs" in sent for sent in server.bodies)
