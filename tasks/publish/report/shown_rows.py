"""Rows of a dataset to read: what is said in each, both answers of a pair with their differences marked, how it came about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.publish.report.differences import Pieces, marked
from tasks.publish.report.histories import History
from tasks.publish.report.measures import row_id_of
from tasks.publish.report.said import SAID_IN, texts_of_row

MOST_CHARS = 2_000
"""Of a text."""
MOST_CHARS_OF_ROW = 8_000
LONGEST_CELL = 200
IN_TITLES = frozenset({"score_chosen", "score_rejected", "chosen_model", "rejected_model"})
NO_CELLS = SAID_IN | {"row_id", "prompt_id"}


@dataclass(frozen=True)
class ShownRow:
    """A row. `talk`: role and text of each turn; `sides`: of a pair, title and pieces of both answers; `cells`: other columns.

    `before`: what the instructions that it was made of said, the first one first.
    """

    row_id: str
    talk: list[tuple[str, str]]
    sides: list[tuple[str, Pieces]]
    cells: list[tuple[str, str]]
    before: list[str]
    history: Sequence[Mapping[str, Any]]


def shown(row: Mapping[str, Any], histories: Mapping[str, History], instructions: Mapping[str, str]) -> ShownRow:
    """A row as the report shows it. `instructions`: of rows that others were made of, by id."""
    row_id, said = row_id_of(row), texts_of_row(row)
    talk, sides = said.before, list[tuple[str, Pieces]]()
    if len(said.answers) == 2:
        rejected, chosen = marked(said.answers[1][1], said.answers[0][1])
        sides = [(_title(row, "chosen"), chosen), (_title(row, "rejected"), rejected)]
    else:
        talk = [*talk, *said.answers]
    shown_already = NO_CELLS | {role for role, _ in talk} | (IN_TITLES if sides else frozenset())
    cells = [(name, text) for name, text in _cells(row) if name not in shown_already]
    history = histories.get(row_id, History())
    texts = dict.fromkeys(instructions[one] for one in history.ids if one in instructions)
    before = [text for text in texts if text != said.question]
    return ShownRow(row_id, _bounded(talk), sides, cells, before, history.lines)


def short(text: str, most: int = MOST_CHARS) -> str:
    """The text, or its beginning and how long it is."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"


def _bounded(talk: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The turns, of a long conversation the first ones and the last."""
    cut, left = list[tuple[str, str]](), MOST_CHARS_OF_ROW
    for at, (role, text) in enumerate(talk):
        if left <= 0 and at < len(talk) - 1:
            continue
        cut.append((role or "text", short(text)))
        left -= min(len(text), MOST_CHARS)
    if gone := len(talk) - len(cut):
        cut.insert(-1, ("left out here", f"{gone} turns"))
    return cut


def _cells(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The columns that hold one value."""
    there = ((name, value) for name, value in row.items() if value is not None)
    return [(name, short(str(value), LONGEST_CELL)) for name, value in there if not isinstance(value, list | dict)]


def _title(row: Mapping[str, Any], side: str) -> str:
    score, model = row.get(f"score_{side}"), row.get(f"{side}_model")
    return ", ".join(
        [side, *([f"score {score:g}"] if isinstance(score, int | float) else []), *([model] if model else [])]
    )
