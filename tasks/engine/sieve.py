"""A sieve: whether a row stays depends on the rows before it, of this run and of others (duplicates, contamination).

    class Sieve: sift(frame) -> {row_id: why it goes}

It is open for as long as a run makes rows and sees them table by table, in the order of their candidates, wave after
wave. What it keeps in mind is its own business; its memory must not grow with the dataset. A row that stays is not
changed, and has stayed for good: no later row turns it out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tasks.engine.row import Loss
from tasks.engine.technique import Params
from tasks.storage.digest import canonical, digest

if TYPE_CHECKING:
    import polars as pl

    from tasks.storage.tables import Table


class Sieve(Protocol):
    """Rows of one run in, table by table; which of them go, and why."""

    @property
    def name(self) -> str:
        """Its name, under which its rejects are reported."""
        ...

    def hold(self, frame: pl.DataFrame) -> None:
        """Rows of the dataset that the run adds to or heals, before any other: they stay whatever is found of them."""
        ...

    def sift(self, frame: pl.DataFrame) -> Mapping[str, Loss]:
        """The rows of the next table that go, by `row_id`, each with a Loss of kind `filtered`."""
        ...

    def close(self) -> None:
        """Let go of what is held open."""
        ...


class SieveParams(Params):
    """What a sieve can be told, and how it is opened."""

    def check(self) -> None:
        """Raise ConfigError for the mistakes that can be seen without opening it."""

    def open(self, home: Path) -> Sieve:
        """The sieve. What it needs on disk lies below `home` and goes with it. Raises ConfigError."""
        raise NotImplementedError


def after_sieve(sieve: Sieve, tables: Sequence[Table], folder: str) -> list[Table]:
    """The tables without the rows that the sieve takes out, in order. Those made lie below `folder`, a URL or a path."""
    return [_sifted(sieve, table, folder) for table in tables]


def _sifted(sieve: Sieve, table: Table, folder: str) -> Table:
    frame = table.read()
    return without(table, sieve.sift(frame), sieve.name, folder, frame=frame)


def without(
    table: Table, gone: Mapping[str, Loss], step: str, folder: str, *, frame: pl.DataFrame | None = None
) -> Table:
    """The table without some of its rows, which are its rejects. It lies below `folder`, under the name of the step.

    `frame`: its rows, where they have been read already.
    """
    import polars as pl

    from tasks.storage.tables import REJECTS, sidecar, write_table

    parts = [part for row_id, loss in sorted(gone.items()) for part in (row_id, loss.reason, loss.detail)]
    place = f"{folder}/{step}/{digest(table.fingerprint, *parts)}.parquet"
    if there := sidecar(place):
        return there
    frame = table.read() if frame is None else frame
    goes = frame["row_id"].is_in(list(gone))
    records = [
        (row["row_id"], loss.kind, loss.reason, loss.detail, step, loss.attempts, loss.raw, canonical(row).decode())
        for row in frame.filter(goes).iter_rows(named=True)
        for loss in [gone[row["row_id"]]]
    ]
    rejects = pl.DataFrame(records, schema=REJECTS, orient="row")
    return write_table(place, step, frame.filter(~goes), {"rejects": rejects}, rows_in=frame.height)
