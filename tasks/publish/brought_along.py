"""How often the answers of a run bring along what is no part of them: counted as its rows are published, and left in.

Filters that remove such rows work on a dataset that is there; here its maker is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import polars as pl

from tasks.text.reading.surrounding import brought_along


def counted(frames: Iterable[pl.DataFrame], counts: Counter[str]) -> Iterator[pl.DataFrame]:
    """The frames, in any format of a dataset; what their answers bring along is added to the counts."""
    for frame in frames:
        for asked, answer in _answers(frame):
            counts["answers"] += 1
            counts.update(brought_along(asked or "", answer or ""))
        yield frame


def _is_talk(frame: pl.DataFrame, column: str) -> bool:
    """Whether a column holds conversations in our form: what was curated is in its own."""
    kind = frame.schema.get(column)
    turn = kind.inner if isinstance(kind, pl.List) else None
    return isinstance(turn, pl.Struct) and turn.to_schema().get("content") == pl.String


def _answers(frame: pl.DataFrame) -> Iterator[tuple[str | None, str | None]]:
    """Each last answer of a frame's conversations, after what was asked last."""
    for column in ("messages", "completion", "chosen", "rejected"):
        if not _is_talk(frame, column) or (column == "messages" and "chosen" in frame.columns):
            continue
        turns = pl.col(column).list
        asked = turns.get(-2, null_on_oob=True)
        if _is_talk(frame, "prompt"):
            asked = pl.col("prompt").list.last()
        said = frame.select(asked.struct.field("content").alias("asked"), turns.last().struct.field("content"))
        yield from said.iter_rows()
