"""Where the first rows of a run come from: seeds read in a stream, or blank rows where the model starts by itself.

Both give tables of at most `shard_rows` rows, in order, and go on where the last `take` ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from tasks.engine.digest import canonical, digest
from tasks.engine.row import seed_row_id
from tasks.engine.seen import SeenIds
from tasks.engine.sources import Source
from tasks.engine.tables import REJECTS, Table, sidecar, write_table


class Candidates(Protocol):
    """First rows, in order. `take` gives tables of at most `count` rows together; an empty list at the end."""

    def take(self, count: int | None) -> list[Table]:
        """The next rows."""
        ...

    def close(self) -> None:
        """Let go of what is held open."""
        ...


class SeedRows:
    """Seeds from a source, each with the digest of its mapped columns as id; a repeated one is a reject."""

    def __init__(self, source: Source, home: Path, shard_rows: int, most: int | None) -> None:
        self._source, self._folder, self._shard_rows = source, home / "tables" / "seeds", shard_rows
        self._left, self._read = most, 0
        self._folder.mkdir(parents=True, exist_ok=True)
        self._seen = SeenIds(self._folder)

    def take(self, count: int | None) -> list[Table]:
        """The next `count` seeds (all that are left where None), as tables."""
        limit = min((n for n in (count, self._left) if n is not None), default=None)
        tables = []
        if limit != 0:
            for frame in self._source.batches(self._shard_rows, start=self._read, limit=limit):
                self._read += frame.height
                tables.append(self._table(frame))
        if self._left is not None:
            self._left -= sum(table.rows_in for table in tables)
        return tables

    def close(self) -> None:
        """Forget which ids were seen."""
        self._seen.close()

    def _table(self, frame: pl.DataFrame) -> Table:
        rows = list(frame.iter_rows(named=True))
        ids = [seed_row_id({name: value for name, value in row.items() if value is not None}) for row in rows]
        new = pl.Series(self._seen.new(ids), dtype=pl.Boolean)
        frame = frame.select(pl.Series("row_id", ids, dtype=pl.String), *frame.columns)
        repeated = [
            (row_id, "filtered", "duplicate_seed", "", "seeds", 0, None, canonical(row).decode())
            for row_id, row, fresh in zip(ids, rows, new, strict=True)
            if not fresh
        ]
        rejects = pl.DataFrame(repeated, schema=REJECTS, orient="row")
        path = self._folder / f"{digest(*ids, *map(int, new), *frame.columns)}.parquet"
        return sidecar(path) or write_table(
            path, "seeds", frame.filter(new), {"rejects": rejects}, rows_in=frame.height
        )


class BlankRows:
    """Rows with no text of their own: an id from the config and a running index, and the columns given by `fill`."""

    def __init__(self, about: Any, home: Path, shard_rows: int, fill: Sequence[dict[str, Any]] = ({},)) -> None:
        self._about, self._folder, self._shard_rows = canonical(about), home / "tables" / "blank", shard_rows
        self._fill, self._next = fill, 0

    def take(self, count: int | None) -> list[Table]:
        """The next `count` rows, as tables."""
        end = self._next + (self._shard_rows if count is None else count)
        tables = []
        while self._next < end:
            stop = min(end, self._next + self._shard_rows)
            tables.append(self._table(range(self._next, stop)))
            self._next = stop
        return tables

    def close(self) -> None:
        """Nothing is held open."""

    def _table(self, indices: range) -> Table:
        records = [{"row_id": digest("blank", self._about, i), **self._fill[i % len(self._fill)]} for i in indices]
        path = self._folder / f"{digest(canonical(records))}.parquet"
        return sidecar(path) or write_table(path, "blank", pl.DataFrame(records), {}, rows_in=len(records))
