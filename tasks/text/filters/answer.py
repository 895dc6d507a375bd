"""What the filters look at: each answer of a row with what was asked before it.

for answer in answers_of({"instruction": "What is 2 + 3?", "response": "5."}): answer.text, answer.asked
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import BaseModel

from tasks.patterns import pattern
from tasks.text.leaks import runs_in
from tasks.text.words import words

CODE = pattern(r"^[ \t]*(`{3,}|~{3,}).*?(?:^[ \t]*\1[ \t]*$|\Z)|`[^`\n]+`", re.DOTALL | re.MULTILINE)
Refusal = tuple[str, str]
"""A reason in snake_case, and the figure that it was measured by, with its limit."""


class CheckSettings(BaseModel, frozen=True, extra="forbid"):
    """What one check can be told."""


@dataclass(frozen=True, eq=False)
class CheckedAnswer:
    """One answer. `asked`: the user's turn before it; `told`: all that users, tools and the system said."""

    text: str
    asked: str = ""
    told: str = ""
    rejected: bool = False

    @cached_property
    def words(self) -> list[str]:
        """The words of the answer."""
        return words(self.text)

    @cached_property
    def asked_words(self) -> list[str]:
        """The words of the user's turn."""
        return words(self.asked)

    @cached_property
    def told_runs(self) -> frozenset[tuple[str, ...]]:
        """Every six words in a row of what was told."""
        return frozenset(runs_in(words(self.told)))

    @cached_property
    def prose(self) -> str:
        """The answer without its code, fenced or not between backticks."""
        return CODE.sub(" ", self.text) if "`" in self.text or "~~~" in self.text else self.text


def answers_of(row: Mapping[str, Any]) -> list[CheckedAnswer]:
    """The answers that a row teaches, in their order; of a pair the chosen one, then the rejected one.

    Turns that only call tools say nothing, and turns marked as not to be trained on are not looked at.
    """
    if row.get("chosen"):
        turns = _turns(row.get("prompt"), "user")
        return [*_answers(turns, row["chosen"], rejected=False), *_answers(turns, row.get("rejected"), rejected=True)]
    turns = _turns(row.get("messages") or row.get("prompt") or row.get("instruction"), "user")
    if row.get("system") and not any(turn["role"] == "system" for turn in turns):
        turns = [{"role": "system", "content": row["system"]}, *turns]
    said = next((row[name] for name in ("response", "completion") if row.get(name)), None)
    return _in_conversation([*turns, *_turns(said, "assistant")])


def _turns(said: Any, role: str) -> list[Mapping[str, Any]]:
    """A text or a list of turns as turns."""
    return [{"role": role, "content": said}] if isinstance(said, str) else list(said or ())


def _answers(turns: Sequence[Mapping[str, Any]], side: Any, *, rejected: bool) -> list[CheckedAnswer]:
    """The last answer of one side of a pair."""
    before = [turn | {"train": False} if turn["role"] == "assistant" else turn for turn in map(dict, turns)]
    return _in_conversation([*before, *_turns(side, "assistant")[-1:]], rejected=rejected)


def _in_conversation(turns: Sequence[Mapping[str, Any]], *, rejected: bool = False) -> list[CheckedAnswer]:
    told = "\n\n".join(_text(turn) for turn in turns if turn["role"] != "assistant")
    return [CheckedAnswer(text, asked, told, rejected) for text, asked in _asked_and_answered(turns)]


def _asked_and_answered(turns: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    asked = ""
    for turn in turns:
        if turn["role"] == "user":
            asked = _text(turn)
        elif turn["role"] == "assistant" and turn.get("train") is not False and (said := _text(turn)).strip():
            yield said, asked


def _text(turn: Mapping[str, Any]) -> str:
    content = turn.get("content")
    return content if isinstance(content, str) else ""
