"""An endpoint: what it sends, what it reads, and whom it takes it for."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from tasks.errors import ConfigError
from tasks.models.base import Completion, Request, Reshaped, Sampling, TokenLogprobs
from tasks.models.config import ModelConfig
from tasks.models.endpoint.endpoint import EndpointModel, open_endpoint
from tasks.models.open import open_model
from tests.models.asking import HELLO, KEY, ask, asked, opened, question
from tests.models.server import (
    Behaviour,
    answer,
    body,
    chat,
    serving,
    status,
)

# What is sent.


def test_a_chat_is_sent_in_the_protocols_words_and_read_back() -> None:
    sampling = Sampling(temperature=0.5, top_p=0.9, max_new_tokens=32, presence_penalty=0.2, stop=("END",), logprobs=2)
    with serving(chat("It is four.", "eos_token")) as server:
        (completion,) = ask(server, Request(sampling, 2**62 + 5, HELLO))
        assert server.paths == ["/v1/chat/completions"]
        assert server.bodies == [
            {
                "model": "a-model",
                "messages": [{"role": "user", "content": "hello?"}],
                "max_tokens": 32,
                "seed": 5,
                "stream": False,
                "temperature": 0.5,
                "top_p": 0.9,
                "presence_penalty": 0.2,
                "stop": ["END"],
                "logprobs": True,
                "top_logprobs": 2,
            }
        ]
        assert "authorization" not in server.headers[0]
    assert completion == Completion("It is four.", "stop", 7, 3)


def test_a_raw_prompt_goes_out_as_it_stands_and_no_second_first_token_is_added() -> None:
    raw = {
        "choices": [{"text": " a time", "finish_reason": "length"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    }
    with serving(body(orjson.dumps(raw))) as server:
        (completion,) = ask(server, Request(Sampling(max_new_tokens=2), 1, prompt="<s>Once upon"))
        assert server.paths == ["/v1/completions"]
        assert server.bodies == [
            {
                "model": "a-model",
                "prompt": "<s>Once upon",
                "max_tokens": 2,
                "seed": 1,
                "stream": False,
                "temperature": 1.0,
                "add_special_tokens": False,
            }
        ]
    assert completion == Completion(" a time", "length", 3, 2)


def test_where_the_server_adds_the_first_token_it_is_taken_off_the_prompt(tmp_path: Path) -> None:
    with serving(body(b'{"choices": [{"text": "x"}]}')) as server:
        config = {"bos": "server", "tokenizer": str(tokenizer_in(tmp_path))}
        ask(server, Request(Sampling(), 1, prompt="<s>[INST] hi"), **config)
        assert server.bodies[0]["prompt"] == "[INST] hi"
        assert "add_special_tokens" not in server.bodies[0]


@pytest.mark.parametrize(
    ("words", "request_", "field", "instead"),
    [
        (
            "Unexpected fields in the request: {'add_special_tokens'}",
            Request(Sampling(), 1, prompt="x"),
            "add_special_tokens",
            None,
        ),
        (
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
            question(),
            "max_tokens",
            "max_completion_tokens",
        ),
    ],
    ids=["transformers serve", "OpenAI"],
)
def test_what_the_server_does_not_understand_is_said_in_another_way(
    words: str, request_: Request, field: str, instead: str | None
) -> None:
    with serving(status(422, words), body(b'{"choices": [{"text": "x"}]}')) as server:
        model = opened(server.name, max_in_flight=1)
        results = asyncio.run(asked(model, request_, request_))
        assert [r.text for r in results] == ["x", "x"]
        assert [field in sent for sent in server.bodies] == [True, False, False]
        assert instead is None or instead in server.bodies[1]


def tokenizer_in(folder: Path) -> Path:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"<s>": 0, "</s>": 1, "a": 2}, unk_token="a"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>", eos_token="</s>")
    tokenizer.chat_template = "{{ bos_token }}{% for m in messages %}[{{ m.content }}]{% endfor %}"
    tokenizer.save_pretrained(folder)
    return folder


def test_the_chat_template_is_that_of_the_tokenizer_named(tmp_path: Path) -> None:
    model = opened("m@http://127.0.0.1:9/v1", tokenizer=str(tokenizer_in(tmp_path)))
    assert model.template.apply_chat_template(HELLO, tokenize=False) == "<s>[hello?]"
    assert model.template.eos_token == "</s>"


def test_without_a_tokenizer_the_error_names_the_option() -> None:
    with pytest.raises(ConfigError, match=r"needs the chat template.*name the model's tokenizer.*: tokenizer"):
        _ = opened("m@http://127.0.0.1:9/v1").template


def test_a_prompt_of_megabytes_is_sent_whole() -> None:
    long = "x" * (3 * 2**20)
    with serving(chat()) as server:
        ask(server, Request(Sampling(), 1, ({"role": "user", "content": long},)))
        assert server.bodies[0]["messages"][0]["content"] == long


# What is read.


@pytest.mark.parametrize(
    ("content", "message", "text", "reasoning"),
    [
        ("four", {"reasoning_content": "2+2"}, "four", "2+2"),
        ("four", {"reasoning": "2+2"}, "four", "2+2"),
        ("<think>\n2+2\n</think>\n\nfour", {}, "four", "2+2"),
        ("2+2\n</think>\n\nfour", {}, "four", "2+2"),
        ("<think></think>four", {}, "four", None),
        ("<think>2+2 and so on", {}, "", "2+2 and so on"),
        ("write <think> in brackets", {}, "write <think> in brackets", None),
        ("[THINK]2+2[/THINK]four", {}, "four", "2+2"),
        ("write <think> and </think> in brackets", {}, "write <think> and </think> in brackets", None),
        ([{"type": "text", "text": "fo"}, {"type": "text", "text": "ur"}], {}, "four", None),
        (None, {}, "", None),
        (None, {"reasoning_content": "2+2"}, "", "2+2"),
    ],
    ids=[
        "reasoning_content",
        "reasoning",
        "block",
        "block opened by the template",
        "empty block",
        "unfinished block",
        "no block",
        "another tag",
        "a block in the text",
        "parts",
        "null",
        "null with reasoning",
    ],
)
def test_thoughts_are_kept_out_of_the_text(
    content: Any, message: dict[str, Any], text: str, reasoning: str | None
) -> None:
    with serving(chat(content, **message)) as server:
        (completion,) = ask(server)
    assert (completion.text, completion.reasoning) == (text, reasoning)


FINISH = {
    "stop": (
        "stop",
        "eos",
        "EOS",
        "eos_token",
        "end_turn",
        "STOP",
        "FinishReason.STOP",
        "FINISH_REASON_STOP",
        "stop_sequence",
        "COMPLETE",
        {"type": "stop", "matched": 2},
        {"reason": "STOP"},
    ),
    "length": (
        "length",
        "LENGTH",
        "max_tokens",
        "MAX_TOKENS",
        "model_length",
        "model_context_window_exceeded",
        {"type": "length"},
    ),
    "content_filter": (
        "content_filter",
        "content_filter: RECITATION",
        "SAFETY",
        "recitation",
        "refusal",
        "guardrail_intervened",
    ),
    "tool_calls": ("tool_calls", "tool_use", "function_call", "MALFORMED_FUNCTION_CALL"),
    "cut_off": (
        "error",
        "what?",
        "insufficient_system_resource",
        "abort",
        "network_error",
        "cancelled",
        "other",
        {},
        {"a": 1},
        7,
        "error: stop",
    ),
}
SAID = [(word, meant) for meant, words in FINISH.items() for word in words if word != {}]


@pytest.mark.parametrize(("said", "meant"), SAID, ids=[str(said) for said, _ in SAID])
def test_only_known_words_say_that_a_model_has_ended(said: Any, meant: str) -> None:
    with serving(chat("x", said)) as server:
        completion = ask(server)[0]
    assert completion.finish_reason == meant
    assert (completion.finish_word is not None) == (meant in ("cut_off", "content_filter"))


@pytest.mark.parametrize(
    ("usage", "meant"),
    [({"completion_tokens": 15}, "stop"), ({"completion_tokens": 16}, "length"), ({}, "stop")],
    ids=["fewer than allowed", "as many as allowed", "not counted"],
)
def test_without_a_word_it_is_an_end_where_fewer_tokens_came_than_were_allowed(
    usage: dict[str, int], meant: str
) -> None:
    with serving(chat("x", None, usage=usage)) as server:
        assert ask(server)[0].finish_reason == meant


ODD = {
    "usage in fractions": ({"usage": {"prompt_tokens": 20.0, "completion_tokens": 30.5}}, (20, 30)),
    "usage as text": ({"usage": {"prompt_tokens": "20", "completion_tokens": "x"}}, (0, 0)),
    "usage negative": ({"usage": {"prompt_tokens": -1, "completion_tokens": True}}, (0, 0)),
    "usage beyond all bounds": ({"usage": {"prompt_tokens": 10**30, "completion_tokens": 1e300}}, (0, 0)),
    "usage as a list": ({"usage": [1, 2]}, (0, 0)),
    "ids of any kind": ({"id": {"a": 1}, "created": "now", "model": 5, "object": []}, (7, 3)),
}


@pytest.mark.parametrize(("odd", "counted"), ODD.values(), ids=ODD.keys())
def test_what_is_only_counted_or_kept_never_refuses_an_answer(odd: dict[str, Any], counted: tuple[int, int]) -> None:
    with serving(body(json.dumps(answer() | odd).encode())) as server:
        (completion,) = ask(server)
    assert (completion.text, completion.finish_reason) == ("hello", "stop")
    assert (completion.prompt_tokens, completion.completion_tokens) == counted


@pytest.mark.parametrize(
    "message",
    [
        {"reasoning": {"summary": "2+2"}},
        {"reasoning": ["2", {"text": "+2"}]},
        {"reasoning_content": 5, "reasoning": "2+2"},
        {"reasoning": "", "reasoning_content": "2+2"},
    ],
    ids=["an object", "parts", "a number beside it", "blank beside it"],
)
def test_reasoning_of_any_form_is_kept(message: dict[str, Any]) -> None:
    with serving(chat("four", **message)) as server:
        (completion,) = ask(server)
    assert (completion.text, completion.reasoning) == ("four", "2+2")


STREAMS = {
    "chat": (
        b'data: {"choices": [{"delta": {"role": "assistant", "content": "fo"}}]}\n\ndata: {"choices": [{"delta": {"content": "ur"}}]}\n\n'
        b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n',
        "stop",
    ),
    "without a reason, ended": (
        b': ping\n\ndata: {"choices": [{"delta": {"content": "four"}}]}\n\ndata: [DONE]\n\n',
        "stop",
    ),
    "broken off": (b'data: {"choices": [{"delta": {"content": "four"}}]}\n\ndata: {"choi', "cut_off"),
    "raw text": (b'data: {"choices": [{"text": "four", "finish_reason": "length"}]}\n\ndata: [DONE]\n\n', "length"),
    "an end behind JSON": (orjson.dumps(answer("four")) + b"\n\ndata: [DONE]\n\n", "stop"),
    "an end behind JSON, bare": (orjson.dumps(answer("four")) + b"[DONE]", "stop"),
}


@pytest.mark.parametrize(("sent", "finish"), STREAMS.values(), ids=STREAMS.keys())
def test_a_stream_that_nobody_asked_for_is_read(sent: bytes, finish: str) -> None:
    with serving(body(sent, "text/event-stream")) as server:
        (completion,) = ask(server)
    assert (completion.text, completion.finish_reason) == ("four", finish)


def test_thoughts_in_a_stream_are_no_text() -> None:
    sent = b'data: {"choices": [{"delta": {"reasoning_content": "2+"}}]}\n\ndata: {"choices": [{"delta": {"reasoning_content": "2", "content": "four"}, "finish_reason": "stop"}]}\n\n'
    with serving(body(sent, "text/event-stream")) as server:
        (completion,) = ask(server)
    assert (completion.text, completion.reasoning) == ("four", "2+2")


@pytest.mark.parametrize(
    ("served", "another"),
    [
        ("some-other-model-1b", True),
        ("a-model", False),
        ("A-Model-2026-01-02", False),
        ("owner/a-model", False),
        ("", False),
    ],
)
def test_the_name_that_a_server_gives_another_model_is_kept(served: str, another: bool) -> None:
    with serving(body(orjson.dumps(answer() | {"model": served}))) as server:
        assert ask(server)[0].served == (served if another else None)


def test_a_refusal_of_the_model_is_no_answer() -> None:
    with serving(chat(None, refusal="I cannot.")) as server:
        assert ask(server)[0].finish_reason == "content_filter"


def test_a_stop_string_that_the_server_leaves_in_is_cut_off() -> None:
    with serving(chat("one\nEND two", "length")) as server:
        (completion,) = ask(server, question(0, Sampling(stop=("END", "three"))))
    assert (completion.text, completion.finish_reason) == ("one\n", "stop")


def test_logprobs_of_a_chat() -> None:
    position = {
        "token": "a",
        "logprob": -0.1,
        "bytes": [97],
        "top_logprobs": [{"token": "a", "logprob": -0.1}, {"token": "b", "logprob": -3}],
    }
    choice = {
        "message": {"content": "a"},
        "finish_reason": "stop",
        "logprobs": {"content": [position], "refusal": None},
    }
    with serving(body(orjson.dumps({"choices": [choice]}))) as server:
        (completion,) = ask(server, question(0, Sampling(logprobs=2)))
    assert completion.logprobs == (TokenLogprobs("a", -0.1, {"a": -0.1, "b": -3.0}),)


def test_logprobs_of_a_raw_completion() -> None:
    found = {
        "tokens": ["a", "b"],
        "token_logprobs": [None, -0.5],
        "top_logprobs": [None, {"b": -0.5, "c": -1}],
        "text_offset": [0, 1],
    }
    with serving(body(orjson.dumps({"choices": [{"text": "ab", "logprobs": found}]}))) as server:
        (completion,) = ask(server, Request(Sampling(logprobs=2), 1, prompt="x"))
    assert completion.logprobs == (TokenLogprobs("b", -0.5, {"b": -0.5, "c": -1.0}),)


@pytest.mark.parametrize(
    "behaviour",
    [
        body(orjson.dumps(answer()), gzip=True),
        body(orjson.dumps(answer()), "text/plain"),
        body(orjson.dumps({**answer(), "usage": None, "new": {"field": 1}})),
    ],
    ids=["gzip", "wrong content type", "no usage, unknown fields"],
)
def test_an_odd_answer_is_an_answer(behaviour: Behaviour) -> None:
    with serving(behaviour) as server:
        assert ask(server)[0].text == "hello"


# Names, keys and identities.


def test_a_name_with_a_url_opens_an_endpoint() -> None:
    model = open_model(ModelConfig(name="org/model@7b@http://127.0.0.1:8000/v1/"))
    assert isinstance(model, EndpointModel)
    assert model.name == "org/model@7b"


@pytest.mark.parametrize(
    "name",
    ["@http://127.0.0.1/v1", "m@http://user:hunter2@127.0.0.1/v1", "m@http://127.0.0.1/v1?key=hunter2", "m@http://"],
)
def test_an_address_that_is_none_is_the_users_mistake_and_shows_no_password(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_endpoint(ModelConfig(name=name))
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("value", [None, "", "  ", "two\nlines", "schlüssel"])
def test_a_key_that_is_missing_or_none_is_the_users_mistake(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)  # never used unasked
    monkeypatch.delenv("TEST_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("TEST_KEY", value)
    with pytest.raises(ConfigError, match="TEST_KEY"):
        opened("m@http://127.0.0.1:9/v1", api_key_env="TEST_KEY")


@pytest.mark.parametrize("key", [KEY, "hf_abcDEF0123456789"], ids=["no variable's name", "like one"])
def test_a_key_in_place_of_its_variables_name_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ValueError, match="api_key_env") as caught:
        opened("m@http://127.0.0.1:9/v1", api_key_env=key)
    assert key not in str(caught.value)


def test_the_key_is_in_no_repr_and_no_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "m@http://127.0.0.1:9/v1"
    monkeypatch.setenv("TEST_KEY", KEY)
    model = opened(url, api_key_env="TEST_KEY")
    assert KEY not in repr(model) + repr(model._server) + model.identity
    assert model.identity == opened(url).identity


def test_identity_holds_what_shapes_an_answer_and_nothing_else() -> None:
    def identity(name: str = "m@http://127.0.0.1:9/v1", **config: Any) -> str:
        return opened(name, **config).identity

    assert identity() == identity(max_in_flight=3, timeout_s=1, requests_per_minute=5)
    assert identity() == identity("m@http://127.0.0.1:9/v1/") == identity("m@http://127.0.0.1:9/v1/chat/completions")
    others = [
        identity("n@http://127.0.0.1:9/v1"),
        identity("m@http://127.0.0.1:8/v1"),
        identity(revision="2"),
        identity(identity="x"),
        identity(extra_body='{"chat_template_kwargs": {"enable_thinking": false}}'),
        identity(bos="server"),
    ]
    assert len({identity(), *others}) == 7
    assert identity(identity="x") == identity("m@http://10.0.0.1/v1", identity="x")


def test_a_body_is_sent_as_json_with_our_name() -> None:
    with serving(chat()) as server:
        ask(server)
        assert server.headers[0]["content-type"] == "application/json"
        assert server.headers[0]["user-agent"] == "stillroom"


@pytest.mark.parametrize(
    "words",
    [
        "This model does not support `logprobs`.",
        "top_logprobs: Extra inputs are not permitted",
        "logprobs is not supported",
    ],
)
def test_log_probabilities_that_a_server_does_not_report_are_left_out(words: str) -> None:
    asked_for = question(0, Sampling(logprobs=20))
    with serving(status(400, words), chat("4")) as server:
        model = opened(server.name)

        async def run() -> list[Any]:
            first = await asyncio.gather(model.complete(asked_for), return_exceptions=True)
            return [*first, *await asked(model, asked_for)]

        first, second = asyncio.run(run())
        assert isinstance(first, Reshaped)
        assert (second.text, second.logprobs) == ("4", None)
        assert ["top_logprobs" in sent for sent in server.bodies] == [True, False]
        assert model.left_out == {"logprobs"}
