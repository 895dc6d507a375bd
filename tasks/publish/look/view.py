"""One part of a dataset to look through: its rows, or its rejects or losses, by any filter, in any order, 50 at a time.

    view = open_view(Path("datasets/demo-sft"), "rows")
    view.page(query_of("min.score=4&sort=-score"))
    view.facets(query_of("min.score=4"))

The first look at a revision writes its rows once more, as an Arrow file below `STILLROOM_HOME/look`; what has one value a row is
held in memory (`fingerprint`: of which files), so that filters, orders and counts of a million rows take a part of a second. Texts stay on the disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tasks.errors import ConfigError, did_you_mean
from tasks.publish.changes import id_column
from tasks.publish.export import published_at
from tasks.publish.look.derived import PLACE, SAID, with_derived, with_said
from tasks.publish.look.query import RowQuery, TablePart
from tasks.publish.revisions import all_data_files
from tasks.storage.digest import digest
from tasks.storage.home import home
from tasks.storage.row_store import RowPlaces, RowStore, stored_rows

PAGE_ROWS = 50
MOST_VALUES_OF_FACET = 60
"""Different values of a column that is shown as a facet; of one with more, text search finds them."""
NO_VALUE = ""
KEPT_VIEWS, KEPT_FILTERS = 6, 32
HIDDEN = frozenset({PLACE, SAID})
Mask = NDArray[np.bool_]


class FoundPage(NamedTuple):
    """A page of rows. `found`: how many rows there are in all; `is_whole`: False where these are only those found so far.

    `places`: where each of the rows stands in the dataset, from 0 on.
    """

    rows: list[dict[str, Any]]
    places: list[int]
    found: int
    is_whole: bool


class Facet(NamedTuple):
    """A column with few values, and how many rows of the filter have each: the most frequent first."""

    column: str
    values: list[tuple[str, int]]


class NumberColumn(NamedTuple):
    """A column of numbers: the least and the greatest of all rows."""

    column: str
    least: float
    greatest: float


@dataclass(frozen=True, eq=False)
class View:
    """Rows that can be looked through. `scalars`: the columns with one value a row, in memory; `derived`: those that the dataset does not have itself."""

    store: RowStore
    scalars: pl.DataFrame
    facet_columns: tuple[str, ...]
    number_columns: tuple[NumberColumn, ...]
    id_column: str | None
    fingerprint: str
    derived: frozenset[str]

    @property
    def rows(self) -> int:
        """How many there are."""
        return self.store.height

    @property
    def sortable(self) -> list[str]:
        """The columns that rows can be put in the order of."""
        return [*(one.column for one in self.number_columns), *self.facet_columns]

    def page(self, query: RowQuery, among: RowPlaces | None = None) -> FoundPage:
        """A page of the rows that a filter leaves. `among`: of these places alone, in this order where none is asked for.

        Raises ConfigError for a column that there is not.
        """
        last = query.page * PAGE_ROWS
        places, is_whole = self._first(query, last + 1, among)
        some = [int(place) for place in places[last - PAGE_ROWS : last]]
        return FoundPage(self.store.take(some, HIDDEN), some, len(places), is_whole)

    def places(self, query: RowQuery, among: RowPlaces | None = None) -> RowPlaces:
        """The places of all rows that a filter leaves, in order."""
        return self._first(query, None, among)[0]

    def facets(self, query: RowQuery, among: RowPlaces | None = None) -> list[Facet]:
        """How many rows have which value, of those that the rest of the filter leaves: a column's own choice does not count."""
        return [self._facet(column, query, among) for column in self.facet_columns]

    def place_of(self, row_id: str) -> int:
        """Where the row stands whose id this is, or begins so. Raises ConfigError where there is none, or several."""
        if self.id_column is not None and row_id:
            found = self.scalars[self.id_column].str.starts_with(row_id).arg_true()
            if len(found) == 1:
                return int(found[0])
            exact = (self.scalars[self.id_column] == row_id).arg_true()
            if len(exact):
                return int(exact[0])
            if len(found):
                raise ConfigError("several rows begin so", row_id, "give more of the row_id")
        raise ConfigError("no such row in the dataset", row_id, "take a row_id of its rows")

    def records(self, row_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Those of these rows that there are, by id, as the dataset has them. Raises ConfigError where the rows have no ids."""
        ids = self.ids
        wanted = pl.Series(list(row_ids), dtype=pl.String)
        is_wanted = ids == wanted[0] if len(wanted) == 1 else ids.is_in(wanted.implode())
        places = is_wanted.arg_true().to_list()
        rows = self.store.take(places, HIDDEN | self.derived)
        return dict(zip(ids.gather(places).to_list(), rows, strict=True))

    @property
    def ids(self) -> pl.Series:
        """The ids of all rows. Raises ConfigError where they have none."""
        if self.id_column is None:
            raise ConfigError("the rows have no ids", ", ".join(self.scalars.columns), "publish them with row_id")
        return self.scalars[self.id_column]

    def ids_of(self, places: Sequence[int] | RowPlaces) -> list[str]:
        """The ids of the rows in these places. Raises ConfigError where the rows have none."""
        return self.ids.gather(np.asarray(places, np.int64)).to_list()

    def _first(self, query: RowQuery, most: int | None, among: RowPlaces | None) -> tuple[RowPlaces, bool]:
        """Places in order, of those that hold a text the first ones alone, and whether these are all."""
        query = replace(query, page=1)
        if not query.text:
            return _ordered(self, query, among), True
        if among is None:
            return _search_of_all(self, query).first(most)
        return TextSearch(self, query.text, _ordered(self, replace(query, text=""), among)).first(most)

    def _facet(self, column: str, query: RowQuery, among: RowPlaces | None) -> Facet:
        others = query.without(column)
        places = self.places(replace(others, sort="", descending=False), among)
        counted = self.scalars[column].gather(places).value_counts(sort=True)
        values = [(_shown_value(value), int(count)) for value, count in counted.iter_rows()]
        there = {value for value, _ in values}
        values += [(value, 0) for value in dict(query.values).get(column, ()) if value not in there]
        return Facet(column, sorted(values, key=lambda one: (-one[1], one[0])))


def open_view(dataset: Path, part: TablePart = "rows") -> View:
    """A part of a dataset's newest revision. The first time it takes a while (30 s for a million rows), then none.

    Raises ConfigError where there is no dataset.
    """
    folder, line = published_at(dataset)
    told = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in _files(folder, part)]
    return _opened_view(dataset.resolve(), folder, part, digest(line.revision, repr(told)))


@lru_cache(KEPT_VIEWS)
def _opened_view(dataset: Path, folder: Path, part: TablePart, fingerprint: str) -> View:
    def rows() -> pl.LazyFrame:
        found = pl.scan_parquet(_files(folder, part))
        return with_derived(found, folder / "provenance.parquet") if part == "rows" else with_said(found)

    store = stored_rows(look_folder(dataset) / f"{part}.arrow", fingerprint, rows)
    own = pl.read_parquet_schema(next(iter(_files(folder, part))))
    return _view(store, fingerprint, frozenset(store.columns) - frozenset(own))


def _files(folder: Path, part: TablePart) -> list[Path]:
    return all_data_files(folder) if part == "rows" else [folder / f"{part}.parquet"]


def look_folder(dataset: Path) -> Path:
    """Where what is worked out about a dataset lies: it can be removed at any time, and is made again."""
    return home() / "look" / digest(str(dataset.resolve()))


def _view(store: RowStore, fingerprint: str, derived: frozenset[str]) -> View:
    kinds = {name: kind for name, kind in store.columns.items() if name not in HIDDEN}
    ids = id_column(kinds)
    numbers = [name for name, kind in kinds.items() if kind.is_numeric()]
    texts = [name for name, kind in kinds.items() if kind == pl.String and name != ids]
    counts = store.read([pl.col(name).approx_n_unique() for name in texts]).row(0) if texts else ()
    facets = [name for name, count in zip(texts, counts, strict=True) if 1 <= count <= MOST_VALUES_OF_FACET]
    facets = [name for name in kinds if name in facets or kinds[name] == pl.Boolean]
    held = store.read(
        [
            *([ids] if ids else []),
            *numbers,
            *(pl.col(name).cast(pl.String).cast(pl.Categorical) for name in facets),
        ]
    )
    ends = {name: (held[name].min(), held[name].max()) for name in numbers}
    ranges = [
        NumberColumn(name, float(low), float(high))
        for name, (low, high) in ends.items()
        if isinstance(low, int | float) and isinstance(high, int | float)
    ]
    shown = [name for name in facets if held[name].null_count() < held.height]
    return View(store, held, tuple(shown), tuple(ranges), ids, fingerprint, derived)


def _shown_value(value: Any) -> str:
    return NO_VALUE if value is None else str(value)


def _ordered(view: View, query: RowQuery, among: RowPlaces | None) -> RowPlaces:
    if among is None:
        return _ordered_of_all(view, query)
    mask = _mask(view, replace(query, sort="", descending=False))
    left = among[mask[among]]
    if not query.sort:
        return left
    rank = np.empty(view.rows, np.int64)
    rank[_order(view, query.sort, query.descending)] = np.arange(view.rows)
    ordered: RowPlaces = left[np.argsort(rank[left], kind="stable")]
    return ordered


@lru_cache(KEPT_FILTERS)
def _ordered_of_all(view: View, query: RowQuery) -> RowPlaces:
    mask = _mask(view, replace(query, sort="", descending=False))
    if not query.sort:
        return np.flatnonzero(mask).astype(np.int64)
    order = _order(view, query.sort, query.descending)
    return order[mask[order]]


@lru_cache(KEPT_FILTERS)
def _order(view: View, column: str, descending: bool) -> RowPlaces:
    """All places by a column; rows without a value last, and of equal ones the first of the dataset first."""
    if column not in view.sortable:
        raise ConfigError("rows cannot be sorted by this", column, did_you_mean(column, view.sortable))
    values = view.scalars[column]
    if values.dtype == pl.Categorical:  # their ranks are sorted in a fifth of the time
        words = values.unique().drop_nulls()
        words = words.gather(words.cast(pl.String).arg_sort()).to_physical()
        values = values.to_physical().replace_strict(words, range(len(words)), default=None).alias(column)
    ordered = (
        values.to_frame()
        .with_row_index("_at")
        .sort(column, descending=descending, nulls_last=True, maintain_order=True)
    )
    return ordered["_at"].to_numpy().astype(np.int64)


@lru_cache(KEPT_FILTERS)
def _mask(view: View, query: RowQuery) -> Mask:
    """Which rows a filter leaves, texts aside."""
    known = {*view.facet_columns, *(one.column for one in view.number_columns)}
    wanted = [*(name for name, _ in query.values), *(name for name, _ in query.bounds)]
    if unknown := next((name for name in wanted if name not in known), None):
        raise ConfigError("rows cannot be filtered by this", unknown, did_you_mean(unknown, known))
    conditions = [*_of_values(query.values), *_of_bounds(view, query)]
    if not conditions:
        return np.ones(view.rows, bool)
    return view.scalars.select(pl.all_horizontal(conditions).fill_null(False).alias("_is"))["_is"].to_numpy()


def _of_values(values: Iterable[tuple[str, tuple[str, ...]]]) -> Iterable[pl.Expr]:
    for name, wanted in values:
        column = pl.col(name).cast(pl.String)
        is_one = column.is_in(list(wanted))
        yield is_one | column.is_null() if NO_VALUE in wanted else is_one.fill_null(False)


def _of_bounds(view: View, query: RowQuery) -> Iterable[pl.Expr]:
    numbers: Mapping[str, NumberColumn] = {one.column: one for one in view.number_columns}
    for name, bound in query.bounds:
        if name not in numbers:
            raise ConfigError("no column of numbers", name, did_you_mean(name, numbers))
        if bound.least is not None:
            yield pl.col(name) >= bound.least
        if bound.most is not None:
            yield pl.col(name) <= bound.most


class TextSearch:
    """The rows that hold a text, found as far as anyone has asked for."""

    def __init__(self, view: View, text: str, among: RowPlaces) -> None:
        self._among, self._found = among, np.zeros(0, np.int64)
        self._going = view.store.holding(text.lower(), SAID, among)
        self._is_over, self._alone = not len(among), Lock()

    def first(self, most: int | None) -> tuple[RowPlaces, bool]:
        """At least so many of them, all where None, or all that there are; and whether they are all."""
        with self._alone:
            while not self._is_over and (most is None or len(self._found) < most):
                hits, done = next(self._going)
                self._found = np.concatenate([self._found, hits])
                self._is_over = done == len(self._among)
            return self._found, self._is_over


@lru_cache(KEPT_FILTERS)
def _search_of_all(view: View, query: RowQuery) -> TextSearch:
    return TextSearch(view, query.text, _ordered(view, replace(query, text=""), None))
