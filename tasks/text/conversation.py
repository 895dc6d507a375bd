"""What a row asks: its conversation as messages for a model, the response in what comes back, and what was asked before an answer that is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.errors import Filtered, Unusable
from tasks.models.base import Message, message_of
from tasks.text.templates import inline, render


def conversation_of(row: Mapping[str, Any], system: str, template: str = "") -> list[Message]:
    """The messages to answer: the template's, else the row's own conversation, else its instruction.

    `system` takes the place of a system message that is there already; empty leaves that one in. Raises Filtered where
    there is no question, or where the last turn is not the user's, nor what a tool gave back.
    """
    turns = render(inline(template), dict(row)) if template else turns_of(row)
    if system:
        turns = [{"role": "system", "content": system}, *(turn for turn in turns if turn["role"] != "system")]
    last = turns[-1]
    if last["role"] not in ("user", "tool"):
        ending = "a call of a tool" if last.get("tool_calls") else f"the {last['role']}'s turn"
        raise Filtered("already_answered", f"the conversation ends with {ending}")
    if not asked_last(turns).strip():
        raise Filtered("no_instruction", "the user's last turn is empty")
    return turns


def asked_last(turns: Sequence[Message]) -> str:
    """The user's last turn, "" where there is none."""
    return next((turn["content"] for turn in reversed(turns) if turn["role"] == "user"), "")


def turns_of(row: Mapping[str, Any]) -> list[Message]:
    """The row's `messages`, or its `instruction` as the one turn. Raises Filtered where it has neither."""
    if row.get("messages"):
        return [message_of(turn) for turn in row["messages"]]
    if not isinstance(row.get("instruction"), str):
        raise Filtered("no_instruction", "the row has neither an instruction nor messages")
    return [{"role": "user", "content": row["instruction"]}]


ASKED_IN = ("instruction", "messages", "prompt", "response", "chosen")
"""The columns that tell what a row asks."""


def asked_turns(row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a row asks, whatever kind of table it stands in: all turns before its answer, without system prompts.

    Of a response, of a conversation that ends with its answer, of a pair in any of its formats; of one without an answer
    all that is there.
    """
    if row.get("messages"):
        said = row["messages"] if row.get("response") else _before_the_answer(row["messages"])
    else:
        said = row.get("prompt") or row.get("instruction") or _before_the_answer(row.get("chosen") or [])
    turns = [{"role": "user", "content": said}] if isinstance(said, str) else said
    return [turn for turn in turns if turn["role"] != "system"]


def _before_the_answer(turns: Any) -> Any:
    """Turns without the last one where that is the assistant's. A text is an answer whole."""
    if isinstance(turns, str):
        return []
    return turns[:-1] if turns and turns[-1]["role"] == "assistant" else turns


def with_last_turn(messages: list[Message] | None, instruction: str) -> list[Message] | None:
    """A conversation that ends with this instruction in place of its last user turn; None where there is none."""
    if not messages:
        return None
    last = max((at for at, turn in enumerate(messages) if turn["role"] == "user"), default=len(messages) - 1)
    return [*messages[:last], {"role": "user", "content": instruction}]


def response_of(text: str) -> str:
    """The response in a completion, stripped. Raises Unusable where there is none."""
    if not text.strip():
        raise Unusable("empty")
    return text.strip()
