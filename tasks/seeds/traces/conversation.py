"""What the readers of all logs end with: a conversation in OpenAI's form, in which each call is followed by its results.

A log may break off, hold results that nobody asked for, or go on after the last answer. What cannot stand in a conversation is
a `Leftover`, which is told as a reject: nothing goes without a word.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.seeds.turns import Turn


@dataclass(frozen=True, slots=True)
class TraceReading:
    """How logs are read. `redact`: secrets are taken out; `mark_failed`: turns whose call failed are not trained on;
    `carry_on`: a conversation may end with a question or a result; `infer_tools`: where a log says no tools, they are those called."""

    redact: bool = True
    mark_failed: bool = True
    carry_on: bool = False
    infer_tools: bool = True


@dataclass(frozen=True, slots=True)
class Leftover:
    """A part of a log that is in no conversation: why, and what it holds."""

    what: str
    held: Any


@dataclass(slots=True)
class Trace:
    """A conversation as it stood in a log. `failed`: places of the assistant's turns that went wrong; `tools`: its own list, if any."""

    turns: list[Turn]
    agent: str
    session: str = ""
    tools: Any = None
    failed: set[int] = field(default_factory=set)
    left: list[Leftover] = field(default_factory=list)


def settled_trace(trace: Trace, reading: TraceReading) -> Trace | None:
    """The conversation with each result behind its call, ended where it can be learnt from; None where nothing of it is left."""
    turns, failed, left = _together(trace.turns, trace.failed)
    end = len(turns)
    while end and not _may_end(turns[end - 1], reading):
        end -= 1
    if tail := turns[end:]:
        left.append(Leftover("nothing answers the end of the log", tail))
    turns = turns[:end]
    trace.left += left
    if not any(turn["role"] == "user" for turn in turns) or not any(turn["role"] == "assistant" for turn in turns):
        if turns:
            trace.left.append(Leftover("a log without a question and an answer", turns))
        return None
    marked = [
        turn | {"train": False} if reading.mark_failed and at in failed else turn for at, turn in enumerate(turns)
    ]
    tools = trace.tools or (tools_called(turns) if reading.infer_tools else None)
    return Trace(marked, trace.agent, trace.session, tools or None, {at for at in failed if at < end}, trace.left)


def _may_end(turn: Turn, reading: TraceReading) -> bool:
    if turn["role"] == "assistant":
        return not turn.get("tool_calls") and bool((turn["content"] or "").strip())
    return reading.carry_on and turn["role"] in ("user", "tool")


def _together(turns: Sequence[Turn], failed: set[int]) -> tuple[list[Turn], set[int], list[Leftover]]:
    """Turns in their order, each call's results right behind it, in the order of the calls.

    A turn with a call that has no result goes, with the results that it has: half of it would teach calling into the void.
    """
    results: dict[str, Turn] = {}
    left: list[Leftover] = []
    known = {call["id"] for turn in turns for call in turn.get("tool_calls") or ()}
    for turn in turns:
        if turn["role"] == "tool":
            if turn.get("tool_call_id") not in known or turn["tool_call_id"] in results:
                left.append(Leftover("a result that belongs to no call", turn))
            else:
                results[turn["tool_call_id"]] = turn
    made: list[Turn] = []
    bad: set[int] = set()
    for at, turn in enumerate(turns):
        calls = turn.get("tool_calls") or ()
        if turn["role"] == "tool":
            continue
        answers = [results.get(call["id"]) for call in calls]
        if None in answers:
            left.append(Leftover("a call without a result", [turn, *filter(None, answers)]))
            continue
        if at in failed:
            bad.add(len(made))
        made += [turn, *(answer for answer in answers if answer is not None)]
    return made, bad, left


def tools_called(turns: Iterable[Turn]) -> list[dict[str, Any]]:
    """The tools of a conversation as far as its calls tell: their names, their arguments, and which of these are always given."""
    given: dict[str, list[Mapping[str, Any]]] = {}
    for turn in turns:
        for call in turn.get("tool_calls") or ():
            held = arguments_of(call)
            given.setdefault(call["function"]["name"], []).append(held if isinstance(held, dict) else {})
    return [_tool(name, calls) for name, calls in given.items()]


def arguments_of(call: Mapping[str, Any]) -> Any:
    """The arguments of a call; None where they are no JSON."""
    try:
        return json.loads(call["function"]["arguments"])
    except ValueError:
        return None


def _tool(name: str, calls: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    properties = {key: {"type": _type_of(value)} for call in calls for key, value in call.items() if value is not None}
    always = [key for key in properties if all(key in call for call in calls)]
    schema = {"type": "object", "properties": properties, "required": always}
    return {"type": "function", "function": {"name": name, "description": "", "parameters": schema}}


def _type_of(value: Any) -> str:
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return kinds.get(type(value), "string")


def call_of(identity: str, name: str, arguments: Any) -> dict[str, Any]:
    """A call as OpenAI writes it."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False)
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": text}}


def shape_of_turns(turns: Sequence[Turn]) -> list[Turn]:
    """Turns with several of the assistant's in a row made one: a log has each part of an answer on a line of its own."""
    made: list[Turn] = []
    for turn in turns:
        before = made[-1] if made else None
        if before and before["role"] == turn["role"] == "assistant" and before.get("message") == turn.get("message"):
            texts = [text for text in (before["content"], turn["content"]) if text]
            before["content"] = "\n\n".join(texts) or None
            if calls := [*(before.get("tool_calls") or ()), *(turn.get("tool_calls") or ())]:
                before["tool_calls"] = calls
        else:
            made.append(dict(turn))
    return made
