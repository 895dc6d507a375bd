"""What a row says, as a person saw it: the digest that a decision is about, and the texts that can be edited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tasks.columns import PAIR_SIDES, RECORD
from tasks.publish.report import said as said_in
from tasks.storage.digest import canonical, digest

CONVERSATIONS = ("messages", "prompt", "chosen", "rejected")
TEXT_COLUMNS = (*said_in.QUESTIONS, "input", *said_in.ANSWERS, "chosen", "rejected")


class EditableText(NamedTuple):
    """A text of a row: its column, the turn there, who says it, and what."""

    column: str
    turn: int
    role: str
    text: str


def as_published(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row of any table as it will be published: a curated record, a pair, or a conversation with its answer."""
    if row.get(RECORD):
        record: Mapping[str, Any] = row[RECORD]
        return record
    if row.get("chosen") or row.get("response") is None:
        return row
    turns = list(row.get("messages") or [{"role": "user", "content": row.get("instruction")}])
    if row.get("system") and turns[0]["role"] != "system":
        turns = [{"role": "system", "content": row["system"]}, *turns]
    return {"messages": [*turns, {"role": "assistant", "content": row["response"]}]}


def said_digest(row: Mapping[str, Any]) -> str:
    """The digest of what a row says, the same before and after it is published."""
    said = said_in.texts_of_row(as_published(row))
    return digest("said", canonical([*said.before, *said.answers]))


def editable_texts(row: Mapping[str, Any]) -> list[EditableText]:
    """The texts of a published row that a person can write anew: of a pair what was asked, and the answer of each side."""
    is_pair = bool(row.get("chosen") and row.get("rejected"))
    found = list[EditableText]()
    for column in CONVERSATIONS[1:] if is_pair else CONVERSATIONS:  # `messages` of a pair says its chosen side again
        turns = list(enumerate(_turns_in(row.get(column))))
        for at, turn in turns[-1:] if column in PAIR_SIDES else turns:
            field = content_field(turn)
            if isinstance(turn.get(field), str):
                role = turn.get("role") or turn.get("from") or ""
                found.append(EditableText(column, at, said_in.ROLES.get(role, role), turn[field]))
    texts = [name for name in TEXT_COLUMNS if isinstance(row.get(name), str) and row[name]]
    return found + [EditableText(name, 0, name, row[name]) for name in texts if is_pair or not row.get("messages")]


def content_field(turn: Mapping[str, Any]) -> str:
    """The field of a turn that holds its text."""
    return "value" if "value" in turn and "content" not in turn else "content"


def _turns_in(value: Any) -> list[Mapping[str, Any]]:
    """The turns of a conversation, or one that is a column by itself."""
    return (
        [turn for turn in value if isinstance(turn, dict)]
        if isinstance(value, list)
        else [value]
        if isinstance(value, dict)
        else []
    )
