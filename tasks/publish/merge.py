"""A run's rows among those that the dataset has already: these stay as they are and in their order, and new ones join.

A new row that follows a known one in its run (a healed row, on a retry) stands behind it here too; those of a run that
shares no row with the dataset stand at the end. What grows with the run, and not with the dataset, is the memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import polars as pl

from tasks.columns import CONSTRAINT_COLUMNS, DIALOGUE_COLUMNS, FOUND_COLUMNS
from tasks.errors import ConfigError
from tasks.publish.changes import keys_of
from tasks.publish.own_columns import cast, common, is_simple
from tasks.publish.turns import widened, wider
from tasks.storage.tables import read_stream

OPTIONAL = {
    "tools",
    "operations",
    "principles",
    *CONSTRAINT_COLUMNS,
    *DIALOGUE_COLUMNS,
    *FOUND_COLUMNS,
}  # some rows have them, others do not
Slice = tuple[int, int]  # of the run's rows: the first, and the one after the last


@dataclass(slots=True)
class Places:
    """Where new rows of a run go: before or behind rows of the dataset (by key), or at its end."""

    before: dict[int, Slice] = field(default_factory=dict)
    behind: dict[int, Slice] = field(default_factory=dict)
    at_end: list[Slice] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many there are."""
        return sum(stop - start for start, stop in (*self.before.values(), *self.behind.values(), *self.at_end))


def places_of(earlier: Sequence[Path], own: Sequence[Path]) -> Places:
    """Where the rows of a run (`own`) go among those of the dataset (`earlier`), of which it may hold some itself."""
    keys = [key for frame in read_stream(*own) for key in keys_of(frame)]
    wanted = pl.Series(keys, dtype=pl.UInt64).implode()
    theirs = (keys_of(frame) for frame in read_stream(*earlier))
    known = {key for some in theirs for key in some.filter(some.is_in(wanted))}
    places = Places()
    shared = [at for at, key in enumerate(keys) if key in known]
    if not shared:
        places.at_end = [(0, len(keys))]
        return places
    if shared[0] > 0:
        places.before[keys[shared[0]]] = (0, shared[0])
    for at, following in pairwise([*shared, len(keys)]):
        if following > at + 1:
            places.behind[keys[at]] = (at + 1, following)
    return places


def merged(
    earlier: Sequence[Path], own: Sequence[Path], places: Places, columns: Mapping[str, pl.DataType]
) -> Iterator[pl.DataFrame]:
    """The rows of both, in order, with the columns of both."""

    def news(slices: list[Slice]) -> Iterator[pl.DataFrame]:
        for start, stop in slices:
            if stop > start:
                yield _aligned(pl.scan_parquet(list(own)).slice(start, stop - start).collect(), columns)

    for frame in read_stream(*earlier):
        done = 0
        for at, key in enumerate(keys_of(frame) if places.before or places.behind else ()):
            around = [table.pop(key, None) for table in (places.before, places.behind)]
            for slice_, end in zip(around, (at, at + 1), strict=True):
                if slice_ is not None:
                    yield _aligned(frame[done:end], columns)
                    yield from news([slice_])
                    done = end
        yield _aligned(frame[done:], columns)
    if places.at_end:
        yield from (_aligned(frame, columns) for frame in read_stream(*own))


def columns_of_both(earlier: Path, own: Path) -> dict[str, pl.DataType]:
    """The columns of both files: those of the dataset first. One may lack some that the other has, where all is null, and
    so may the turns of its conversations. Raises ConfigError where they do not go together."""
    return _columns(pl.read_parquet_schema(earlier), pl.read_parquet_schema(own))


def _columns(earlier: Mapping[str, pl.DataType], own: Mapping[str, pl.DataType]) -> dict[str, pl.DataType]:
    one_way = set(earlier) <= set(own) | OPTIONAL or set(own) <= set(earlier) | OPTIONAL
    columns = {**own, **earlier}
    for name in set(earlier) & set(own):
        kind = earlier[name] if earlier[name] == own[name] else _wider(earlier[name], own[name])
        if kind is None or not one_way:
            one_way = False
        else:
            columns[name] = kind
    if not one_way:
        raise ConfigError(
            "the dataset has other columns than the rows that this run adds",
            f"{', '.join(earlier)}; not {', '.join(own)}",
            "give the same `format`, or another --out",
        )
    return {name: columns[name] for name in [*earlier, *own]}


def _wider(one: pl.DataType, other: pl.DataType) -> pl.DataType | None:
    """The type with room for both: of conversations, or of columns of the user's own."""
    return common(one, other) if is_simple(one) and is_simple(other) else wider(one, other)


def _aligned(frame: pl.DataFrame, columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
    return frame.select(_as(frame, name, dtype) for name, dtype in columns.items())


def _as(frame: pl.DataFrame, name: str, dtype: pl.DataType) -> pl.Expr:
    if name not in frame.columns:
        return pl.lit(None, dtype).alias(name)
    has = frame.schema[name]
    if has == dtype:
        return pl.col(name)
    return cast(name, has, dtype) if is_simple(dtype) else widened(name, dtype.inner, has)  # type: ignore[attr-defined]
