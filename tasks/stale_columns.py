"""Which columns of a row are stale once others change: an answer does not outlive its question (law 9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.columns import MADE_FROM

MADE_OF = {
    source: [column for column, made_from in MADE_FROM.items() if source in made_from]
    for source in {source for sources in MADE_FROM.values() for source in sources}
}
"""The columns that are made of each, the other way round. Every row asks: a dict is a third of what looking at all costs."""
SAME_QUESTION = {"instruction", "messages"}


def stale_columns(columns: Mapping[str, Any], changes: Mapping[str, Any]) -> list[str]:
    """The columns that hold something made from a column that changes, however far down, and that `changes` leave out.

    Null, "" and an empty list are all nothing: to go from one to another is no change. An instruction that the row did
    not have, but its conversation did, is none either.
    """
    changed = [c for c in changes if c in MADE_OF and (_before(columns, c) or None) != (changes[c] or None)]
    stale: list[str] = []
    for source in changed:  # grows on the way
        for column in MADE_OF.get(source, ()):
            if column in changes or column in stale or columns.get(column) is None:
                continue
            if {source, column} == SAME_QUESTION and _agree(columns, changes):
                continue
            stale.append(column)
            changed.append(column)
    return stale


def _before(columns: Mapping[str, Any], column: str) -> Any:
    """What a column held; the instruction of a conversation is its last question."""
    held = columns.get(column)
    return last_user_turn(columns.get("messages")) if column == "instruction" and not held else held


def _agree(columns: Mapping[str, Any], changes: Mapping[str, Any]) -> bool:
    """Whether instruction and conversation ask the same once the changes are made."""
    after = {**columns, **changes}
    return after.get("instruction") == last_user_turn(after.get("messages"))


def last_user_turn(messages: Any) -> str | None:
    """The user's last turn in a conversation, None where there is none."""
    return next((turn["content"] for turn in reversed(messages or ()) if turn["role"] == "user"), None)
