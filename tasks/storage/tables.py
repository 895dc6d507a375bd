"""Tables: Parquet files with a sidecar, on disk or any URL, and the small reference that tasks pass in their place.

Beside `<key>.parquet` lie `<key>.rejects.parquet`, `.losses.parquet` and `.provenance.parquet` where there are any, and
`<key>.json`, the sidecar, written last: a table without it was never finished. Writes are atomic and, for equal rows,
byte-identical. A table lies in a place: a path, or a URL that fsspec opens. PyArrow is imported where it is needed: a
mistake in a command is told sooner.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import BaseModel

from tasks.columns import SOURCE_COLUMNS
from tasks.storage import places
from tasks.storage.digest import digest
from tasks.storage.files import atomically
from tasks.storage.shard_sizes import shard_end

ROW_GROUP = 10_000
REJECTS: dict[str, Any] = {
    "row_id": pl.String,
    "kind": pl.String,
    "reason": pl.String,
    "detail": pl.String,
    "technique": pl.String,
    "attempts": pl.Int32,
    "raw": pl.String,
    "input": pl.String,
}
PROVENANCE: dict[str, Any] = {
    "row_id": pl.String,
    "parents": pl.List(pl.String),
    "technique": pl.String,
    "role": pl.String,
    "template": pl.String,
    "sample": pl.Int32,
    "prompt_digest": pl.String,
    "model": pl.String,
    "sampling": pl.String,
    "seed": pl.Int64,
    "attempts": pl.Int32,
    "prompt_tokens": pl.Int32,
    "completion_tokens": pl.Int32,
    "reasoning": pl.String,
    SOURCE_COLUMNS: pl.String,
}

BESIDE = ("rejects", "losses", "provenance")


class Table(BaseModel, frozen=True):
    """A reference to a table: all that a task passes on. Counts are in rows; `pending` went in and were not finished."""

    path: str
    fingerprint: str
    rows: int
    technique: str
    rows_in: int = 0
    failed: int = 0
    pending: int = 0
    rejects: dict[str, int] = {}
    losses: dict[str, int] = {}
    token: str = ""

    def read(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The rows."""
        return _frame(self.path, list(columns) if columns else None)

    def beside(self, name: str) -> str:
        """Where the rejects, losses or provenance lie. The file need not exist."""
        return _beside(self.path, f"{name}.parquet")

    def split(self, most: int) -> list[Table]:
        """The same rows as shards of at most `most` rows each, in order; at least one, which may be empty."""
        frame, parts, start = self.read(), list[Table](), 0
        while start < frame.height or not parts:
            end = shard_end(start, most)
            place = _beside(self.path, f"{start}.parquet", "-")
            parts.append(write_table(place, self.technique, frame[start:end], {}))
            start = end
        return parts

    def read_beside(self, name: str) -> pl.DataFrame | None:
        """The rejects, losses or provenance, None where there are none."""
        place = self.beside(name)
        return _frame(place) if places.is_there(place) else None


def write_table(
    path: Path | str,
    technique: str,
    rows: pl.DataFrame,
    beside: dict[str, pl.DataFrame],
    *,
    rows_in: int = 0,
    pending: int = 0,
    token: str = "",
) -> Table:
    """Write a table and what lies beside it, the sidecar last."""
    path = str(path)
    for name in BESIDE:
        frame, place = beside.get(name), _beside(path, f"{name}.parquet")
        if frame is not None and frame.height:
            places.write(place, encoded(frame))
        else:
            places.remove(place)
    data = encoded(rows)
    places.write(path, data)
    rejects = beside.get("rejects")
    table = Table(
        path=path,
        fingerprint=digest(data),
        rows=rows.height,
        technique=technique,
        rows_in=rows_in,
        pending=pending,
        failed=0 if rejects is None else rejects.filter(pl.col("kind") == "failed").height,
        rejects=_by_reason(rejects),
        losses=_by_reason(beside.get("losses")),
        token=token,
    )
    places.write(_beside(path, "json"), table.model_dump_json().encode())
    return table


def sidecar(path: Path | str) -> Table | None:
    """The finished table in this place, None where there is none (or its file is gone)."""
    path = str(path)
    try:
        table = Table.model_validate_json(places.read(_beside(path, "json")))
    except FileNotFoundError:
        return None
    return table.model_copy(update={"path": path}) if places.is_there(path) else None


