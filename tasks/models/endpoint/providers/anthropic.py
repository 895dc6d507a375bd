"""The words of Anthropic's Messages API, which vLLM and llama.cpp's server speak as well.

    stillroom sft --model claude-sonnet-4-5@https://api.anthropic.com          # the key: ANTHROPIC_API_KEY

It has no raw text, no embeddings, no log-probabilities, no seed and no penalties. Newer models take no `temperature`,
`top_p` or `top_k` either: a model that refuses one is sent it no more, and the request key says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from tasks.errors import RequestRefused
from tasks.models.base import Completion, Message, Request, Sampling
from tasks.models.endpoint.beginnings import Beginnings
from tasks.models.endpoint.faults import ServerError, server_error
from tasks.models.endpoint.learnt import Learnt
from tasks.models.endpoint.provider import (
    ErrorInAnswer,
    Served,
    completed,
    count_of,
    is_another,
    json_object,
    merged_bodies,
    misfit,
)
from tasks.models.endpoint.providers.anthropic_schema import held_to

VERSION = "2023-06-01"  # 2026-10-21 takes no temperature, top_p and top_k of any model
LEAST_BUDGET = 1024  # tokens of reasoning
STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
SPENT = ("spend_limit_reached", "specified API usage limits")  # no allowance that comes back within minutes


class Anthropic:
    """Implements `Provider`."""

    offers = frozenset({"tools", "schema", "thinking", "temperature", "top_p", "top_k"})

    def url(self, base: str, _request: Request) -> str:
        """Below the host, or below a base that ends in /v1."""
        return f"{base}/messages" if base.endswith("/v1") else f"{base}/v1/messages"

    def headers(self, key: str | None) -> dict[str, str]:
        """The API's version, and the key where there is one."""
        return {"anthropic-version": VERSION} | ({} if key is None else {"x-api-key": key})

    def body(self, request: Request, served: Served) -> bytes:
        """A message: the system prompt apart, the turns as blocks, and what differs from the API's defaults."""
        sampling = request.sampling
        system, turns = _system_apart(request.turns)
        body: dict[str, Any] = {"model": served.model, "max_tokens": sampling.max_new_tokens, "messages": turns}
        body |= {"system": system} if system else {}
        if served.beginnings is not None:
            _mark(body, request, served.beginnings)
        body |= _sampled(sampling, served.learnt) | _thinking(sampling, served.learnt)
        if stop := [text for text in sampling.stop[: served.learnt.stops] if text.strip()]:
            body["stop_sequences"] = stop  # none of white space alone is taken: the answer is cut at those here
        if request.tools is not None:
            body["tools"] = [_tool(tool["function"]) for tool in orjson.loads(request.tools)]
        if request.schema is not None:
            body["output_config"] = {
                "format": {"type": "json_schema", "schema": orjson.Fragment(held_to(request.schema))}
            }
        return orjson.dumps(merged_bodies(body, served.extra))

    def answer(self, body: bytes, request: Request, served: Served) -> Completion:
        """The completion in a message: its text, and its thinking beside it."""
        found = json_object(body)
        if found.get("type") == "error" or found.get("error"):
            raise ErrorInAnswer(STATUS.get(_error_in(found).get("type", ""), 500))
        try:
            message = _Message.model_validate(found)
        except ValidationError as error:
            raise misfit(error) from None
        text, thinking = (message.joined(kind, field) for kind, field in (("text", "text"), ("thinking", "thinking")))
        tokens = (sum(message.tokens(kind) for kind in READ), message.tokens("output_tokens"))
        completion = completed(request, served, text, message.word, reasoning=thinking, tokens=tokens)
        read, kept = message.tokens("cache_read_input_tokens"), message.tokens("cache_creation_input_tokens")
        completion = replace(completion, cached_tokens=read, cache_write_tokens=kept)
        return replace(completion, served=message.model) if is_another(message.model, served.model) else completion

    def fault(self, status: int, headers: Mapping[str, str], body: bytes) -> ServerError:
        """An error object, with the id of the request, which the API's support asks for."""
        error = server_error(status, headers, body)
        if any(word in error.raw for word in SPENT):
            error = replace(error, status=402)
        known = headers.get("request-id")
        return replace(error, message=f"{error.message} (request {known})") if known else error


def _sampled(sampling: Sampling, learnt: Learnt) -> dict[str, Any]:
    """How the answer is sampled, as far as the model takes it."""
    defaults = {"temperature": 1.0, "top_p": 1.0, "top_k": 0}
    values = {name: getattr(sampling, name) for name in defaults if name not in learnt.left_out}
    return {name: value for name, value in values.items() if value != defaults[name]}


