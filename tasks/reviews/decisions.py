"""One decision of one reviewer about one row. It is never changed: whoever thinks again decides again, or undoes it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BaseModel, Field, StringConstraints, ValidationError, model_validator

from tasks.errors import ConfigError, first_fault

DecisionKind = Literal["accept", "reject", "rate", "edit", "prefer", "swap", "skip", "undo"]
PairSide = Literal["chosen", "rejected"]
LOWEST_RATE, HIGHEST_RATE = 1, 5
LONGEST_TEXT = 1_000_000
ReviewerName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]+$")
]


class TextEdit(BaseModel, frozen=True, extra="forbid"):
    """A new text for a turn of a column, counted from 0; of a column that is one text, turn 0."""

    column: str = Field(min_length=1, max_length=200)
    turn: int = Field(ge=0)
    text: str = Field(max_length=LONGEST_TEXT)


class Decision(BaseModel, frozen=True, extra="forbid"):
    """`about`: the row_id of a row; `said`: the digest of what it said then; `left`: the side of a pair that was shown left.

    `undoes`: the number of an earlier decision of the same reviewer, which then counts as never made.
    """

    reviewer: ReviewerName
    about: str = Field(min_length=1, max_length=200)
    said: str = Field(max_length=64)
    decision: DecisionKind
    rating: int | None = Field(None, ge=LOWEST_RATE, le=HIGHEST_RATE)
    edits: tuple[TextEdit, ...] = ()
    preferred: Literal["chosen", "rejected", "tie"] | None = None
    left: PairSide | None = None
    undoes: int | None = Field(None, ge=1)
    note: str = Field("", max_length=10_000)

    @model_validator(mode="after")
    def _says_what_it_has_to(self) -> Self:
        has = {
            "rate": self.rating is not None,
            "edit": bool(self.edits),
            "prefer": self.preferred is not None,
            "undo": self.undoes is not None,
        }
        wrong = [kind for kind, there in has.items() if there != (kind == self.decision)]
        if wrong:
            raise ValueError(f"{self.decision}: what belongs to {wrong[0]} is there without it, or missing")
        return self


class Numbered(NamedTuple):
    """A decision with its number, from 1 on, in the order in which they were made."""

    number: int
    decision: Decision


def decision_of(told: Any) -> Decision:
    """A decision as it comes from a form or a file. Raises ConfigError for one that is none."""
    try:
        return Decision.model_validate(told)
    except ValidationError as error:
        where, fault = first_fault(error)
        raise ConfigError(f"no decision: {where or 'it'}", fault["msg"], "see docs/review.md") from error
