"""How the rows that a report shows came about: the requests behind each and behind what it was made of, the first ones first."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

MOST_LINES = 40
"""Of one row."""
SHOWN_COLUMNS = (
    "row_id",
    "parents",
    "technique",
    "role",
    "template",
    "model",
    "attempts",
    "prompt_tokens",
    "completion_tokens",
)


@dataclass(frozen=True)
class History:
    """How a row came about. `ids`: of its ancestors, the first ones first, and of itself; `lines`: of provenance."""

    ids: list[str] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)


def histories_of(provenance: Path, row_ids: Collection[str]) -> dict[str, History]:
    """The history of each of these rows. The file is read once a generation."""
    if not provenance.exists() or not row_ids:
        return {}
    lines = pl.scan_parquet(provenance).select(SHOWN_COLUMNS)
    known: dict[str, list[dict[str, Any]]] = {}
    wanted = set(row_ids)
    while wanted:
        found = lines.filter(pl.col("row_id").is_in(sorted(wanted))).collect(engine="streaming")
        for line in found.sort(SHOWN_COLUMNS[2:6], maintain_order=True).iter_rows(named=True):
            known.setdefault(line["row_id"], []).append(line)
        wanted = {parent for parent in _parents(found) if parent not in known} - wanted
    return {row_id: _told(row_id, known) for row_id in row_ids}


def _parents(lines: pl.DataFrame) -> list[str]:
    return lines["parents"].explode(empty_as_null=False).drop_nulls().unique().sort().to_list()


def _told(row_id: str, known: Mapping[str, Sequence[dict[str, Any]]]) -> History:
    """A row behind its ancestors."""
    order: list[str] = []
    new = [row_id]
    while new:
        order = [*new, *order]
        parents = [parent for one in new for line in known.get(one, ()) for parent in line["parents"] or ()]
        new = [parent for parent in dict.fromkeys(parents) if parent not in order]
    return History(order, [line for one in order for line in known.get(one, ())][-MOST_LINES:])
