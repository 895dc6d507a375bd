"""The texts of rows, whatever kind of table they stand in: responses, conversations, pools, preference pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tasks.text.conversation import ASKED_IN, asked_turns
from tasks.text.filters.answer import answers_of

if TYPE_CHECKING:
    import polars as pl

TEXT_COLUMNS = ("instruction", "messages", "prompt", "response", "completion", "responses", "chosen", "rejected")


def asked_in(frame: pl.DataFrame) -> list[str]:
    """What each row asks: all turns before the answer, without system prompts."""
    return [asked_by(row) for row in _rows(frame, ASKED_IN)]


def asked_by(row: Mapping[str, Any]) -> str:
    """What a row asks: all turns before the answer, without system prompts."""
    return "\n".join(_texts(asked_turns(row)))


def said_in(frame: pl.DataFrame) -> list[list[str]]:
    """What is said in each row, turn by turn, each text once: questions and all answers, without system prompts."""
    return [list(dict.fromkeys(_said(row))) for row in _rows(frame, TEXT_COLUMNS)]


def trained_on(row: Mapping[str, Any]) -> str:
    """What a row teaches: all turns and the answer, of a pair the chosen one, without system prompts."""
    answers = (row.get("response"), row.get("completion"), row.get("chosen"))
    turns = [*_texts(row.get("messages") or row.get("prompt") or row.get("instruction"))]
    return "\n".join(dict.fromkeys([*turns, *(text for answer in answers for text in _texts(answer))]))


def answer_lengths(frame: pl.DataFrame) -> list[int]:
    """The characters of each row's last answer, 0 where it has none."""
    answers = (answers_of(row) for row in _rows(frame, ("system", *TEXT_COLUMNS)))
    return [len(some[-1].text) if some else 0 for some in answers]


def _rows(frame: pl.DataFrame, columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    return frame.select(column for column in columns if column in frame.columns).iter_rows(named=True)


def _said(row: Mapping[str, Any]) -> Iterator[str]:
    for column in TEXT_COLUMNS:
        yield from _texts(row.get(column))


def _texts(said: Any) -> Iterator[str]:
    """The texts of a text, of turns, or of the responses of a pool."""
    if isinstance(said, str):
        yield said
    for turn in said if isinstance(said, list) else ():
        if isinstance(turn, str):
            yield turn
        elif turn.get("role") != "system" and (text := turn.get("content") or turn.get("text")):
            yield text
