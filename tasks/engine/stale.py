"""Which columns of a row are stale once others change: an answer does not outlive its question (law 9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.schemas import MADE_FROM

SOURCES = frozenset(source for sources in MADE_FROM.values() for source in sources)
SAME_QUESTION = {"instruction", "messages"}


def stale_columns(columns: Mapping[str, Any], changes: Mapping[str, Any]) -> list[str]:
    """The columns that hold something made from a column that changes, however far down, and that `changes` leave out.

    Null, "" and an empty list are all nothing: to go from one to another is no change. An instruction that the row did
    not have, but its conversation did, is none either.
    """
    before = {**columns, "instruction": columns.get("instruction") or asked_last(columns.get("messages"))}
    after = {**columns, **changes}
    agree = after.get("instruction") == asked_last(after.get("messages"))
    changed = [c for c in changes if c in SOURCES and (before.get(c) or None) != (changes[c] or None)]
    stale: list[str] = []
    for source in changed:  # grows on the way
        for column, made_from in MADE_FROM.items():
            if source not in made_from or column in changes or column in stale or not _holds(columns, column):
                continue
            if agree and {source, column} == SAME_QUESTION:
                continue
            stale.append(column)
            changed.append(column)
    return stale


def asked_last(messages: Any) -> str | None:
    """The user's last turn in a conversation, None where there is none."""
    return next((turn["content"] for turn in reversed(messages or ()) if turn["role"] == "user"), None)


def _holds(columns: Mapping[str, Any], column: str) -> bool:
    return columns.get(column) is not None
