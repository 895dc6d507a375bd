"""A damaged ledger, made whole again from every row that can still be read, and from its newest backup.

stillroom ledger repair [--ledger URL]

The rows of a SQLite file go into a new file, which takes its place; the damaged one stays beside it under a dated name.
In PostgreSQL, entries that cannot be read go into a table of their own; its files are its administrator's. A healthy
ledger is left alone, and so is a file where nothing is found.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import sqlalchemy as sa

from tasks.errors import ConfigError
from tasks.ledger.backup_files import Backup, newest_backup
from tasks.ledger.batches.carried_over import CarriedBatches, read_batches, write_batches
from tasks.ledger.check import Health, LedgerEntry, check_ledger, fault_of, looks_like_entry
from tasks.ledger.database import completions, engine_of, file_of, open_database, shown_url
from tasks.ledger.salvage import SalvagedEntry, log_of, salvaged
from tasks.storage.files import link_file

BATCH_ROWS = 1000
SCRATCH = ".scratch-"
LOCK_BYTE, LOCK_BYTES = 0x40000002, 510  # every process that has a ledger open holds a lock on these
UNREADABLE = "completions_unreadable"


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair did. `lost` rows were there and could not be read (at least); `kept` is where they still lie.

    `backup`: whose rows were taken, too. `in_batches`: requests of batches under way that go on; None where not all that was
    written down of batches could be read.
    """

    saved: int
    lost: int
    kept: str
    backup: Backup | None = None
    in_batches: int | None = 0


def repair_ledger(url: str) -> tuple[Health, Repaired | None]:
    """Check, and repair what needs it: the health before, and what was done; None where nothing was.

    Raises ConfigError where there is no ledger, or another process uses it.
    """
    health = check_ledger(url)
    path = file_of(url)
    if health.healthy:
        return health, None
    if path is None:
        return health, _set_aside(url, health)
    return health, _rebuild(path, datetime.now().strftime("%Y-%m-%dT%H%M%S"))


def _rebuild(path: Path, stamp: str) -> Repaired | None:
    """Write every good row into a new ledger that takes the place of the damaged one; None where there is none."""
    fresh, kept = (path.with_name(f"{path.name}.{word}-{stamp}") for word in ("repaired", "damaged"))
    backup, under_way = newest_backup(path), read_batches(path)
    with _alone(path) as damaged:
        # what an earlier repair was killed over is one more place where rows are found
        earlier = [file for file in _beside(path, ".repaired-") if not file.name.endswith(("-wal", "-shm"))]
        for left in _beside(path, SCRATCH):
            shutil.rmtree(left)
        # the backup first: of two images of a row the first is taken, and SQLite has found the backup whole
        places = [*([] if backup is None else [backup.path]), path, *earlier]
        with TemporaryDirectory(prefix=f"{path.name}{SCRATCH}", dir=path.parent) as folder, ExitStack() as opened:
            files = [damaged if place == path else opened.enter_context(place.open("rb")) for place in places]
            copy = Path(folder) / "copy"
            sources = [salvaged(file, log_of(place), copy) for file, place in zip(files, places, strict=True)]
            saved, highest = _fill(fresh, sources, under_way)
        is_done = bool(saved or under_way.lines)
        if is_done:
            shutil.copymode(path, fresh)
            _swap(path, fresh, kept)
    for leftover in earlier if is_done else [fresh]:
        for suffix in ("", "-wal", "-shm"):
            leftover.with_name(leftover.name + suffix).unlink(missing_ok=True)
    in_batches = len(under_way.lines) if under_way.is_whole else None
    return Repaired(saved, max(0, highest - saved), str(kept), backup, in_batches) if is_done else None


def _beside(path: Path, ending: str) -> list[Path]:
    return [file for file in path.parent.iterdir() if file.name.startswith(path.name + ending)]


def _fill(fresh: Path, sources: Iterable[Iterable[SalvagedEntry]], under_way: CarriedBatches) -> tuple[int, int]:
    """Write every good row into a new ledger, and the batches: how many rows, and the highest number that any is known to have had.

    Rows are numbered without gaps, so that the difference was lost.
    """
    highest = 0
    engine = open_database(str(fresh.absolute()), 0)
    places = ", ".join("?" for _ in completions.c)
    insert = f"INSERT OR IGNORE INTO {completions.name} VALUES ({places})"  # of two images of a row the first
    with engine.begin() as connection:
        for records in sources:
            good: list[LedgerEntry] = []
            for rowid, values in records:
                highest = max(highest, rowid)
                if looks_like_entry(values) and not fault_of(values) and isinstance(values[-1], str):
                    good.append(values)
                if len(good) >= BATCH_ROWS:
                    connection.exec_driver_sql(insert, good)
                    good = []
            if good:
                connection.exec_driver_sql(insert, good)
        write_batches(connection, under_way)
        saved = connection.execute(sa.select(sa.func.count()).select_from(completions)).scalar_one()
    engine.dispose()
    health = check_ledger(str(fresh.absolute()))
    assert health.healthy and health.rows == saved, f"the repaired ledger is not whole: {health}"
    return saved, highest


def _swap(path: Path, fresh: Path, kept: Path) -> None:
    """Put the new file in the place of the damaged one, whose log must not be applied to it. Safe to be killed in."""
    with fresh.open("rb+") as file:
        os.fsync(file.fileno())
    link_file(path, kept)
    for suffix in ("-wal", "-shm"):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.rename(kept.with_name(kept.name + suffix))
    fresh.replace(path)


@contextmanager
def _alone(path: Path) -> Iterator[BinaryIO]:
    """The file, with other processes kept out, until it or any other opening of it is closed.

    Raises ConfigError where one is in.
    """
    with path.open("rb+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, LOCK_BYTES, LOCK_BYTE)
        except OSError as error:
            raise ConfigError("another process uses the ledger", path, "end it, then repair") from error
        yield file


def _set_aside(url: str, health: Health) -> Repaired:
    """Move entries that cannot be read out of the way, so that their requests are made anew."""
    aside = completions.to_metadata(sa.MetaData(), name=UNREADABLE)
    theirs = completions.c.key.in_(list(health.faults))
    engine = engine_of(url)
    with engine.begin() as connection:
        aside.create(connection, checkfirst=True)
        connection.execute(aside.insert().from_select(list(completions.c.keys()), sa.select(completions).where(theirs)))
        connection.execute(completions.delete().where(theirs))
    engine.dispose()
    return Repaired(health.rows, len(health.faults), f"{shown_url(url)}, table {UNREADABLE}")
