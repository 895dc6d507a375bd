"""A damaged ledger, made whole again from every row that can still be read.

stillroom ledger repair [--ledger URL]

A SQLite file is read page by page into a new file, which takes its place; the damaged one stays beside it under a dated
name. In PostgreSQL, entries that cannot be read go into a table of their own; its files are its administrator's. A
healthy ledger is left alone, and so is a file in which nothing is found.
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

import sqlalchemy as sa

from tasks.engine.ledger_check import KEY_BYTES, Entry, Health, check_ledger, fault_of, looks_like_entry
from tasks.engine.ledger_database import completions, engine_of, file_of, open_database, shown
from tasks.engine.ledger_pages import PageFile
from tasks.errors import ConfigError

BATCH_ROWS = 1000
LOCK_BYTE, LOCK_BYTES = 0x40000002, 510  # every process that has a ledger open holds a lock on these
UNREADABLE = "completions_unreadable"


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair did. `lost` rows were there and could not be read (at least); `kept` is where they still lie."""

    saved: int
    lost: int
    kept: str


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
    return health, _rebuild(path, datetime.now().strftime("%Y-%m-%dT%H%M%S")) if health.rows else None


def _rebuild(path: Path, stamp: str) -> Repaired:
    fresh, kept = (path.with_name(f"{path.name}.{word}-{stamp}") for word in ("repaired", "damaged"))
    # what an earlier repair was killed over is one more place where rows are found
    earlier = [file for file in path.parent.glob(f"{path.name}.repaired-*") if not file.name.endswith(("-wal", "-shm"))]
    with ExitStack() as open_files:  # before the lock: closing any file of this inode would let go of it
        sources = [open_files.enter_context(PageFile(source)) for source in (path, *earlier)]
        open_files.enter_context(_alone(path))
        saved, highest = _fill(fresh, sources)
        shutil.copymode(path, fresh)
        _swap(path, fresh, kept)
    for leftover in earlier:
        for suffix in ("", "-wal", "-shm"):
            leftover.with_name(leftover.name + suffix).unlink(missing_ok=True)
    return Repaired(saved, max(0, highest - saved), str(kept))


def _fill(fresh: Path, sources: Iterable[PageFile]) -> tuple[int, int]:
    """Write every good row into a new ledger: how many, and the highest number that any row is known to have had.

    Rows are numbered without gaps, so that the difference was lost.
    """
    highest = 0
    engine = open_database(str(fresh.absolute()), 0)
    places = ", ".join("?" for _ in completions.c)
    insert = (
        f"INSERT OR IGNORE INTO {completions.name} VALUES ({places})"  # the first image of a row: the committed one
    )
    with engine.begin() as connection:
        for pages in sources:
            good: list[Entry] = []
            for rowid, values in pages.rows():
                if looks_like_entry(values):
                    highest = max(highest, rowid if rowid <= pages.most_rows else 0)
                    if not fault_of(values) and isinstance(values[-1], str):
                        good.append(values)
                if len(good) >= BATCH_ROWS:
                    connection.exec_driver_sql(insert, good)
                    good = []
            if good:
                connection.exec_driver_sql(insert, good)
            highest = max([highest, *_numbers(pages)])
        saved = connection.execute(sa.select(sa.func.count()).select_from(completions)).scalar_one()
    engine.dispose()
    health = check_ledger(str(fresh.absolute()))
    assert health.healthy and health.rows == saved, f"the repaired ledger is not whole: {health}"
    return saved, highest


def _numbers(pages: PageFile) -> Iterator[int]:
    """The numbers of the rows that the index of keys still knows."""
    for values in pages.index_entries():
        if len(values) == 2 and isinstance(values[0], bytes) and len(values[0]) == KEY_BYTES:
            rowid = values[1]
            if isinstance(rowid, int) and rowid <= pages.most_rows:
                yield rowid


def _swap(path: Path, fresh: Path, kept: Path) -> None:
    """Put the new file in the place of the damaged one, whose log must not be applied to it. Safe to be killed in."""
    with fresh.open("rb+") as file:
        os.fsync(file.fileno())
    try:
        os.link(path, kept)
    except OSError:  # no links on this file system
        shutil.copy2(path, kept)
    for suffix in ("-wal", "-shm"):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.rename(kept.with_name(kept.name + suffix))
    fresh.replace(path)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes out. Raises ConfigError where one is in."""
    with path.open("rb+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, LOCK_BYTES, LOCK_BYTE)
        except OSError as error:
            raise ConfigError("another process uses the ledger", path, "end it, then repair") from error
        yield


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
    return Repaired(health.rows, len(health.faults), f"{shown(url)}, table {UNREADABLE}")