def part_files(path: str) -> list[str]:
    """The files of a finished table that are there, the sidecar last."""
    beside = [place for name in BESIDE if places.is_there(place := _beside(path, f"{name}.parquet"))]
    return [path, *beside, _beside(path, "json")]


def _beside(path: str, ending: str, separator: str = ".") -> str:
    return f"{path.removesuffix('.parquet')}{separator}{ending}"


def _frame(place: str, columns: list[str] | None = None) -> pl.DataFrame:
    return pl.read_parquet(io.BytesIO(places.read(place)) if places.is_url(place) else place, columns=columns)


def encoded(frame: pl.DataFrame) -> bytes:
    """The bytes of a Parquet file: the same for equal frames, however they were put together."""
    buffer = io.BytesIO()
    frame.rechunk().write_parquet(buffer, row_group_size=ROW_GROUP, statistics=True)
    return buffer.getvalue()


def with_all_of(frame: pl.DataFrame, schema: dict[str, Any]) -> pl.DataFrame:
    """The frame with the columns of a schema, null where an earlier version did not write one."""
    if frame.columns == list(schema):
        return frame
    return frame.select(
        name if name in frame.columns else pl.lit(None, kind).alias(name) for name, kind in schema.items()
    )


def column_of(name: str, values: Sequence[Any], dtype: Any) -> pl.Series:
    """A column of Python values; its type is inferred where `dtype` is None. Raises TypeError for a value of another."""
    if dtype is not None and pl.Series(name, [], dtype=dtype).dtype.is_nested():
        import pyarrow as pa

        arrow = pl.Series(name, [], dtype=dtype).to_arrow().type
        return pl.Series(name, pa.array(values, type=arrow), dtype=dtype)  # ten times faster than from Python objects
    return pl.Series(name, values, dtype=dtype, strict=True)


def write_stream(path: Path, frames: Iterable[pl.DataFrame]) -> int:
    """Write frames of one schema into one Parquet file, a row group at a time; the number of rows.

    Where there are no frames there is no file afterwards. Memory is that of a row group, whatever the number of frames.
    """
    import pyarrow.parquet as pq

    rows, writer = 0, None
    with atomically(path) as temporary:
        try:
            for group in regrouped(frames, ROW_GROUP):
                data = group.to_arrow(compat_level=pl.CompatLevel.oldest())
                writer = writer or pq.ParquetWriter(temporary, data.schema, compression="zstd")
                writer.write_table(data, row_group_size=ROW_GROUP)
                rows += group.height
        finally:
            if writer is not None:
                writer.close()
        if writer is None:
            path.unlink(missing_ok=True)
    return rows


def read_stream(*paths: Path) -> Iterator[pl.DataFrame]:
    """The rows of Parquet files in frames of at most ROW_GROUP rows, one without rows for a file that holds none.

    Memory is that of one of them.
    """
    for path in paths:
        yield from _frames_of(path)


def _frames_of(path: Path) -> Iterator[pl.DataFrame]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, pre_buffer=False) as file:  # else it fetches all row groups ahead
        if not file.metadata.num_rows:
            yield pl.DataFrame(schema=pl.read_parquet_schema(path))  # PyArrow would import pandas for an empty table
            return
        for batch in file.iter_batches(ROW_GROUP):
            yield pl.DataFrame(batch)


def height_of(*paths: Path) -> int:
    """How many rows Parquet files hold; one that is not there holds none."""
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(path).num_rows for path in paths if path.exists())


def regrouped(frames: Iterable[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """The same rows in frames of so many each, the last of fewer: they tell nothing of how they were sharded."""
    held: list[pl.DataFrame] = []
    height = 0
    for frame in frames:
        held.append(frame)
        height += frame.height
        while height >= rows:
            joined = pl.concat(held)
            yield joined[:rows]
            held, height = [joined[rows:]], height - rows
    if height or held:
        yield pl.concat(held)


def _by_reason(frame: pl.DataFrame | None) -> dict[str, int]:
    return {} if frame is None else dict(sorted(Counter(frame["reason"].to_list()).items()))
