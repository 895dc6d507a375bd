"""The batches under way of a ledger that is repaired: they go on in the new file, so that nobody pays for them again."""

from __future__ import annotations

import mmap
import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from tasks.ledger.batches import records
from tasks.ledger.salvage import log_path
from tasks.storage.files import link_file

Noted = dict[str, Any]


@dataclass(slots=True)
class CarriedBatches:
    """What is written down of batches and of the requests in them, by column. `is_whole`: whether all of it could be read."""

    batches: list[Noted] = field(default_factory=list)
    lines: list[Noted] = field(default_factory=list)
    is_whole: bool = False


def read_batches(path: Path) -> CarriedBatches:
    """What can be read of the batches in a SQLite file and its log, which stay as they are.

    Not while this process has a lock on the file: closing it would end that.
    """
    found, has_all = CarriedBatches(), False
    with TemporaryDirectory(prefix=f"{path.name}.scratch-", dir=path.parent) as folder, suppress(sqlite3.DatabaseError):
        with closing(sqlite3.connect(f"{_looked_at(path, Path(folder)).as_uri()}?mode=ro", uri=True)) as file:
            file.row_factory = sqlite3.Row
            for table, rows in ((records.BATCHES, found.batches), (records.LINES, found.lines)):
                rows.extend(dict(row) for row in file.execute(f"SELECT * FROM {table}"))
        has_all = True
    found.is_whole = has_all or not any(_names(file, records.LINES) for file in (path, log_path(path)))
    return found


def _looked_at(path: Path, folder: Path) -> Path:
    """The file under another name, with a copy of its log: SQLite throws away a log that it has no use for."""
    file = (folder / path.name).absolute()
    link_file(path, file)
    if log_path(path).exists():
        shutil.copy2(log_path(path), log_path(file))
    return file


def _names(path: Path, table: str) -> bool:
    """Whether a table's name stands anywhere in a file, however damaged that is."""
    if not path.exists() or not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as seen:
        return seen.find(table.encode()) >= 0


def write_batches(connection: sa.Connection, found: CarriedBatches) -> int:
    """Write them down in a new ledger, each with the leases on its requests. Returns how many requests that are."""
    if not found.batches:
        return 0
    records.make_tables(connection)
    known = {bytes(batch["tag"]) for batch in found.batches}
    lines = [line for line in found.lines if bytes(line["tag"]) in known]
    records.restore(connection, found.batches, lines)
    return len(lines)
