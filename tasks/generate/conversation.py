"""What a row asks a model: its conversation as messages, and the response in what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.engine.templates import inline, render
from tasks.errors import Filtered, Unusable
from tasks.models.base import Message


def conversation_of(row: Mapping[str, Any], system: str, template: str = "") -> list[Message]:
    """The messages to answer: the template's, else the row's own conversation, else its instruction.

    `system` takes the place of a system message that is there already; empty leaves that one in. Raises Filtered where
    there is no question, or where the last turn is not the user's.
    """
    turns = render(inline(template), dict(row)) if template else turns_of(row)
    if system:
        turns = [{"role": "system", "content": system}, *(turn for turn in turns if turn["role"] != "system")]
    if turns[-1]["role"] != "user":
        raise Filtered("already_answered", f"the conversation ends with the {turns[-1]['role']}'s turn")
    if not turns[-1]["content"].strip():
        raise Filtered("no_instruction", "the user's last turn is empty")
    return turns


def turns_of(row: Mapping[str, Any]) -> list[Message]:
    """The row's `messages`, or its `instruction` as the one turn. Raises Filtered where it has neither."""
    if row.get("messages"):
        return [{"role": turn["role"], "content": turn["content"] or ""} for turn in row["messages"]]
    if not isinstance(row.get("instruction"), str):
        raise Filtered("no_instruction", "the row has neither an instruction nor messages")
    return [{"role": "user", "content": row["instruction"]}]


def with_last_turn(messages: list[Message] | None, instruction: str) -> list[Message] | None:
    """A conversation whose last user turn is this instruction; None where there is no conversation."""
    return [*messages[:-1], {"role": "user", "content": instruction}] if messages else None


def response_of(text: str) -> str:
    """The response in a completion, stripped. Raises Unusable where there is none."""
    if not text.strip():
        raise Unusable("empty")
    return text.strip()
