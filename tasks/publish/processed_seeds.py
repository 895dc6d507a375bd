"""Which seeds a dataset has done with: `seeds.parquet` beside it, their ids in order. The next night takes others.

A seed is done with when every row made of it was published or refused. It is not where a row of it is still pending (a
budget ended the run), nor where all that came of it was surplus: then the next night takes it again, from the ledger.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from tasks.seeds.seen import SeenIds
from tasks.storage.tables import Table, height_of, read_stream, regrouped, write_stream

IDS_AT_ONCE = 250_000
SCHEMA: dict[str, Any] = {"row_id": pl.String}
LINEAGE: dict[str, Any] = {"row_id": pl.String, "parents": pl.List(pl.String)}


def unsettled(
    seeds: Sequence[Table], steps: Sequence[Table], last: Sequence[Table], surplus: Collection[str]
) -> set[str]:
    """The ids of seeds that are not done with. `steps`: all tables of the run; `last`: those that are published.

    Holds the ids of the run in memory: ask only where there is a surplus, or something may be pending.
    """
    lines = _beside(steps, "provenance", LINEAGE).explode("parents").unique()
    lines = lines.filter(pl.col("row_id").ne_missing(pl.col("parents")))  # what a filter has asked about a row
    roots = _ids(seeds)
    refused = _beside(steps, "rejects", SCHEMA)["row_id"]
    ends = _ids(last)
    pending = _minus(pl.concat([roots, lines["row_id"]]), pl.concat([lines["parents"], refused, ends]))
    left_over = pl.Series(list(surplus), dtype=pl.String)
    published = _minus(ends, left_over)
    return _roots(pending, lines) | (_roots(left_over, lines) - _roots(published, lines))


def write_seeds(path: Path, seeds: Sequence[Table], without: Collection[str], earlier: Path | None) -> None:
    """Write the ids of the seeds, of those refused too, and those that the dataset has `earlier`, sorted.

    Memory is that of `IDS_AT_ONCE` ids: they are laid out by their first digits in files beside `path`, and sorted there.
    """
    left_out = pl.Series(list(without), dtype=pl.String)
    mine = (_minus(ids, left_out) for table in seeds for ids in _met(table))
    before = (frame["row_id"] for frame in read_stream(earlier)) if earlier else ()
    rows = sum(table.rows_in or table.rows for table in seeds) + (height_of(earlier) if earlier else 0)
    with TemporaryDirectory(dir=path.parent) as folder:
        _lay_out(chain(before, mine), _digits(rows), Path(folder))
        write_stream(path, chain([pl.DataFrame(schema=SCHEMA)], _sorted_parts(Path(folder))))


def _met(table: Table) -> Iterator[pl.Series]:
    """The ids of a table of seeds: of its rows, and of those that were refused."""
    yield table.read(["row_id"])["row_id"]
    if (refused := table.read_beside("rejects")) is not None:
        yield refused["row_id"]


def _digits(rows: int) -> int:
    """By how many first digits so many ids are parted into few enough."""
    digits = 0
    while rows > IDS_AT_ONCE * 16**digits:
        digits += 1
    return digits


def _lay_out(ids: Iterable[pl.Series], digits: int, folder: Path) -> None:
    for frame in regrouped((some.to_frame("row_id") for some in ids), IDS_AT_ONCE):
        begun = frame.with_columns(start=pl.col("row_id").str.head(digits))
        for (start,), part in begun.partition_by("start", as_dict=True).items():
            with (folder / f"ids-{start}").open("a") as file:
                file.writelines(f"{row_id}\n" for row_id in part["row_id"])


def _sorted_parts(folder: Path) -> Iterator[pl.DataFrame]:
    for file in sorted(folder.iterdir()):
        yield pl.DataFrame({"row_id": file.read_text(encoding="utf-8").split()}, schema=SCHEMA).unique().sort("row_id")
        file.unlink()


def seen_seeds(path: Path | None, folder: Path) -> SeenIds:
    """The ids of the seeds that a dataset has done with, as a set on disk in `folder`; close it."""
    seen = SeenIds(folder)
    for frame in read_stream(path) if path is not None and path.exists() else ():
        seen.new(frame["row_id"].to_list())
    return seen


def _roots(ids: pl.Series, lines: pl.DataFrame) -> set[str]:
    """The seeds that these rows come from; a row that is nobody's child is one itself."""
    roots: set[str] = set()
    seen: set[str] = set()
    while len(ids):
        up = pl.DataFrame({"row_id": ids}).unique().join(lines, on="row_id", how="left")
        roots.update(up.filter(pl.col("parents").is_null())["row_id"])
        seen.update(ids)
        ids = pl.Series(list(set(up["parents"].drop_nulls()) - seen), dtype=pl.String)
    return roots


def _minus(ids: pl.Series, others: pl.Series) -> pl.Series:
    return ids.filter(~ids.is_in(others.implode()))


def _ids(tables: Sequence[Table]) -> pl.Series:
    return pl.concat([pl.DataFrame(schema=SCHEMA), *(table.read(["row_id"]) for table in tables)])["row_id"]


def _beside(tables: Sequence[Table], name: str, schema: dict[str, Any]) -> pl.DataFrame:
    frames = (frame.select(list(schema)) for table in tables if (frame := table.read_beside(name)) is not None)
    return pl.concat(chain([pl.DataFrame(schema=schema)], frames))
