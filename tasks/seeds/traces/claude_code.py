"""Sessions of Claude Code: a line an event, the parts of one answer on a line each, subagents as side chains.

Read as versions 1.0 to 2.1 write them (`~/.claude/projects/*/*.jsonl`): `type`, `uuid`, `parentUuid`, `isSidechain`, `message` with
blocks `text`, `thinking`, `tool_use`, `tool_result`. What is not said by user or assistant (summaries, snapshots, hooks) is no turn; what
was thought is left out, since it is signed for one model. A question that was taken back begins a branch: what hangs on it is left over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tasks.errors import Filtered
from tasks.seeds.traces.conversation import Leftover, Trace, call_of, shape_of_turns
from tasks.seeds.turns import Turn, text_of

AGENT = "claude_code"
Event = Mapping[str, Any]
INTERRUPTED = "[Request interrupted by user"


def is_claude_code(events: Sequence[Any]) -> bool:
    """Whether the events of a file are a session's."""
    return any(isinstance(one, dict) and "sessionId" in one and isinstance(one.get("message"), dict) for one in events)


def claude_code_traces(events: Sequence[Event]) -> Iterator[Trace]:
    """The session, and each of its subagents' conversations."""
    said = [one for one in events if one.get("type") in ("user", "assistant") and isinstance(one.get("message"), dict)]
    main = [one for one in said if not one.get("isSidechain")]
    groups: dict[str, list[Event]] = {}
    parents = {one["uuid"]: one.get("parentUuid") for one in said if one.get("uuid")}
    for one in said:
        if one.get("isSidechain"):
            groups.setdefault(str(one.get("agentId") or _root(one.get("uuid"), parents)), []).append(one)
    for events_of in (main, *groups.values()):
        if events_of:
            yield _trace(events_of)


def _root(uuid: Any, parents: Mapping[str, Any]) -> Any:
    """The first event above one."""
    seen = set()
    while parents.get(uuid) in parents and uuid not in seen:
        seen.add(uuid)
        uuid = parents[uuid]
    return uuid


def _trace(events: Sequence[Event]) -> Trace:
    kept, left = _without_branches(events)
    turns: list[Turn] = []
    errors: set[str] = set()
    for event in kept:
        if event.get("isMeta"):
            continue
        turns += _turns(event, errors)
    turns = shape_of_turns(turns)
    failed = {
        at
        for at, turn in enumerate(turns)
        if turn.get("failed") or any(call["id"] in errors for call in turn.get("tool_calls") or ())
    }
    failed |= {at - 1 for at, turn in enumerate(turns) if at and str(turn["content"]).startswith(INTERRUPTED)}
    plain = [{key: value for key, value in turn.items() if key not in ("message", "failed")} for turn in turns]
    left_over = [Leftover("a branch that was given up", list(left))] if left else []
    return Trace(plain, AGENT, str(events[0].get("sessionId", "")), failed=failed, left=left_over)


def _without_branches(events: Sequence[Event]) -> tuple[list[Event], list[Event]]:
    """The events that lead to the last one, with all parts of their answers and what their calls gave back; and the others."""
    by_id = {one["uuid"]: one for one in events if one.get("uuid")}
    chain: set[Any] = set()
    at = events[-1].get("uuid")
    while at in by_id and at not in chain:
        chain.add(at)
        at = by_id[at].get("parentUuid")
    if at is not None or not chain:  # a part of the log is not there: its order is all there is
        return list(events), []
    answers = {_message(one) for one in events if one.get("uuid") in chain} - {None}
    with_parts = [one for one in events if one.get("uuid") in chain or _message(one) in answers]
    calls = {block.get("id") for one in with_parts for block in _blocks(one) if block.get("type") == "tool_use"}
    kept = {id(one) for one in with_parts}
    kept |= {id(one) for one in events if calls & {block.get("tool_use_id") for block in _blocks(one)} - {None}}
    return [one for one in events if id(one) in kept], [one for one in events if id(one) not in kept]


def _message(event: Event) -> Any:
    return event["message"].get("id") if event.get("type") == "assistant" else None


def _blocks(event: Event) -> Iterable[Mapping[str, Any]]:
    content = event["message"].get("content")
    return [one for one in content if isinstance(one, dict)] if isinstance(content, list) else ()


def _turns(event: Event, errors: set[str]) -> Iterator[Turn]:
    """The turns of an event; the ids of calls that failed go into `errors`."""
    content = event["message"].get("content")
    if event["type"] == "assistant":
        yield from _answer(event, content)
        return
    if isinstance(content, str):
        yield {"role": "user", "content": content}
        return
    texts = []
    for block in content or ():
        if isinstance(block, dict) and block.get("type") == "tool_result":
            if block.get("is_error"):
                errors.add(str(block.get("tool_use_id")))
            told = block.get("content")
            yield {
                "role": "tool",
                "content": text_of(told) if told else "",
                "tool_call_id": str(block.get("tool_use_id")),
            }
        else:
            texts.append(text_of([block]))
    if texts:
        yield {"role": "user", "content": "\n".join(texts)}


def _answer(event: Event, content: Any) -> Iterator[Turn]:
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content or ()
    texts, calls = [], []
    for block in blocks:
        kind = block.get("type")
        if kind == "text":
            texts.append(str(block.get("text") or ""))
        elif kind == "tool_use":
            calls.append(call_of(str(block.get("id")), str(block.get("name")), block.get("input")))
        elif kind not in ("thinking", "redacted_thinking"):
            raise Filtered("unsupported_content", f"a block of kind {kind}")
    if not (any(texts) or calls):
        return
    turn: Turn = {"role": "assistant", "content": "\n\n".join(filter(None, texts)) or None, "message": _message(event)}
    if calls:
        turn["tool_calls"] = calls
    if event.get("isApiErrorMessage"):
        turn["failed"] = True
    yield turn
