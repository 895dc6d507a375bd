"""Tools and their calls reach a model as its chat template, or its server, takes them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import orjson
from jinja2 import Environment

from tasks.models.answers.rendering import CLOCK
from tasks.models.base import Message, Request, Sampling
from tasks.models.control_tokens import ControlTokens
from tasks.models.endpoint.learnt import Learnt
from tasks.models.endpoint.providers.openai import chat_body
from tasks.models.local.draft import Codec
from tasks.models.scripted import ScriptedModel
from tasks.storage.digest import digest
from tests.rows import a_row, models_of

TOOLS = '[{"type": "function", "function": {"name": "weather"}}]'
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Hue"}'}}
TALK: tuple[Message, ...] = (
    {"role": "user", "content": "The weather in Hue?"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "content": "31 C", "tool_call_id": "c1", "name": "weather"},
)
TEMPLATE = (
    "{{ tools | tojson if tools }}|{% for m in messages %}{{ m.role }}:{{ m.content }}"
    "{% for c in m.tool_calls %}{{ c.function.arguments.city }}{% endfor %}|{% endfor %}"
)


class Tokenizer:
    """Renders a template that reads tools, as those of models that call tools do; a token a character."""

    def apply_chat_template(self, conversation: list[Any], *, tools: Any = None, **_: Any) -> str:
        return Environment().from_string(TEMPLATE).render(messages=conversation, tools=tools)

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        self.text = text
        return {"input_ids": [ord(character) for character in text]}

    chat_template = TEMPLATE
    added_tokens_decoder: dict[int, Any] = {}  # noqa: RUF012 - as a tokenizer has it


def rendered(request: Request) -> str:
    codec = Codec.__new__(Codec)
    codec._tokenizer = Tokenizer()
    codec._control = ControlTokens(codec._tokenizer)
    codec._switches, codec._today = {"model": {}}, CLOCK
    return codec._prompt(request)[0]


def test_a_local_model_is_shown_tools_and_arguments_as_objects() -> None:
    text = rendered(Request(Sampling(), 1, TALK, tools=TOOLS))
    assert text == f"{json.dumps(json.loads(TOOLS), sort_keys=True)}|user:The weather in Hue?|assistant:Hue|tool:31 C|"
    assert rendered(Request(Sampling(), 1, TALK[:1])) == "|user:The weather in Hue?|"


def test_a_server_is_sent_tools_and_calls_as_they_are() -> None:
    body = json.loads(chat_body("m", Request(Sampling(), 1, TALK, tools=TOOLS), Learnt()))
    assert (body["tools"], body["messages"]) == (json.loads(TOOLS), [dict(turn) for turn in TALK])
    assert "tools" not in json.loads(chat_body("m", Request(Sampling(), 1, TALK), Learnt()))


def test_tools_are_part_of_what_is_asked_only_where_there_are_any() -> None:
    row, models = a_row(instruction="a"), models_of(ScriptedModel(lambda _: "ok")).at(a_row(instruction="a"))
    for tools in (None, TOOLS):
        asyncio.run(models.at(row).chat(TALK, name="t", sampling=Sampling(), tools=tools))
    without, with_tools = (call.prompt_digest for call in row.calls)
    assert without == digest(orjson.dumps(TALK), 1) != with_tools


def test_the_tiny_model_answers_after_a_tool(tmp_path: Path) -> None:
    """A real tokenizer takes such a conversation, whatever its template makes of it."""
    from transformers import AutoTokenizer

    from tests.models.tiny import save_tiny_model

    tokenizer = AutoTokenizer.from_pretrained(str(save_tiny_model(tmp_path)))
    tokenizer.chat_template = TEMPLATE
    codec = Codec(tokenizer, None, frozenset())
    draft = codec.begin(Request(Sampling(max_new_tokens=4), 1, TALK, tools=TOOLS), (0, 0))
    assert "weather" in tokenizer.decode(draft.prompt)


def test_what_a_call_or_a_tool_spells_stays_text_for_the_model(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    from tests.models.tiny import save_tiny_model

    tokenizer = AutoTokenizer.from_pretrained(str(save_tiny_model(tmp_path)))
    tokenizer.chat_template = TEMPLATE
    end = tokenizer.eos_token
    call = {**CALL, "function": {"name": "weather", "arguments": json.dumps({"city": f"Hue{end}"})}}
    talk: tuple[Message, ...] = (TALK[0], {"role": "assistant", "content": "", "tool_calls": [call]}, TALK[2])
    tools = json.dumps([{"type": "function", "function": {"name": f"weather{end}"}}])
    escaped: tuple[Message, ...] = (
        TALK[0],
        {"role": "assistant", "content": "", "tool_calls": [_escaped(call)]},
        TALK[2],
    )
    for said, offered in ((talk, TOOLS), (escaped, TOOLS), (TALK, tools)):
        draft = Codec(tokenizer, None, frozenset()).begin(Request(Sampling(), 1, said, tools=offered), (0, 0))
        assert tokenizer.eos_token_id not in draft.prompt
        assert f"{end}" in tokenizer.decode(draft.prompt)


def _escaped(call: dict[str, Any]) -> dict[str, Any]:
    """The call with its arguments written with escapes, which a template shows as what they mean."""
    function = call["function"]
    return {**call, "function": {**function, "arguments": function["arguments"].replace("<", "\\u003c")}}
