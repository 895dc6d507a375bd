"""What the formats of other tools have in common: a row to be decided about, and one reviewer's answers to its questions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.columns import PAIR_SIDES
from tasks.publish.report.said import texts_of_row
from tasks.reviews.decisions import Decision, Numbered, decision_of
from tasks.reviews.said import editable_texts, said_digest

DECISION, RATING, EDITED, PREFERRED, NOTE = "decision", "rating", "edited", "preferred", "note"
DECISIONS, PREFERENCES = ("accept", "reject", "skip"), (*PAIR_SIDES, "tie")
Answers = dict[str, Any]
"""By question: `decision`, `rating`, `edited` (the answer as it should be), `preferred`, `note`."""


@dataclass(frozen=True)
class AskedRow:
    """A row with what its reviewers answered, by their names."""

    row_id: str
    turns: list[tuple[str, str]]
    sides: tuple[str, str] | None
    answers: dict[str, Answers]

    @property
    def conversation(self) -> list[dict[str, str]]:
        """The turns as messages."""
        return [{"role": role or "text", "content": text} for role, text in self.turns]

    @property
    def named_sides(self) -> dict[str, str]:
        """The sides of a pair by their names; of a conversation nothing."""
        return dict(zip(PAIR_SIDES, self.sides, strict=True)) if self.sides else {}


def asked_about(row_id: str, row: Mapping[str, Any], made: Sequence[Numbered]) -> AskedRow:
    """A row and the standing decisions about it."""
    said = texts_of_row(row)
    is_pair = len(said.answers) == 2
    answers: defaultdict[str, Answers] = defaultdict(dict)
    for _, one in made:
        answers[one.reviewer] |= _answers(one)
        if one.note:
            answers[one.reviewer][NOTE] = one.note
    sides = (said.answers[0][1], said.answers[1][1]) if is_pair else None
    return AskedRow(row_id, said.before if is_pair else [*said.before, *said.answers], sides, dict(answers))


def _answers(one: Decision) -> Answers:
    if one.decision in DECISIONS:
        return {DECISION: one.decision}
    if one.decision == "rate":
        return {RATING: one.rating}
    if one.decision == "edit":
        return {EDITED: one.edits[-1].text}
    return {PREFERRED: one.preferred or "rejected"}


def decisions_from(reviewer: str, row_id: str, row: Mapping[str, Any], answers: Answers) -> Iterator[Decision]:
    """One reviewer's answers about a row as decisions. Raises ConfigError for an answer that is none."""
    common = {"reviewer": reviewer, "about": row_id, "said": said_digest(row), "note": str(answers.get(NOTE) or "")}
    if answers.get(EDITED) is not None:
        texts = editable_texts(row)
        answer = next((one for one in reversed(texts) if one.column != "rejected"), None)
        if answer is not None and answers[EDITED] != answer.text:
            edit = {"column": answer.column, "turn": answer.turn, "text": answers[EDITED]}
            yield decision_of({**common, "decision": "edit", "edits": [edit]})
    if answers.get(RATING) is not None:
        yield decision_of({**common, "decision": "rate", "rating": answers[RATING]})
    if answers.get(PREFERRED) is not None:
        yield decision_of({**common, "decision": "prefer", "preferred": answers[PREFERRED]})
    if answers.get(DECISION) is not None:
        yield decision_of({**common, "decision": answers[DECISION]})
