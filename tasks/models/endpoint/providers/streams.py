"""An answer that comes as an event stream, though none was asked for, and JSON with the end of a stream behind it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

DONE = b"[DONE]"
BROKEN_OFF = "the stream broke off"
JOINED = ("content", "reasoning_content", "reasoning")


def whole(body: bytes) -> bytes:
    """The body as one JSON object, as it would have come without a stream. Other bodies stay as they are."""
    start = body[:64].lstrip()
    if start.startswith((b"data:", b"event:", b": ", b"id:")):
        return orjson.dumps(_joined(list(_events(body)), ended=DONE in body[-256:]))
    if DONE in body[-64:]:
        return body.rstrip().removesuffix(DONE).rstrip().removesuffix(b"data:").rstrip()
    return body


def _events(body: bytes) -> Iterator[dict[str, Any]]:
    for line in body.splitlines():
        data = line.removeprefix(b"data:").strip() if line.startswith(b"data:") else b""
        if not data or data == DONE:
            continue
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError:
            continue  # half an event: what came before tells that the stream broke off
        if isinstance(event, dict):
            yield event


def _joined(events: list[dict[str, Any]], *, ended: bool) -> dict[str, Any]:
    """The answer that a stream's events add up to. One that is not known to have ended has broken off."""
    answer: dict[str, Any] = {}
    said: dict[str, str] = {}
    text, finish, is_chat = "", None, False
    for event in events:
        answer |= {name: value for name in ("model", "usage", "error") if (value := event.get(name))}
        for choice in event.get("choices") or []:
            if not isinstance(choice, dict) or choice.get("index", 0) != 0:
                continue
            if isinstance(delta := choice.get("delta") or choice.get("message"), dict):
                is_chat = True
                for name in JOINED:
                    said[name] = said.get(name, "") + (delta.get(name) or "")
            text += choice["text"] if isinstance(choice.get("text"), str) else ""
            finish = choice.get("finish_reason") or finish
    made: dict[str, Any] = {"message": said} if is_chat else {"text": text}
    if events and not answer.get("error"):
        answer["choices"] = [made | {"finish_reason": finish if finish or ended else BROKEN_OFF}]
    return answer
