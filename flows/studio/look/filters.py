"""A filter out of a request's URL, the rows that it leaves, and what a page needs to offer others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tasks.publish.look.near import map_of, neighbours_of
from tasks.publish.look.query import TABLE_PARTS, RowQuery
from tasks.publish.look.view import PAGE_ROWS, FoundPage, View, open_view
from tasks.publish.report.shown_rows import ShownRow, shown
from tasks.storage.row_store import RowPlaces


@dataclass(frozen=True)
class Looked:
    """A view with a filter on it. `among`: the places of a group of the map, or of rows near one; `told`: by what these are near."""

    dataset: Path
    view: View
    query: RowQuery
    among: RowPlaces | None
    told: str

    @classmethod
    def at(cls, dataset: Path, query: RowQuery) -> Looked:
        """The part of the dataset that the filter is about. Raises ConfigError."""
        view = open_view(dataset, query.table)
        if query.table == "rows" and query.near:
            near = neighbours_of(dataset, view, view.place_of(query.near))
            return cls(dataset, view, query, near.places, f"{near.compared:,} · {near.embedder}")
        if query.table == "rows" and query.group is not None:
            found = map_of(dataset, view)
            group = found.groups[query.group] if query.group < len(found.groups) else None
            places = np.asarray(group.places if group else [], np.int64)
            return cls(dataset, view, query, places, group.name if group else "")
        return cls(dataset, view, query, None, "")

    def page(self) -> FoundPage:
        """The page that is asked for."""
        return self.view.page(self.query, self.among)

    @property
    def sides(self) -> list[tuple[str, int]]:
        """The parts of the dataset, and how many rows each has."""
        return [(part, open_view(self.dataset, part).rows) for part in TABLE_PARTS]

    @property
    def kept(self) -> list[tuple[str, str]]:
        """What a form sends again, since it has no field for it: chosen values, and which rows are near."""
        kept = [(f"is.{name}", value) for name, some in self.query.values for value in some]
        kept += [("near", self.query.near)] if self.query.near else []
        return kept + ([("group", str(self.query.group))] if self.query.group is not None else [])

    def pages(self, found: FoundPage) -> tuple[RowQuery | None, RowQuery | None]:
        """The page before and the one behind."""
        page = self.query.page
        more = not found.is_whole or found.found > page * PAGE_ROWS
        return (self.query.on(page - 1) if page > 1 else None), (self.query.on(page + 1) if more else None)


def shown_rows(looked: Looked, found: FoundPage) -> list[tuple[str, Any]]:
    """Each row with its id: a `ShownRow`, or of rejects and losses the record as it is."""
    if looked.query.table != "rows":
        return [(row["row_id"], row) for row in found.rows]
    column = looked.view.id_column or ""
    return [(str(row.get(column) or ""), shown_row(row)) for row in found.rows]


def shown_row(row: dict[str, Any]) -> ShownRow:
    """A row as the report shows it."""
    return shown(row, {}, {})


def ids_left(looked: Looked) -> Sequence[str]:
    """The ids of all rows that the filter leaves, in order."""
    return looked.view.ids_of(looked.view.places(looked.query.on(1), looked.among))
