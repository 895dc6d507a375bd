"""What a row of a dataset says, whatever form it has: our formats, and the records of a dataset that was curated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TALKS = ("messages", "conversations", "conversation")
QUESTIONS = ("instruction", "prompt", "question", "query", "text")
ANSWERS = ("response", "output", "completion", "answer")
SAID_IN = frozenset({*TALKS, *QUESTIONS, *ANSWERS, "input", "context", "system", "chosen", "rejected"})
"""Columns that hold what is said in a row."""
ROLES = {"human": "user", "gpt": "assistant"}
_Turn = tuple[str, str]


@dataclass(frozen=True)
class Said:
    """`before`: the turns before the answer, each a role and a text; `answers`: one, of a pair the chosen one first, or none."""

    before: list[_Turn]
    answers: list[_Turn]

    @property
    def question(self) -> str:
        """What was said last before the answer."""
        return self.before[-1][1] if self.before else ""


def texts_of_row(row: Mapping[str, Any]) -> Said:
    """What a row says. Of one in no form that is known, each text is a turn by the name of its column."""
    if row.get("chosen") and row.get("rejected"):
        return _of_pair(row)
    turns = next((_turns_of(row[name]) for name in TALKS if row.get(name)), None)
    if turns is not None:
        return Said(turns[:-1], turns[-1:])
    asked = next((row[name] for name in QUESTIONS if row.get(name)), None)
    answer = next((_turns_of(row[name], "assistant") for name in ANSWERS if row.get(name)), [])
    if asked is None:
        texts = [(name, text) for name, text in row.items() if isinstance(text, str) and name != "row_id"]
        return Said(texts, [])
    return Said([*_asked_in(row, asked), *answer[:-1]], answer[-1:])


def _asked_in(row: Mapping[str, Any], asked: Any) -> list[_Turn]:
    """A question with what belongs to it: the system prompt, the earlier turns, and the text that it is about."""
    beside = [(name, row[name]) for name in ("input", "context") if isinstance(row.get(name), str) and row[name]]
    return [*_system(row), *_history(row.get("history")), *_turns_of(asked, "user"), *beside]


def _turns_of(value: Any, role: str = "") -> list[_Turn]:
    """A conversation, one turn, or a text that is one turn of this role, as turns."""
    if isinstance(value, dict):
        return [_turn(value)]
    if not isinstance(value, list):
        return [(role, value if isinstance(value, str) else str(value))]
    return [_turn(turn) if isinstance(turn, dict) else (role, str(turn)) for turn in value]


def _turn(turn: Mapping[str, Any]) -> _Turn:
    role = turn.get("role") or turn.get("from") or ""
    content = turn.get("content", turn.get("value"))
    if isinstance(content, str) and not turn.get("tool_calls"):
        return ROLES.get(role, role), content
    parts = content if isinstance(content, list) else [content]
    texts = [str(part.get("text") or part) if isinstance(part, dict) else str(part) for part in parts if part]
    calls = [call.get("function") or call for call in turn.get("tool_calls") or ()]
    return ROLES.get(role, role), "\n".join(
        [*texts, *(f"{call.get('name')}({call.get('arguments')})" for call in calls)]
    )


def _of_pair(row: Mapping[str, Any]) -> Said:
    """A pair: whole conversations, or answers to a question or a conversation of its own (LLaMA-Factory's have one)."""
    chosen, rejected = (_turns_of(row[side], "assistant") for side in ("chosen", "rejected"))
    if len(chosen) > 1 and not isinstance(row.get("prompt"), list):
        return Said(chosen[:-1], [chosen[-1], rejected[-1]])
    asked = next((row[name] for name in QUESTIONS if row.get(name)), None)
    talk = next((row[name] for name in TALKS if row.get(name)), None) if asked is None else None
    if talk is not None:
        before = [*_system(row), *_turns_of(talk)]
    else:
        before = chosen[:-1] if asked is None else _asked_in(row, asked)
    return Said(before, [chosen[-1], rejected[-1]])


def _system(row: Mapping[str, Any]) -> list[_Turn]:
    return [("system", row["system"])] if isinstance(row.get("system"), str) and row["system"] else []


def _history(history: Any) -> list[_Turn]:
    """The earlier turns of Alpaca, pairs of question and answer."""
    pairs = history if isinstance(history, list) else []
    return [(role, str(text)) for pair in pairs for role, text in zip(("user", "assistant"), pair, strict=False)]
