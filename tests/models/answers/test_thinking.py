"""Thinking is a setting: said in the words of a template or a server, with tokens of its own."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tasks.errors import PermanentError
from tasks.models.answers.thinking import variables_of
from tasks.models.base import Completion, Message, Request, Sampling, Thinking
from tasks.models.config import ModelConfig
from tasks.models.local.draft import Codec
from tasks.models.open import DEMO_WEIGHTS, open_model
from tests.models.answers.families import FAMILIES, family_tokenizer
from tests.models.answers.templates import TEMPLATES, tokenizer, with_template
from tests.models.asking import ask
from tests.models.server import answer, body, chat, serving, status

MESSAGES: tuple[Message, ...] = ({"role": "user", "content": "2 + 2?"},)


@pytest.mark.parametrize(
    ("template", "on", "off"),
    [
        ("Qwen3.5-4B", {"enable_thinking": True}, {"enable_thinking": False}),
        ("google-gemma-4-31B-it", {"enable_thinking": True}, {"enable_thinking": False}),
        (
            "deepseek-ai-DeepSeek-V4",
            {"enable_thinking": True, "thinking": True},
            {"enable_thinking": False, "thinking": False},
        ),
        ("ibm-granite-granite-3.3-2B-Instruct", {"thinking": True}, {"thinking": False}),
        ("openai-gpt-oss-120b", {"reasoning_effort": "high"}, {"reasoning_effort": "low"}),
        ("upstage-Solar-Open-100B", {"reasoning_effort": "high"}, {"reasoning_effort": "low"}),
    ],
)
def test_a_template_is_told_in_its_own_words(template: str, on: dict[str, Any], off: dict[str, Any]) -> None:
    found: dict[Thinking, Any] = {said: variables_of(tokenizer(template), said) for said in ("model", "on", "off")}
    assert found == {"model": {}, "on": on, "off": off}


def test_a_template_without_a_switch_is_the_users_mistake() -> None:
    with pytest.raises(PermanentError, match="no switch for `thinking: on`"):
        variables_of(tokenizer("meta-llama-Llama-3.1-8B-Instruct"), "on")


@pytest.mark.parametrize("name", ["demo", "a-model@http://127.0.0.1:9/v1"])
def test_a_model_whose_template_has_no_switch_is_refused_when_it_is_opened(name: str) -> None:
    with pytest.raises(PermanentError, match="no switch for `thinking: off`"):
        open_model(ModelConfig(name=name, tokenizer=str(DEMO_WEIGHTS), thinking="off"))


# The tokens of a local model.


def written(family: str, text: str, **sampling: Any) -> Completion:
    """What a codec makes of a text, up to where it ends."""
    found = FAMILIES[family]
    made: Any = family_tokenizer(found)
    codec = Codec(made, context=8192)
    draft = codec.begin(Request(Sampling(thinking=found.thinking, **sampling), 0, MESSAGES))
    for token in made(text, add_special_tokens=False)["input_ids"]:
        if completion := codec.extend(draft, token):
            return completion
    raise AssertionError("the text ends before the model does")


THOUGHT = "word " * 40


@pytest.mark.parametrize("family", ["gemma-4, thinking", "DeepSeek-V4, thinking"])
def test_reasoning_has_tokens_of_its_own_and_so_has_the_answer(family: str) -> None:
    opening, closing = {"gemma-4, thinking": ("<|channel>thought\n", "\n<channel|>")}.get(family, ("", "</think>"))
    text = opening + THOUGHT + closing + THOUGHT
    limits = {"max_new_tokens": 6, "max_reasoning_tokens": 1000}
    whole = written(family, text, **limits)
    assert (whole.finish_reason, whole.reasoning) == ("length", THOUGHT.strip())
    assert 0 < len(whole.text) < len(THOUGHT), "the answer ran out, whatever the reasoning took"
    short = written(family, text, **limits | {"max_reasoning_tokens": 20})
    assert (short.finish_reason, short.text, short.completion_tokens) == ("length", "", 20)
    assert short.reasoning


def test_a_model_that_answers_at_once_has_the_answers_tokens() -> None:
    completion = written("gemma-4, thinking", THOUGHT, max_new_tokens=6, max_reasoning_tokens=1000)
    assert (completion.finish_reason, completion.completion_tokens, completion.reasoning) == ("length", 7, None)


# What a server is told.


def thinking(said: Thinking, **options: Any) -> Request:
    return Request(Sampling(thinking=said, max_new_tokens=100, **options), 1, MESSAGES)


@pytest.mark.parametrize(("said", "value"), [("on", True), ("off", False)])
def test_a_server_is_told_through_the_variables_of_chat_templates(said: Thinking, value: bool) -> None:
    with serving(chat()) as server:
        ask(server, thinking(said), thinking("model"))
        told, untold = sorted(server.bodies, key=lambda sent: "chat_template_kwargs" not in sent)
    assert told["chat_template_kwargs"] == {"enable_thinking": value, "thinking": value}
    assert told["max_tokens"] == (4196 if value else 100)
    assert "chat_template_kwargs" not in untold and untold["max_tokens"] == 100


def test_a_server_that_takes_no_variables_is_told_an_effort() -> None:
    refusal = status(400, "Unrecognized request argument supplied: chat_template_kwargs")
    with serving(refusal, chat()) as server:
        (completion,) = ask(server, thinking("on"))
        assert [sent.get("reasoning_effort") for sent in server.bodies] == [None, "medium"]
    assert completion.text == "hello"


def test_what_the_named_tokenizer_knows_is_what_the_server_is_told(tmp_path: Any) -> None:
    with_template(TEMPLATES["Qwen3.5-4B"]["chat_template"]).save_pretrained(tmp_path)
    with serving(chat("2 + 2\n</think>\n\nfour")) as server:
        (completion,) = ask(server, thinking("on"), tokenizer=str(tmp_path))
        assert server.bodies[0]["chat_template_kwargs"] == {"enable_thinking": True}
    assert (completion.text, completion.reasoning) == ("four", "2 + 2")


def test_the_answers_of_a_server_are_parsed_by_the_named_tokenizers_format(tmp_path: Any) -> None:
    template = (
        "{% for m in messages %}[{{ m.role }}]{% if m.reasoning %}<|musing|>{{ m.reasoning }}<|/musing|>{% endif %}"
        "{{ m.content }}<|over|>{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    with_template(template).save_pretrained(tmp_path)
    said = chat("<|musing|>2 + 2<|/musing|>four")
    with serving(said) as server:
        (named,) = ask(server, thinking("model"), tokenizer=str(tmp_path))
        (unnamed,) = ask(server, thinking("model"))
    assert (named.text, named.reasoning) == ("four", "2 + 2")
    assert unnamed.reasoning is None


@pytest.mark.parametrize(
    ("message", "text", "reasoning"),
    [
        ({"content": "<think>\n2+2\n</think>\n\nfour", "reasoning": ""}, "four", "2+2"),
        ({"content": "<think>\n2+2\n</think>\n\nfour", "reasoning_content": " \n"}, "four", "2+2"),
        ({"content": "</think>\n\nfour", "reasoning_content": "2+2"}, "four", "2+2"),
        ({"content": "four", "reasoning": {"summary": "2+2"}}, "four", "2+2"),
        (
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "2+2"}]},
                    {"type": "text", "text": "four"},
                ]
            },
            "four",
            "2+2",
        ),
        ({"content": [{"type": "thinking", "thinking": "2+2"}, {"type": "text", "text": "four"}]}, "four", "2+2"),
        (
            {"content": "<|channel|>analysis<|message|>2+2<|end|><|start|>assistant<|channel|>final<|message|>four"},
            "four",
            "2+2",
        ),
    ],
    ids=["blank field", "white field", "a closing tag alone", "an object", "parts", "parts of text", "harmony"],
)
def test_the_reasoning_in_a_servers_answer_is_kept_beside_it(
    message: dict[str, Any], text: str, reasoning: str | None
) -> None:
    choice = {"message": {"role": "assistant", **message}, "finish_reason": "stop"}
    with serving(body(orjson.dumps({**answer(), "choices": [choice]}))) as server:
        (completion,) = ask(server)
    assert (completion.text, completion.reasoning) == (text, reasoning)


GRANITE = "<think>2+2</think>\n<response>four</response>"


@pytest.mark.parametrize(
    ("said", "message", "question", "text"),
    [
        ("model", {"content": GRANITE}, "2 + 2?", "four"),
        ("model", {"content": "<response>four</response>\n", "reasoning_content": "2+2"}, "2 + 2?", "four"),
        ("on", {"content": "<response>four</response>"}, "2 + 2?", "four"),
        ("model", {"content": "<response>four</response>"}, "2 + 2?", "<response>four</response>"),
        ("model", {"content": GRANITE}, "Answer in <response>.", "<response>four</response>"),
        (
            "model",
            {"content": "<think>2+2</think><response>4</response> it is"},
            "2 + 2?",
            "<response>4</response> it is",
        ),
    ],
    ids=["reasoning in the text", "reasoning beside it", "told to think", "no reasoning", "asked for", "in the answer"],
)
def test_the_tags_that_granites_template_asks_for_come_off_a_servers_answer(
    said: Thinking, message: dict[str, Any], question: str, text: str
) -> None:
    choice = {"message": {"role": "assistant", **message}, "finish_reason": "stop"}
    request = Request(Sampling(thinking=said), 1, ({"role": "user", "content": question},))
    with serving(body(orjson.dumps({**answer(), "choices": [choice]}))) as server:
        (completion,) = ask(server, request)
    assert completion.text == text
