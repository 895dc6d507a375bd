"""Conversations as files write them, brought to one form: OpenAI's messages, ShareGPT's `from` and `value`, texts with
marks before each turn. A turn holds `role` and `content`, and further fields only where it has them:

    {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function", "function": {...}}]}
    {"role": "tool", "content": "31 C", "tool_call_id": "c1", "name": "weather"}
    {"role": "assistant", "content": "Bad answer.", "train": False}
    {"role": "user", "content": "Hi.", "name": "ana"}
"""

from __future__ import annotations

import json
import re
from typing import Any

from tasks.errors import Filtered
from tasks.seeds.kinds import described

ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "ai": "assistant",
    "tool": "tool",
}
TEXT_PARTS = ("text", "input_text", "output_text", None)
TRAIN_MARKS = ("train", "weight", "loss")  # whether a turn is to be trained on: true or 1, false or 0
MARKS = (  # who speaks, in a text that holds a whole conversation
    re.compile(r"(?:^|\n)\n(Human|Assistant):"),  # Anthropic/hh-rlhf
    re.compile(r"\s*### ?(Human|Assistant):"),  # timdettmers/openassistant-guanaco
)
Turn = dict[str, Any]


def seed_turns(value: Any) -> list[Turn] | None:
    """A conversation; None where it is empty.

    Raises TypeError with what was found where it is no conversation, Filtered where it holds what we do not take.
    """
    if type(value) is not list:
        raise TypeError(described(value))
    return [turn_of(turn) for turn in value] or None


def turn_of(turn: Any) -> Turn:
    """One turn of a conversation, in our form. Raises as `seed_turns`."""
    if type(turn) is not dict:
        raise TypeError(f"a list with {described(turn)} in it")
    role, content = turn.get("role") or turn.get("from"), turn.get("content")
    if content is None:
        content = turn.get("value")
    known = _known_role(role)
    calls = [_call(call) for call in turn.get("tool_calls") or ()] if known == "assistant" else []
    made: Turn = {"role": known, "content": None if calls and content is None else text_of(content)}
    if calls:
        made["tool_calls"] = calls
    if known == "tool":
        made |= {field: turn[field] for field in ("tool_call_id", "name") if type(turn.get(field)) is str}
    elif known == "user" and turn.get("name") and type(turn["name"]) is str:
        made["name"] = turn["name"]
    marks = [bool(turn[mark]) for mark in TRAIN_MARKS if turn.get(mark) is not None]
    if not all(marks):
        made["train"] = False
    elif marks and known != "assistant":  # an assistant's turn is trained on in any case
        made["train"] = True
    return made


def identifying(turn: Turn) -> Turn:
    """What of a turn its row's id is made of: not the name of a user, nor a mark that it is to be trained on."""
    return {
        field: value
        for field, value in turn.items()
        if not (field == "name" and turn["role"] == "user") and not (field == "train" and value)
    }


def unread_fields(turn: Any, *, pools: bool = False) -> set[str]:
    """The fields of a turn that hold something and are in no row; nor, of `pools`, in a pair."""
    if type(turn) is not dict:
        return set()
    read = {"role", "from", "content", "value"}
    role = turn.get("role") or turn.get("from")
    known = ROLES.get(role.strip().lower()) if type(role) is str else None
    read |= {"assistant": {"tool_calls"}, "tool": {"tool_call_id", "name"}}.get(known or "", set())
    if not pools:
        read |= {"name"} if known == "user" else set()
        read |= {mark for mark in TRAIN_MARKS if turn.get(mark) in (0, 1)}  # True and False are these
    return {field for field, value in turn.items() if field not in read and value not in (None, [], "")}


def _known_role(role: Any) -> str:
    if not role:
        raise TypeError("a message without a role")
    known = ROLES.get(role.strip().lower()) if type(role) is str else None
    if known is None:
        raise Filtered("unknown_role", f"the role {role!r}")
    return known


def text_of(content: Any) -> str:
    """The text of a turn; parts of text are joined by line ends. Raises Filtered for a part that is none."""
    if type(content) is str:
        return content
    if type(content) is not list or not content:
        raise TypeError(f"a message with {described(content)} as content")
    texts = []
    for part in content:
        kind, text = (part.get("type"), part.get("text")) if type(part) is dict else (None, part)
        if kind not in TEXT_PARTS or type(text) is not str:
            raise Filtered("unsupported_content", f"a part that is no text: {kind or described(part)}")
        texts.append(text)
    return "\n".join(texts)


def _call(call: Any) -> dict[str, Any]:
    """A call of a tool as OpenAI writes it, its arguments as JSON text; also from a bare name with arguments."""
    function = call.get("function", call) if type(call) is dict else call
    if type(function) is not dict or type(function.get("name")) is not str:
        raise TypeError(f"a tool call that is {described(call)} without the name of a function")
    arguments = function.get("arguments")
    text = arguments if type(arguments) is str else json.dumps(arguments or {}, ensure_ascii=False)
    identity = call.get("id")
    return {
        "id": identity if type(identity) is str else None,
        "type": "function",
        "function": {"name": function["name"], "arguments": text},
    }


def tools_of(value: Any) -> str | None:
    """The tools of a conversation as a JSON list in text; None where there are none. Raises TypeError."""
    tools = value
    if type(value) is str:
        if not value.strip():
            return None
        try:
            tools = json.loads(value)
        except ValueError as error:
            raise TypeError("text that is no JSON") from error
    if type(tools) is not list or not all(type(tool) is dict for tool in tools):
        raise TypeError(described(tools))
    return json.dumps(tools, ensure_ascii=False) if tools else None


def marked_turns(text: str) -> list[Turn] | None:
    """The conversation in a text that says who speaks before each turn, None where the text does not begin so."""
    mark = next((mark for mark in MARKS if mark.match(text)), None)
    if mark is None:
        return None
    said = mark.split(text)[1:]
    return [
        {"role": ROLES[who.lower()], "content": what.strip()} for who, what in zip(said[::2], said[1::2], strict=True)
    ]


def split_answer(turns: list[Turn]) -> tuple[list[Turn], Turn | None]:
    """What is asked in a conversation, and the answer that ends it; None where it ends with the question.

    An answer that calls a tool stays where it is, and so does one that answers nothing.
    """
    last = turns[-1]
    asked = any(turn["role"] == "user" for turn in turns[:-1])
    if last["role"] != "assistant" or not asked or "tool_calls" in last or not (last["content"] or "").strip():
        return turns, None
    return turns[:-1], last


def last_question(turns: list[Turn]) -> str | None:
    """The user's last turn."""
    return next((turn["content"] for turn in reversed(turns) if turn["role"] == "user"), None)
