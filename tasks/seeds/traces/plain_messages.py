"""Conversations with calls of tools in OpenAI's plain shape: a line each, or one message a line.

A result has failed where it says so: `is_error`, `status: error`, or JSON with an `error` in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tasks.seeds.traces.conversation import Trace
from tasks.seeds.turns import seed_turns

AGENT = "openai"


def is_plain(events: Sequence[Any]) -> bool:
    """Whether the lines of a file are conversations, or the messages of one."""
    return any(isinstance(one, dict) and (isinstance(one.get("messages"), list) or "role" in one) for one in events)


def plain_trace(record: Mapping[str, Any]) -> Trace:
    """The conversation of a record with `messages`. Raises TypeError and Filtered as `seed_turns`."""
    given = record["messages"]
    turns = seed_turns(given) or []
    errors = {str(one.get("tool_call_id")) for one in given if one.get("role") == "tool" and _has_failed(one)}
    failed = {at for at, turn in enumerate(turns) if errors & {call["id"] for call in turn.get("tool_calls") or ()}}
    return Trace(turns, AGENT, str(record.get("id") or ""), record.get("tools"), failed)


def plain_records(events: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The conversations of a file: a line each, else its lines are the messages of one."""
    if any("messages" in one for one in events):
        yield from events
    else:
        yield {"messages": list(events)}


def _has_failed(result: Mapping[str, Any]) -> bool:
    if result.get("is_error") or result.get("isError") or result.get("status") == "error":
        return True
    try:
        held = json.loads(result["content"]) if isinstance(result.get("content"), str) else None
    except ValueError:
        return False
    return isinstance(held, dict) and bool(held.get("error"))
