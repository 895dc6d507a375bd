"""A row as people want it: with the texts that they have written anew, or with the sides of its pair changed over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.columns import FOUND_COLUMNS, PAIR_SIDES, RECORD
from tasks.errors import ConfigError
from tasks.reviews.decisions import TextEdit
from tasks.reviews.said import as_published, content_field
from tasks.reviews.standing import ReviewOutcome

EDITED, PEOPLE = "edited", "people"
BY_SIDE = ("{}", "{}_model", "{}_origin", "ratings_{}")
"""Columns of a pair that change over with its sides."""
NO_MARGIN = 0.0
"""What TRL's reward trainer takes for none."""


def changes_of(row: Mapping[str, Any], outcome: ReviewOutcome) -> dict[str, Any]:
    """The columns of a row that an outcome changes, with their new values, those that are made from others too.

    Raises ConfigError for an edit of a text that the row does not have.
    """
    if row.get(RECORD):
        record = dict(row[RECORD])
        whole = _changed(record, outcome)
        gone = {name: None for name in FOUND_COLUMNS if name in row}
        return {RECORD: record | whole, **gone}
    if row.get("chosen") or row.get("response") is None:
        return _changed(row, outcome)
    return _of_response(row, as_published(row)["messages"], outcome.edits)


def _changed(row: Mapping[str, Any], outcome: ReviewOutcome) -> dict[str, Any]:
    changes = _edited(row, outcome.edits)
    after = {**row, **changes}
    if outcome.swapped and after.get("chosen") and after.get("rejected"):
        changes |= _swapped(after)
    if "chosen" in changes and row.get("messages") == row.get("chosen"):
        changes["messages"] = changes["chosen"]
    if changes:
        changes |= {name: None for name in FOUND_COLUMNS if name in row and name not in changes}
    return changes


def _edited(row: Mapping[str, Any], edits: Sequence[TextEdit]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for edit in edits:
        held = changes.get(edit.column, row.get(edit.column))
        changes[edit.column] = _with_text(held, edit)
    for side in PAIR_SIDES:
        if side in changes:
            changes |= _about_side(row, side)
    if "messages" in changes and row.get("response_model"):
        changes["response_model"] = _by_person(row["response_model"])
    return changes


def _with_text(held: Any, edit: TextEdit) -> Any:
    if isinstance(held, str) and edit.turn == 0:
        return edit.text
    if isinstance(held, list) and edit.turn < len(held):
        return [{**turn, content_field(turn): edit.text} if at == edit.turn else turn for at, turn in enumerate(held)]
    if isinstance(held, dict) and edit.turn == 0:
        return {**held, content_field(held): edit.text}
    raise ConfigError("an edit of a text that the row does not have", f"{edit.column}, turn {edit.turn}")


def _about_side(row: Mapping[str, Any], side: str) -> dict[str, Any]:
    """What was known of the answer as it was, and does not hold of the new one."""
    made: dict[str, Any] = {"score_chosen": None, "score_rejected": None, "margin": NO_MARGIN, f"ratings_{side}": []}
    made |= {f"{side}_origin": EDITED, f"{side}_model": _by_person(row.get(f"{side}_model"))}
    return {name: value for name, value in made.items() if name in row}


def _by_person(model: str | None) -> str:
    return model if model and model.endswith(f"({EDITED})") else f"{model or ''} ({EDITED})".strip()


def _swapped(row: Mapping[str, Any]) -> dict[str, Any]:
    """Both sides changed over, with what is known of each; judges had it the other way, so their scores go."""
    changes = {
        pattern.format(side): row[pattern.format(other)]
        for side, other in (PAIR_SIDES, PAIR_SIDES[::-1])
        for pattern in BY_SIDE
        if pattern.format(side) in row and pattern.format(other) in row
    }
    gone = {"score_chosen": None, "score_rejected": None, "margin": NO_MARGIN}
    return (
        changes
        | {name: value for name, value in gone.items() if name in row}
        | ({"judges": [PEOPLE]} if "judges" in row else {})
    )


def _of_response(
    row: Mapping[str, Any], turns: Sequence[Mapping[str, Any]], edits: Sequence[TextEdit]
) -> dict[str, Any]:
    """Edits of a conversation that is not put together yet: its last turn is the response."""
    if strange := next((edit for edit in edits if edit.column != "messages" or edit.turn >= len(turns)), None):
        raise ConfigError("an edit of a text that the row does not have", f"{strange.column}, turn {strange.turn}")
    new = {edit.turn: edit.text for edit in edits}
    said = [{**turn, "content": new.get(at, turn["content"])} for at, turn in enumerate(turns)]
    own_system = bool(row.get("system")) and (row.get("messages") or [{"role": ""}])[0]["role"] != "system"
    asked = said[int(own_system) : -1]
    changes: dict[str, Any] = {"response": said[-1]["content"], "instruction": row.get("instruction")}
    if row.get("messages"):
        changes["messages"] = asked
    if new.keys() - {len(turns) - 1}:
        questions = [turn["content"] for turn in asked if turn["role"] == "user"]
        changes["instruction"] = questions[-1] if questions else row.get("instruction")
    if "system" in row:
        changes["system"] = said[0]["content"] if own_system else row["system"]
    return changes | {"response_model": _by_person(row.get("response_model"))}
