"""What the formats of other tools have in common: a row to be decided about, and one reviewer's answers to its questions.

The sides of a pair have no names there either: `left` and `right`, drawn for each row from its id alone, since a record is the
same for all who look at it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from tasks.publish.report.said import texts_of_row
from tasks.reviews.decisions import Decision, Numbered, PairSide, decision_of
from tasks.reviews.queue import left_side
from tasks.reviews.said import EditableText, editable_texts, said_digest

DECISION, RATING, EDITED, PREFERRED, NOTE = "decision", "rating", "edited", "preferred", "note"
SHOWN_SIDES = ("left", "right")
EDITED_SIDES = ("edited_left", "edited_right")
DECISIONS, PREFERENCES = ("accept", "reject", "skip"), (*SHOWN_SIDES, "tie")
IS_BLIND = "is_blind"
Answers = dict[str, Any]
"""By question: `decision`, `rating`, `preferred`, `note`, and the answer as it should be: `edited`, of a pair `edited_left`, `edited_right`.

`is_blind`: whether the sides had no names when it was asked.
"""


@dataclass(frozen=True)
class AskedRow:
    """A row with what its reviewers answered, by their names. `sides`: of a pair the left answer and the right one."""

    row_id: str
    turns: list[tuple[str, str]]
    sides: tuple[str, str] | None
    answers: dict[str, Answers]

    @property
    def conversation(self) -> list[dict[str, str]]:
        """The turns as messages."""
        return [{"role": role or "text", "content": text} for role, text in self.turns]

    @property
    def shown_sides(self) -> dict[str, str]:
        """The sides of a pair as they are shown; of a conversation nothing."""
        return dict(zip(SHOWN_SIDES, self.sides, strict=True)) if self.sides else {}


def edit_questions(*, pairs: bool) -> list[tuple[str, str]]:
    """The questions for answers as they should be: name and title."""
    if not pairs:
        return [(EDITED, "The answer as it should be")]
    sides = zip(EDITED_SIDES, SHOWN_SIDES, strict=True)
    return [(name, f"The {side} answer as it should be") for name, side in sides]


def asked_about(row_id: str, row: Mapping[str, Any], made: Sequence[Numbered]) -> AskedRow:
    """A row and the standing decisions about it."""
    said = texts_of_row(row)
    is_pair = len(said.answers) == 2
    shown_as = _shown_as(row_id)
    answers: defaultdict[str, Answers] = defaultdict(dict)
    for _, one in made:
        told = _answers(one, row, shown_as if is_pair else {}) | ({NOTE: one.note} if one.note else {})
        if told:
            answers[one.reviewer] |= told
    if not is_pair:
        return AskedRow(row_id, [*said.before, *said.answers], None, dict(answers))
    texts = {shown: text for shown, (_, text) in zip(shown_as.values(), said.answers, strict=True)}
    return AskedRow(row_id, said.before, (texts["left"], texts["right"]), dict(answers))


def _shown_as(row_id: str) -> dict[PairSide, str]:
    """Where each side of a pair is shown in another tool."""
    left = left_side(row_id, "")
    return {side: "left" if side == left else "right" for side in get_args(PairSide)}


def _answers(one: Decision, row: Mapping[str, Any], shown_as: Mapping[PairSide, str]) -> Answers:
    """A decision as answers. `shown_as`: of a pair. An edit of anything but an answer has no question there."""
    if one.decision in DECISIONS:
        return {DECISION: one.decision}
    if one.decision == "rate":
        return {RATING: one.rating}
    if one.decision == "edit":
        new = {(edit.column, edit.turn): edit.text for edit in one.edits}
        asked: dict[str, PairSide | None] = {f"{EDITED}_{shown}": side for side, shown in shown_as.items()}
        asked = asked or {EDITED: None}
        texts = {question: _answer_of(row, side) for question, side in asked.items()}
        return {name: new[at[:2]] for name, at in texts.items() if at is not None and at[:2] in new}
    side = one.preferred or "rejected"
    return {PREFERRED: side if side == "tie" else shown_as.get(side, side)}


def _answer_of(row: Mapping[str, Any], side: str | None) -> EditableText | None:
    """The answer that can be written anew: of a side, else of a conversation, or the better one of a pair."""
    texts = [one for one in reversed(editable_texts(row)) if (one.column == side if side else one.column != "rejected")]
    return texts[0] if texts else None


def decisions_from(reviewer: str, row_id: str, row: Mapping[str, Any], answers: Answers) -> Iterator[Decision]:
    """One reviewer's answers about a row as decisions. Raises ConfigError for an answer that is none."""
    common = {"reviewer": reviewer, "about": row_id, "said": said_digest(row), "note": str(answers.get(NOTE) or "")}
    meant = {shown: side for side, shown in _shown_as(row_id).items()}
    asked: dict[str, PairSide | None] = {EDITED: None, **{f"{EDITED}_{shown}": side for shown, side in meant.items()}}
    edits = [
        _edit(answers[name], _answer_of(row, side)) for name, side in asked.items() if answers.get(name) is not None
    ]
    if told := [edit for edit in edits if edit is not None]:
        yield decision_of({**common, "decision": "edit", "edits": told})
    if answers.get(RATING) is not None:
        yield decision_of({**common, "decision": "rate", "rating": answers[RATING]})
    if (preferred := answers.get(PREFERRED)) is not None:
        left = meant["left"] if answers.get(IS_BLIND) else None
        side = meant.get(str(preferred), preferred)
        yield decision_of({**common, "decision": "prefer", "preferred": side, "left": left})
    if answers.get(DECISION) is not None:
        yield decision_of({**common, "decision": answers[DECISION]})


def _edit(text: Any, answer: EditableText | None) -> dict[str, Any] | None:
    """The edit of an answer, None where it says what the row says."""
    if answer is None or text == answer.text:
        return None
    return {"column": answer.column, "turn": answer.turn, "text": text}
