"""The exchanges of a row: each thing that was asked, and the answer to it, whatever columns they stand in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tasks.errors import Filtered
from tasks.models.base import Message


class Exchange(NamedTuple):
    """What the user says in one turn, and the answer; "" where there is none yet."""

    instruction: str
    response: str


def exchanges_of(row: Mapping[str, Any]) -> list[Exchange]:
    """The exchanges of a conversation, an instruction with its response, or a pair's prompt with the chosen one, in order.

    System prompts and what tools say are left out; an answer in several turns is one. Raises Filtered (no_instruction).
    """
    found: list[Exchange] = []
    for turn in _turns(row):
        said = turn["content"] or ""
        if turn["role"] == "user" and found and not found[-1].response:
            found[-1] = Exchange(f"{found[-1].instruction}\n{said}", "")
        elif turn["role"] == "user":
            found.append(Exchange(said, ""))
        elif turn["role"] == "assistant" and said and found:
            before = found[-1].response
            found[-1] = found[-1]._replace(response=f"{before}\n{said}" if before else said)
    if not found or not found[-1].instruction.strip():
        raise Filtered("no_instruction", "the row has no user's turn")
    return found


def _turns(row: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    asked = row.get("messages") or row.get("prompt") or row.get("instruction") or ()
    turns = [Message(role="user", content=asked)] if isinstance(asked, str) else list(asked)
    answer = row.get("response") or row.get("completion") or row.get("chosen") or ()
    return [*turns, *([Message(role="assistant", content=answer)] if isinstance(answer, str) else answer)]
