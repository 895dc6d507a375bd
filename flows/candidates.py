"""Where the first rows of a run come from: seeds read in a stream, blank rows where the model starts by itself, or the
very rows that an earlier run began with.

All give tables in order, and go on where the last `take` ended. The tables grow with their position, up to `shard_rows`
rows each (`tasks/engine/shard_sizes.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from tasks.engine.digest import canonical, digest
from tasks.engine.process import Settings
from tasks.engine.seed_batches import Batch, Refused, Source
from tasks.engine.seen import SeenIds
from tasks.engine.shard_sizes import shard_end, shard_sizes
from tasks.engine.tables import REJECTS, Table, sidecar, write_table
from tasks.notices import tell
from tasks.publish.settled import seen_seeds

READ_AT_ONCE = 1000


class Candidates(Protocol):
    """First rows, in order. `take` gives tables of at most `count` rows together; an empty list at the end."""

    def take(self, count: int | None) -> list[Table]:
        """The next rows."""
        ...

    def close(self) -> None:
        """Let go of what is held open."""
        ...


class SeedRows:
    """Seeds from a source, each with the digest of its mapped columns as id; a repeated one is a reject, and so is one
    that the source refuses.

    `seen`: a file with the ids of seeds that are left out as if they were not there. `most`: of those that are not.
    """

    def __init__(
        self, source: Source, settings: Settings, shard_rows: int, most: int | None, seen: Path | None = None
    ) -> None:
        self._source, self._unseen = source, None if seen is None else UnseenSeeds(source, seen, settings.home)
        self._folder, self._shard_rows = f"{settings.tables}/seeds", shard_rows
        self._left, self._read = most, 0
        self._seen = SeenIds(settings.home)
        if source.unused:
            tell(f"{source.name} holds what is not used: {source.unused}")

    def take(self, count: int | None) -> list[Table]:
        """The next `count` seeds (all that are left where None), as tables."""
        limit = min((n for n in (count, self._left) if n is not None), default=None)
        tables = []
        if limit != 0:
            for batch in self._batches(limit):
                self._read += batch.read
                tables.append(self._table(batch))
        if self._left is not None:
            self._left -= sum(table.rows_in for table in tables)
        return tables

    def close(self) -> None:
        """Forget which ids were seen."""
        self._seen.close()
        if self._unseen is not None:
            self._unseen.close()

    def _batches(self, limit: int | None) -> Iterator[Batch]:
        sizes = shard_sizes(self._read, self._shard_rows)
        if self._unseen is not None:
            return self._unseen.take(sizes, limit)
        return self._source.read(sizes, start=self._read, limit=limit)

    def _table(self, batch: Batch) -> Table:
        ids = batch.frame["row_id"].to_list()
        new = pl.Series(self._seen.new(ids), dtype=pl.Boolean)
        repeated = [
            (row["row_id"], "filtered", "duplicate_seed", "", "seeds", 0, None, _held(row))
            for row in batch.frame.filter(~new).iter_rows(named=True)
        ]
        refused = [
            (one.row_id, "filtered", one.reason, one.detail, "seeds", 0, None, one.held) for one in batch.refused
        ]
        rejects = pl.DataFrame(repeated + refused, schema=REJECTS, orient="row")
        parts = [self._source.composition, *(str(part) for one in batch.refused for part in (one.row_id, one.detail))]
        place = f"{self._folder}/{digest(*ids, *map(int, new), *batch.frame.columns, *filter(None, parts))}.parquet"
        rows_in = batch.frame.height + len(batch.refused)
        return sidecar(place) or write_table(
            place, "seeds", batch.frame.filter(new), {"rejects": rejects}, rows_in=rows_in
        )


def _held(row: Mapping[str, Any]) -> str:
    return canonical({name: value for name, value in row.items() if name != "row_id"}).decode()


class UnseenSeeds:
    """The seeds of a source without those whose ids are in a file, read in a stream."""

    def __init__(self, source: Source, seen: Path, folder: Path) -> None:
        self._seen = seen_seeds(seen, folder)
        self._batches, self._held, self._refused = source.read(READ_AT_ONCE), pl.DataFrame(), list[Refused]()

    def take(self, sizes: Iterator[int], limit: int | None) -> Iterator[Batch]:
        """The next seeds, in frames of these sizes, `limit` rows in all. Those refused go with the frame after them."""
        left = limit
        while left != 0:
            wanted = next(sizes) if left is None else min(next(sizes), left)
            while self._held.height < wanted and (batch := next(self._batches, None)) is not None:
                self._hold(batch)
            refused, self._refused = self._refused, []
            taken, self._held = self._held[:wanted], self._held[wanted:]
            if not taken.height and not refused:
                return
            left = None if left is None else left - taken.height
            yield Batch(taken, refused, taken.height + len(refused))

    def _hold(self, batch: Batch) -> None:
        known = self._seen.known(batch.frame["row_id"].to_list())
        unseen = batch.frame.filter(~pl.Series(known, dtype=pl.Boolean))
        self._held = pl.concat([self._held, unseen]) if self._held.width else unseen
        known = self._seen.known([one.row_id for one in batch.refused])
        self._refused += [one for one, told in zip(batch.refused, known, strict=True) if not told]

    def close(self) -> None:
        """Forget which ids were seen."""
        self._seen.close()


class GivenRows:
    """The tables that an earlier run began with, for a run that heals it."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self._tables = list(tables)

    def take(self, count: int | None) -> list[Table]:
        """The next tables, with `count` rows together or up to a table more."""
        taken: list[Table] = []
        while self._tables and (count is None or sum(table.rows_in for table in taken) < count):
            taken.append(self._tables.pop(0))
        return taken

    def close(self) -> None:
        """Nothing is held open."""


class BlankRows:
    """Rows with no text of their own: an id from the config and a running index, and the columns given by `fill`.

    `first`: the index to begin with, where the dataset has rows of this kind already.
    """

    def __init__(
        self, about: Any, settings: Settings, shard_rows: int, fill: Sequence[dict[str, Any]] = ({},), first: int = 0
    ) -> None:
        self._about, self._folder, self._shard_rows = canonical(about), f"{settings.tables}/blank", shard_rows
        self._fill, self._first, self._next = fill, first, first

    def take(self, count: int | None) -> list[Table]:
        """The next `count` rows, as tables."""
        end = self._next + (self._shard_rows if count is None else count)
        tables = []
        while self._next < end:
            stop = min(end, self._first + shard_end(self._next - self._first, self._shard_rows))
            tables.append(self._table(range(self._next, stop)))
            self._next = stop
        return tables

    def close(self) -> None:
        """Nothing is held open."""

    def _table(self, indices: range) -> Table:
        records = [{"row_id": digest("blank", self._about, i), **self._fill[i % len(self._fill)]} for i in indices]
        place = f"{self._folder}/{digest(canonical(records))}.parquet"
        return sidecar(place) or write_table(place, "blank", pl.DataFrame(records), {}, rows_in=len(records))
