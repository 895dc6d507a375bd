"""Rows to look at: the first of a dataset, and of the rejects some for each reason. For tables in the Prefect UI.

Texts of models are shown as they are: nothing in them is rendered as markdown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from flows.watch.report import literal
from tasks.publish.changes import IDS
from tasks.publish.report.said import texts_of_row
from tasks.storage.tables import Table

SAMPLE_ROWS = 5
REJECT_ROWS = 60
ID_DIGITS = 12
"""Of a row id, enough to find it by: `stillroom explain` takes the beginning of one."""
LINE = 92
"""Characters of all texts of a row beside each other: what the page has room for."""


def sample_rows(data: Path) -> list[dict[str, Any]]:
    """The first rows of a dataset: a column for each text, and for what else differs between them."""
    rows = [_parts(row) for row in pl.read_parquet(data, n_rows=SAMPLE_ROWS).iter_rows(named=True)]
    texts = {name for row in rows for name, (is_text, _) in row.items() if is_text}
    varied = {name for name in rows[0] if len({str(row[name]) for row in rows}) > 1} if rows else set()
    width = LINE // max(len(texts), 1)
    return [
        {
            name: value if name in IDS else literal(str(value), width) if is_text else _plain(value)
            for name, (is_text, value) in row.items()
            if name in texts | varied
        }
        for row in rows
    ]


def reject_rows(tables: Mapping[str, Sequence[Table]]) -> list[dict[str, Any]]:
    """Rejects of every step, some for each reason, those that a retry asks for again first.

    Reads only as many tables as it needs, whatever the size of the run.
    """
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for step, of_step in tables.items():
        for table in of_step:
            wanted = any(len(found.get((step, reason), ())) < REJECT_ROWS for reason in table.rejects)
            frame = table.read_beside("rejects") if wanted else None
            for reject in [] if frame is None else frame.iter_rows(named=True):
                of_reason = found.setdefault((step, reject["reason"]), [])
                if len(of_reason) < REJECT_ROWS:
                    of_reason.append(_reject(step, reject))
    each = max(1, REJECT_ROWS // max(len(found), 1))
    some = [row for rows in found.values() for row in rows[:each]]
    return sorted(some, key=lambda row: str(row["kind"]) != "failed")[:REJECT_ROWS]


def _reject(step: str, reject: Mapping[str, Any]) -> dict[str, Any]:
    raw = reject["raw"]
    return {
        "row_id": reject["row_id"][:ID_DIGITS],
        "step": step,
        "kind": reject["kind"],
        "reason": reject["reason"],
        "detail": literal(reject["detail"], LINE // 4) if reject["detail"] else "",
        "attempts": reject["attempts"],
        "raw_text": "" if raw is None else literal(raw, LINE // 3) if raw else "(nothing)",
    }


def _parts(row: Mapping[str, Any]) -> dict[str, tuple[bool, Any]]:
    """What is shown of a row: by name, whether it is a text, and the value. A conversation is what was asked and said."""
    parts: dict[str, tuple[bool, Any]] = {}
    for name, value in row.items():
        if name == "messages" and _is_talk(value):
            parts |= {"asked": (True, _talk(value[:-1])), "answered": (True, value[-1]["content"])}
        elif name in IDS:
            parts[name] = (False, value[:ID_DIGITS])
        elif _is_talk(value):
            parts[name] = (True, _talk(value))
        else:
            parts[name] = (name in ("prompt", "completion"), value)
    return parts


def named_texts(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a row says in whatever form, each text with the role that says it; the sides of a pair by their names."""
    said = texts_of_row(row)
    sides = ("chosen", "rejected") if len(said.answers) > 1 else (role for role, _ in said.answers)
    return [*said.before, *((side, text) for side, (_, text) in zip(sides, said.answers, strict=False))]


def _is_talk(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and isinstance(value[0], dict)
        and {"role", "content"} <= value[0].keys()
    )


def _talk(messages: Sequence[Mapping[str, Any]]) -> str:
    """Messages as text; of a single one its content alone."""
    if len(messages) == 1:
        return shown_words(messages[0])
    return "\n\n".join(f"{message['role']}: {shown_words(message)}" for message in messages)


def shown_words(message: Mapping[str, Any]) -> str:
    """What a message says, or which tools it calls with what."""
    calls = (call["function"] for call in message.get("tool_calls") or ())
    content = message["content"]
    said = content if isinstance(content, str | None) else str(content)  # parts, as a dataset that is curated may have
    return "\n".join([*filter(None, [said]), *(f"{call['name']}({call['arguments']})" for call in calls)])


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return ", ".join(literal(str(item)) for item in value)
    return literal(value) if isinstance(value, str) else round(value, 3) if isinstance(value, float) else value
