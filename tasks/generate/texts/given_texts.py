"""Rows that are about a text: which text that is, and the row with an answer about it. What techniques on texts share."""

from __future__ import annotations

from typing import Any

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.errors import Filtered
from tasks.text.words import word_count


def long_text_of(row: Row, min_words: int) -> str:
    """The row's `context`, else its `instruction`. Raises Filtered (no_text, too_short)."""
    text: str = row.get("context") or row.get("instruction") or ""
    if not text:
        raise Filtered("no_text", "the row has neither a context nor an instruction")
    if (count := word_count(text)) < min_words:
        raise Filtered("too_short", f"{count} words, at least {min_words}")
    return text


def answered_text(row: Row, models: Models, request: str, text: str, answer: str, **more: Any) -> Row:
    """The row that asks for something about a text, with the responder's answer. `more`: further columns."""
    return row.child(
        instruction=f"{request}\n\n{text}",
        response=answer,
        response_model=models.of("responder")[0].model.name,
        system="",
        text_kind=row.get("text_kind") or "given",
        document=row.get("document") or "",
        **more,
    )
