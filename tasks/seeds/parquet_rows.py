"""Rows of Parquet files and of arrow tables, as plain records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.errors import ConfigError
from tasks.seeds.readers import Placed, Reader, bytes_of, short_error

ARROW_ROWS = 1000  # rows decoded at a time


def parquet_reader(path: Path, name: str) -> Reader:
    """A reader for a Parquet file."""
    with _parquet(path, name) as file:
        schema = file.schema_arrow

    def records(start: int, columns: Sequence[str] | None) -> Placed:
        with _parquet(path, name) as file:
            row, groups = 0, list(range(file.num_row_groups))
            while groups and row + file.metadata.row_group(groups[0]).num_rows <= start:
                row += file.metadata.row_group(groups.pop(0)).num_rows
            for batch in file.iter_batches(ARROW_ROWS, row_groups=groups, columns=columns or None):
                yield from arrow_rows(batch, row, start)
                row += batch.num_rows

    size = path.stat().st_size
    return Reader(name, "row", size, records, lambda: bytes_of(path, name), lambda: schema.names, schema=lambda: schema)


@contextmanager
def _parquet(path: Path, name: str) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise ConfigError("cannot read the Parquet file", f"{name}: {short_error(error)}", "write it again") from error


def arrow_rows(batch: Any, first: int, start: int) -> Placed:
    """The rows of a batch or table whose first is row `first` of the source (from 0), those before `start` left out."""
    skipped = max(0, start - first)
    rows = batch.slice(skipped).to_pylist()
    coded = {field.name: decode for field in batch.schema if (decode := decoder_of(field.type)) is not None}
    for row in rows if coded else ():
        row |= {name: decode(row[name]) for name, decode in coded.items()}
    yield from enumerate(rows, first + skipped + 1)


def decoder_of(kind: Any) -> Callable[[Any], Any] | None:
    """What turns a value into what it stands for, where somewhere in it JSON is kept as text (`arrow.json`)."""
    if isinstance(kind, pa.JsonType):
        return lambda value: None if value is None else orjson.loads(value)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inner = decoder_of(kind.value_type)
        return inner and (lambda value: None if value is None else [inner(one) for one in value])
    if pa.types.is_struct(kind):
        fields = {field.name: decode for field in kind if (decode := decoder_of(field.type)) is not None}
        return (
            (lambda value: value and value | {n: decode(value[n]) for n, decode in fields.items()}) if fields else None
        )
    return None
