"""Sessions of Codex: a line an item of the Responses API, in an envelope since 0.32 and bare before.

Read as `~/.codex/sessions/*/*/*/rollout-*.jsonl` has them: `response_item` with `message`, `function_call`, `custom_tool_call`,
`local_shell_call` and their outputs. `event_msg` says the same again for the screen. What was thought is encrypted, and left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tasks.errors import Filtered
from tasks.seeds.traces.conversation import Trace, call_of
from tasks.seeds.turns import Turn, text_of

AGENT = "codex"
CALLS = ("function_call", "custom_tool_call", "local_shell_call")
OUTPUTS = ("function_call_output", "custom_tool_call_output", "local_shell_call_output")
SILENT = ("reasoning", "ghost_snapshot", "compaction", "other", "web_search_call")
SPEAKERS = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
ENVELOPES = ("session_meta", "response_item", "event_msg", "turn_context", "compacted")


def is_codex(events: Sequence[Any]) -> bool:
    """Whether the events of a file are a session's."""
    return any(
        isinstance(one, dict)
        and ((one.get("type") in ENVELOPES and isinstance(one.get("payload"), dict)) or one.get("type") in CALLS)
        for one in events
    )


def codex_traces(events: Sequence[Mapping[str, Any]]) -> Iterator[Trace]:
    """The session as one conversation."""
    items = [_item(event) for event in events]
    meta = next((event["payload"] for event in events if event.get("type") == "session_meta"), events[0])
    turns: list[Turn] = []
    errors: set[str] = set()
    for item in items:
        if item:
            _add(item, turns, errors)
    failed = {at for at, turn in enumerate(turns) if errors & {call["id"] for call in turn.get("tool_calls") or ()}}
    yield Trace(turns, AGENT, str(meta.get("id") or ""), failed=failed)


def _item(event: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if event.get("type") in ENVELOPES:
        return event["payload"] if event["type"] == "response_item" else None
    return event if event.get("type") in ("message", *CALLS, *OUTPUTS, *SILENT) else None


def _add(item: Mapping[str, Any], turns: list[Turn], errors: set[str]) -> None:
    """Add what an item says; calls without words between them are one turn, until the first of their results."""
    kind = item["type"]
    if kind == "message":
        turns.append({"role": _role(item), "content": text_of(item.get("content"))})
    elif kind in CALLS:
        call = _call(item)
        if turns and turns[-1]["role"] == "assistant":
            turns[-1].setdefault("tool_calls", []).append(call)
        else:
            turns.append({"role": "assistant", "content": None, "tool_calls": [call]})
    elif kind in OUTPUTS:
        text, is_error = _output(item.get("output"))
        if is_error:
            errors.add(str(item.get("call_id")))
        turns.append({"role": "tool", "content": text, "tool_call_id": str(item.get("call_id"))})
    elif kind not in SILENT:
        raise Filtered("unsupported_content", f"an item of kind {kind}")


def _role(item: Mapping[str, Any]) -> str:
    known = SPEAKERS.get(str(item.get("role")))
    if known is None:
        raise Filtered("unknown_role", f"the role {item.get('role')!r}")
    return known


def _call(item: Mapping[str, Any]) -> dict[str, Any]:
    identity = str(item.get("call_id") or item.get("id"))
    if item["type"] == "local_shell_call":
        return call_of(identity, "local_shell", item.get("action"))
    if item["type"] == "custom_tool_call":
        return call_of(identity, str(item.get("name")), {"input": item.get("input")})
    return call_of(identity, str(item.get("name")), item.get("arguments"))


def _output(output: Any) -> tuple[str, bool]:
    """What a tool gave back, and whether it failed: by its exit code, or where it says so."""
    if isinstance(output, dict):
        return str(output.get("content") or ""), output.get("success") is False
    if isinstance(output, list):
        return text_of(output), False
    text = str(output or "")
    try:
        held = json.loads(text)
    except ValueError:
        return text, False
    if isinstance(held, dict) and isinstance(held.get("metadata"), dict) and "output" in held:
        return str(held["output"]), held["metadata"].get("exit_code") not in (0, None)
    return text, False