def _thinking(sampling: Sampling, learnt: Learnt) -> dict[str, Any]:
    """Whether to think; newer models decide themselves how long (`adaptive`), older ones are given a budget."""
    if sampling.thinking == "model":
        return {}
    if sampling.thinking == "off":
        return {"thinking": {"type": "disabled"}}
    budget = max(LEAST_BUDGET, sampling.max_reasoning_tokens)
    how = {"type": "enabled", "budget_tokens": budget}
    if learnt.thinks_by == "effort":
        how = {"type": "adaptive", "display": "summarized"}
    return {"thinking": how, "max_tokens": sampling.max_new_tokens + budget}


# What is kept in the cache.


def _mark(body: dict[str, Any], request: Request, beginnings: Beginnings) -> None:
    """Mark what other requests begin with as well: in the system prompt, which tools come before, and in the first turn."""
    before, first = request.tools or "", body["messages"][0] if body["messages"] else {}
    if system := body.get("system", ""):
        body["system"] = _in_parts(system, beginnings.shared(before, system, request.seed))
    if first.get("role") == "user" and isinstance(said := first["content"], str):
        first["content"] = _in_parts(said, beginnings.shared(f"{before}{system}", said, request.seed))


def _in_parts(text: str, kept: str) -> str | list[dict[str, Any]]:
    """The text, with its beginning that is to be kept as a part of its own."""
    if not kept:
        return text
    rest = text[len(kept) :]
    marked = {"type": "text", "text": kept, "cache_control": {"type": "ephemeral"}}
    return [marked, *([{"type": "text", "text": rest}] if rest else [])]


# A conversation.


def _system_apart(messages: Sequence[Message]) -> tuple[str, list[dict[str, Any]]]:
    """The system prompt that a conversation begins with, and its turns. A later system turn stays where it is."""
    first = next((n for n, message in enumerate(messages) if message["role"] != "system"), len(messages))
    system = "\n\n".join(message["content"] for message in messages[:first])
    return system, list(_turns(messages[first:]))


def _turns(messages: Sequence[Message]) -> Iterator[dict[str, Any]]:
    """The turns; what tools gave back, one after another, is one turn of the user."""
    for from_tools, some in groupby(messages, key=lambda message: message["role"] == "tool"):
        if from_tools:
            yield {"role": "user", "content": [_tool_result(message) for message in some]}
            continue
        for message in some:
            calls = message.get("tool_calls")
            yield {"role": message["role"], "content": _blocks(message, calls) if calls else message["content"]}


def _blocks(message: Message, calls: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    text = [{"type": "text", "text": message["content"]}] if message["content"] else []
    return [*text, *map(_tool_use, calls)]


def _tool_use(call: Mapping[str, Any]) -> dict[str, Any]:
    """A call of a tool, its arguments as an object. Raises RequestRefused where they are none."""
    try:
        arguments = orjson.loads(call["function"]["arguments"] or "{}")
    except orjson.JSONDecodeError as error:
        raise RequestRefused("bad_request", f"the arguments of a tool call are no JSON ({error})") from None
    return {"type": "tool_use", "id": call["id"], "name": call["function"]["name"], "input": arguments}


def _tool_result(message: Message) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": message.get("tool_call_id", ""), "content": message["content"]}


def _tool(function: Mapping[str, Any]) -> dict[str, Any]:
    described = {"description": function["description"]} if function.get("description") else {}
    no_arguments = {"type": "object", "properties": {}}
    return {"name": function["name"], **described, "input_schema": function.get("parameters") or no_arguments}


# An answer.

READ = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


class _Block(BaseModel):
    type: str
    text: str | None = None
    thinking: str | None = None


class _Message(BaseModel):
    content: list[_Block]
    model: str = ""
    stop_reason: str | None = None
    stop_details: dict[str, Any] | None = None
    usage: dict[str, Any] = {}

    def joined(self, kind: str, field: str) -> str:
        """The blocks of one kind; of thinking that is kept back nothing is there."""
        between = "" if kind == "text" else "\n\n"
        return between.join(text for block in self.content if block.type == kind and (text := getattr(block, field)))

    def tokens(self, kind: str) -> int:
        return count_of(self.usage.get(kind))

    @property
    def word(self) -> str | None:
        """Why it stopped; of a refusal what it is about."""
        about = (self.stop_details or {}).get("category")
        return f"{self.stop_reason}: {about}" if about and self.stop_reason == "refusal" else self.stop_reason


def _error_in(found: Mapping[str, Any]) -> Mapping[str, Any]:
    error = found.get("error")
    return error if isinstance(error, dict) else {}
