"""What a judge is shown of a row that is trained on: the conversation, and the answer that ends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tasks.errors import Filtered
from tasks.models.base import Message
from tasks.text.responses import conversation_text, turn_text


class JudgedRow(NamedTuple):
    """A conversation without its last answer, that answer, and an answer that is known to be right, "" for none."""

    turns: tuple[Message, ...]
    response: str
    reference: str

    @property
    def instruction(self) -> str:
        """The conversation as a judge reads it: one instruction as it stands, else each turn after its role."""
        return conversation_text(self.turns)


def judged_row(row: Mapping[str, Any]) -> JudgedRow:
    """The parts of a row that has its `response` in a column, or at the end of its `messages`.

    A turn that calls tools says which and with what. Raises Filtered (no_response, no_prompt).
    """
    given = list(row.get("messages") or [])
    response = row.get("response")
    if not response and given and given[-1]["role"] == "assistant":
        response = turn_text(given.pop())
    if not response:
        raise Filtered("no_response", "nothing to judge")
    turns = [Message(role=turn["role"], content=turn_text(turn)) for turn in given]
    if not turns and row.get("instruction"):
        turns = [Message(role="user", content=row["instruction"])]
    if not turns:
        raise Filtered("no_prompt", "neither messages with a user's turn nor an instruction")
    if row.get("system") and not any(turn["role"] == "system" for turn in turns):
        turns = [Message(role="system", content=row["system"]), *turns]
    return JudgedRow(tuple(turns), response, row.get("reference") or "")
