"""A row as a reviewer sees it: the sides of a pair without their names, what judges and models are called left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from flows.studio.look.filters import shown_row
from flows.studio.review.session import ReviewSession
from tasks.publish.report.differences import Pieces, marked
from tasks.publish.report.said import texts_of_row
from tasks.reviews.decisions import Decision, PairSide
from tasks.reviews.queue import left_side
from tasks.reviews.said import EditableText, editable_texts

OTHER: Mapping[PairSide, PairSide] = {"chosen": "rejected", "rejected": "chosen"}


@dataclass(frozen=True)
class ReviewedRow:
    """`turns`: role and text; `sides`: of a pair the title and the pieces of both, the left one first; `left`: which that is.

    `cells`: other columns, none of a pair whose sides have no names; `texts`: what can be written anew, with a title each.
    """

    row_id: str
    turns: list[tuple[str, str]]
    sides: list[tuple[str, Pieces]]
    left: PairSide | None
    cells: list[tuple[str, str]]
    texts: list[tuple[str, EditableText]]

    def preferred(self, decision: str) -> Literal["chosen", "rejected", "tie"]:
        """Which side of the dataset a reviewer means by left, right or tie."""
        if decision == "tie" or self.left is None:
            return "tie"
        return self.left if decision == "left" else OTHER[self.left]

    def said_by(self, decision: Decision) -> str:
        """What was decided, in a word that does not say more than the reviewer knows: a side by its title."""
        if decision.preferred in OTHER and self.left is not None:
            return self.sides[decision.preferred != self.left][0]
        return str(decision.preferred or decision.rating or decision.decision)

    def edits_in(self, form: Mapping[str, str]) -> list[dict[str, Any]]:
        """The texts of a form that differ from those of the row. A browser sends line ends as CRLF."""
        given = [(one, form.get(f"text.{at}")) for at, (_, one) in enumerate(self.texts)]
        told = [(one, text.replace("\r\n", "\n")) for one, text in given if text is not None]
        return [
            {"column": one.column, "turn": one.turn, "text": text}
            for one, text in told
            if text != one.text.replace("\r\n", "\n")
        ]


def reviewed_row(row_id: str, row: Mapping[str, Any], session: ReviewSession) -> ReviewedRow:
    """A published row for a reviewer."""
    said = texts_of_row(row)
    texts = editable_texts(row)
    if len(said.answers) != 2:
        turns = [*said.before, *said.answers]
        titled = [(one.role or one.column, one) for one in texts]
        return ReviewedRow(row_id, turns, [], None, shown_row(dict(row)).cells, titled)
    left: PairSide = "chosen" if session.named else left_side(row_id, session.by)
    left = OTHER[left] if session.flip else left
    by_side = dict(zip(("chosen", "rejected"), (text for _, text in said.answers), strict=True))
    one, other = marked(by_side[left], by_side[OTHER[left]])
    titles = [left, OTHER[left]] if session.named else ["Left", "Right"]
    named = {left: titles[0], OTHER[left]: titles[1]}
    titled = [(named.get(text.column, text.role or text.column), text) for text in texts]  # type: ignore[call-overload]
    titled.sort(key=lambda pair: (pair[1].column in OTHER, pair[1].column != left))
    cells = shown_row(dict(row)).cells if session.named else []
    return ReviewedRow(row_id, said.before, list(zip(titles, (one, other), strict=True)), left, cells, titled)
