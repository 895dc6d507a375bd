"""Tables on disk: Parquet files with a sidecar, and the small reference that tasks pass in their place.

Beside `<key>.parquet` lie `<key>.rejects.parquet`, `.losses.parquet` and `.provenance.parquet` where there are any, and
`<key>.json`, the sidecar, written last: a table without it was never finished. Writes are atomic and, for equal rows,
byte-identical.
"""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from tasks.engine.digest import digest
from tasks.errors import ConfigError

ROW_GROUP = 10_000
REJECTS = {
    "row_id": pl.String, "kind": pl.String, "reason": pl.String, "detail": pl.String, "technique": pl.String,
    "attempts": pl.Int32, "raw": pl.String, "input": pl.String,
}  # fmt: skip
PROVENANCE = {
    "row_id": pl.String, "parents": pl.List(pl.String), "technique": pl.String, "role": pl.String, "template": pl.String,
    "sample": pl.Int32, "prompt_digest": pl.String, "model": pl.String, "sampling": pl.String, "seed": pl.Int64,
    "attempts": pl.Int32, "prompt_tokens": pl.Int32, "completion_tokens": pl.Int32, "reasoning": pl.String,
}  # fmt: skip


class Table(BaseModel):
    """A reference to a table: all that a task passes on. Counts are in rows."""

    model_config = ConfigDict(frozen=True)

    path: str
    fingerprint: str
    rows: int
    technique: str
    failed: int = 0
    rejects: dict[str, int] = {}
    losses: dict[str, int] = {}
    token: str = ""

    def read(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The rows."""
        return pl.read_parquet(self.path, columns=list(columns) if columns else None)

    def beside(self, name: str) -> Path:
        """The file of the rejects, losses or provenance. It need not exist."""
        return Path(self.path).with_suffix(f".{name}.parquet")

    def read_beside(self, name: str) -> pl.DataFrame | None:
        """The rejects, losses or provenance, None where there are none."""
        path = self.beside(name)
        return pl.read_parquet(path) if path.exists() else None


def write_table(path: Path, technique: str, rows: pl.DataFrame, beside: dict[str, pl.DataFrame], token: str = "") -> Table:
    """Write a table and what lies beside it, the sidecar last."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for name in ("rejects", "losses", "provenance"):
        frame, file = beside.get(name), path.with_suffix(f".{name}.parquet")
        if frame is not None and frame.height:
            write_atomically(file, encoded(frame))
        else:
            file.unlink(missing_ok=True)
    data = encoded(rows)
    write_atomically(path, data)
    rejects = beside.get("rejects")
    table = Table(
        path=str(path),
        fingerprint=digest(data),
        rows=rows.height,
        technique=technique,
        failed=0 if rejects is None else rejects.filter(pl.col("kind") == "failed").height,
        rejects=_by_reason(rejects),
        losses=_by_reason(beside.get("losses")),
        token=token,
    )
    write_atomically(path.with_suffix(".json"), table.model_dump_json().encode())
    return table


def sidecar(path: Path) -> Table | None:
    """The finished table at this path, None where there is none (or its file is gone)."""
    try:
        table = Table.model_validate_json(path.with_suffix(".json").read_bytes())
    except FileNotFoundError:
        return None
    return table if path.exists() else None


def encoded(frame: pl.DataFrame) -> bytes:
    """The bytes of a Parquet file: the same for equal frames, however they were put together."""
    buffer = io.BytesIO()
    frame.rechunk().write_parquet(buffer, row_group_size=ROW_GROUP, statistics=True)
    return buffer.getvalue()


def write_atomically(path: Path, data: bytes) -> None:
    """Write to a temporary name, then rename. Raises ConfigError where the disk is full or closed to us."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        _forget(temporary)
        raise ConfigError("cannot write", f"{path}: {error.strerror}", "free some space or choose another folder") from error


def _forget(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:  # the first error is the one to report
        pass


def concatenated(paths: Sequence[Path], out: Path) -> int:
    """Join Parquet files of one schema into one, a row group at a time; the number of rows."""
    temporary = out.with_name(f".{out.name}.{os.getpid()}")
    rows = 0
    with pq.ParquetWriter(temporary, pq.read_schema(paths[0]), compression="zstd") as writer:
        for batch in batches(paths):
            writer.write_batch(batch)
            rows += batch.num_rows
    temporary.replace(out)
    return rows


def batches(paths: Sequence[Path]) -> Iterator["pq.RecordBatch"]:
    """The rows of Parquet files, in order, at most ROW_GROUP at a time."""
    for path in paths:
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(ROW_GROUP)


def _by_reason(frame: pl.DataFrame | None) -> dict[str, int]:
    return {} if frame is None else dict(sorted(Counter(frame["reason"].to_list()).items()))
