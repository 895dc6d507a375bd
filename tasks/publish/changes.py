"""What changed between two versions of a dataset: rows added, rows changed, rows gone.

A row is known by its `row_id` (`prompt_id` in the format `binarized`), and where a format has neither, by what it says:
of such rows none is ever "changed". Memory is that of a million rows, whatever the size of the files.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

import polars as pl
from pydantic import BaseModel

from tasks.storage.tables import height_of, read_stream, write_stream

IDS = ("row_id", "prompt_id")
ROWS_AT_ONCE = 1_000_000


class Changes(BaseModel, frozen=True):
    """Counts of rows. All are 0 where the same rows stand in another order."""

    added: int = 0
    changed: int = 0
    gone: int = 0


def id_column(columns: Collection[str]) -> str | None:
    """The one of these columns that has the ids of a dataset's rows; None where a format has none."""
    return next((name for name in IDS if name in columns), None)


def keys_of(frame: pl.DataFrame) -> pl.Series:
    """What each row is known by, as 64 bits: its id, else all that it says."""
    known = id_column(frame.columns)
    return contents_of(frame) if known is None else frame[known].hash()


def contents_of(frame: pl.DataFrame) -> pl.Series:
    """All that each row says, as 64 bits."""
    return frame.select(pl.struct(sorted(frame.columns)).hash()).to_series()


def changes_between(before: Sequence[Path] | None, after: Sequence[Path], scratch: Path) -> Changes | None:
    """What changed from some Parquet files to others; None where they hold the same rows in the same order.

    A file that is not there holds no rows. Writes 16 bytes a row to `scratch`, and deletes them.
    """
    if before is None:
        return Changes(added=height_of(*after))
    files = [scratch / "before.keys", scratch / "after.keys"]
    try:
        for paths, file in zip((before, after), files, strict=True):
            keys = (pl.DataFrame({"key": keys_of(one), "content": contents_of(one)}) for one in _frames(paths))
            write_stream(file, keys)
        if all(_equal(*pair) for pair in zip_longest(*(_frames([file]) for file in files))):
            return None
        return _counted(*files)
    finally:
        for file in files:
            file.unlink(missing_ok=True)


def _frames(paths: Sequence[Path]) -> Iterator[pl.DataFrame]:
    return read_stream(*(path for path in paths if path.exists()))


def _equal(before: pl.DataFrame | None, after: pl.DataFrame | None) -> bool:
    return before is not None and after is not None and before.equals(after)


def _counted(before: Path, after: Path) -> Changes:
    """Join the two, a share of the keys at a time; a key may stand more than once."""
    sides = [pl.scan_parquet(file) if file.exists() else None for file in (before, after)]
    rows = max(side.select(pl.len()).collect().item() for side in sides if side is not None)
    shares = rows // ROWS_AT_ONCE + 1
    total = pl.Series([0, 0, 0])
    for share in range(shares):
        old, new = (_share(side, shares, share) for side in sides)
        both = old.join(new, on="key", how="full", coalesce=True, suffix="_new").with_columns(
            pl.col("count", "count_new").fill_null(0).cast(pl.Int64)
        )
        more = pl.col("count_new") - pl.col("count")
        stayed = (pl.col("count") > 0) & (pl.col("count_new") > 0)
        counts = both.select(
            more.clip(lower_bound=0).sum().alias("added"),
            (stayed & (pl.col("content") != pl.col("content_new"))).sum().cast(pl.Int64).alias("changed"),
            (-more).clip(lower_bound=0).sum().alias("gone"),
        )
        total += pl.Series(counts.row(0))
    return Changes(added=total[0], changed=total[1], gone=total[2])


def _share(side: pl.LazyFrame | None, shares: int, share: int) -> pl.DataFrame:
    if side is None:
        return pl.DataFrame(schema={"key": pl.UInt64, "content": pl.UInt64, "count": pl.UInt32})
    mine = side.filter(pl.col("key") % shares == share)
    return mine.group_by("key").agg(pl.col("content").first(), pl.len().alias("count")).collect()
