"""A server that speaks Anthropic's Messages API, and refuses what the API refuses. Its behaviours go into `serving`.

with serving(overloaded(), message("It is four.")) as server: ...
"""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from tests.models.server import Behaviour, body

KNOWN = {
    "model",
    "max_tokens",
    "messages",
    "system",
    "stop_sequences",
    "temperature",
    "top_p",
    "top_k",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "metadata",
    "service_tier",
    "stream",
}
REQUEST_ID = "req_011CSLsW7mFqvHHnzrKdKjAE"
USAGE = {"input_tokens": 7, "output_tokens": 3}


def message(
    content: Any = "hello",
    stop_reason: str | None = "end_turn",
    *,
    usage: Any = None,
    model: str = "a-model",
    headers: dict[str, str] | None = None,
    **more: Any,
) -> Behaviour:
    """Answer a request that the API takes; text stands for one block of it."""
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    said = {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": blocks,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": USAGE if usage is None else usage,
        **more,
    }
    return checked(body(orjson.dumps(said), headers=headers))


def error(status: int, kind: str, words: str, *, headers: dict[str, str] | None = None, **more: Any) -> Behaviour:
    """Refuse, in the API's error object."""
    said = {"type": "error", "error": {"type": kind, "message": words, **more}, "request_id": REQUEST_ID}
    return body(orjson.dumps(said), code=status, headers={"request-id": REQUEST_ID} | (headers or {}))


def overloaded() -> Behaviour:
    return error(529, "overloaded_error", "Overloaded")


def refused(words: str, **more: Any) -> Behaviour:
    return error(400, "invalid_request_error", words, **more)


def checked(behaviour: Behaviour) -> Behaviour:
    """The behaviour, for requests that the API would take."""

    async def behave(request: web.Request) -> web.StreamResponse:
        if fault := fault_of(request.path, dict(request.headers), await request.json()):
            return await refused(fault)(request)
        return await behaviour(request)

    return behave


def fault_of(path: str, headers: dict[str, str], sent: dict[str, Any]) -> str:
    """What the API says is wrong with a request; nothing where it takes it."""
    if path != "/v1/messages":
        return f"unknown path {path}"
    if "anthropic-version" not in headers:
        return "anthropic-version: header is required"
    if unknown := set(sent) - KNOWN:
        return f"{min(unknown)}: Extra inputs are not permitted"
    if missing := {"model", "max_tokens", "messages"} - set(sent):
        return f"{min(missing)}: Field required"
    if not sent["messages"] or any(turn["role"] not in ("user", "assistant") for turn in sent["messages"]):
        return "messages: Unexpected role"
    if any(not text.strip() for text in sent.get("stop_sequences", ())):
        return "stop_sequences: each stop sequence must contain non-whitespace"
    if not 0 <= sent.get("temperature", 1) <= 1:
        return "temperature: range: 0..1"
    thinking = sent.get("thinking", {})
    if thinking.get("type") == "enabled" and not 1024 <= thinking["budget_tokens"] < sent["max_tokens"]:
        return "`max_tokens` must be greater than `thinking.budget_tokens`"
    if thinking.get("type") in ("enabled", "adaptive") and "temperature" in sent:
        return "`temperature` may only be set to 1 when thinking is enabled."
    return ""
