"""The backups of a SQLite ledger, as files: each is a copy made while runs go on, and lies beside the ledger.

One gets its name when it is complete and SQLite has checked it. The newest two are kept.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tasks.errors import ConfigError
from tasks.storage.home import PRIVATE_FILE

KEPT = 2
WHEN = "%Y-%m-%dT%H%M%SZ"
UNFINISHED = ".unfinished"
DAY_S = 24 * 3600
SQLITE = b"SQLite format 3\0"
ELSEWHERE = "name another file: --to FILE"


@dataclass(frozen=True, slots=True, order=True)
class Backup:
    """A backup, and when it was made."""

    made: datetime
    path: Path

    def __str__(self) -> str:
        hours = int((datetime.now(UTC) - self.made).total_seconds() // 3600)
        age = f"{hours // 24} days old" if hours >= 48 else f"{hours} hours old"
        return f"{self.path}, {age if hours else 'less than an hour old'}"


def newest_backup(path: Path) -> Backup | None:
    """The newest of the backups beside a ledger's file."""
    return max(_backups(path), default=None)


def write_backup(ledger: sa.Connection, path: Path, to: Path | None = None) -> Path:
    """Copy the ledger in `path` as it stands now; other processes may go on writing. Returns where the copy lies.

    Without `to` it lies beside the ledger. Raises ConfigError where it cannot be made; the earlier ones are kept then.
    """
    target = to or path.with_name(f"{path.name}.backup-{datetime.now(UTC).strftime(WHEN)}")
    unfinished = target.with_name(f".{target.name}.{os.getpid()}{UNFINISHED}")
    try:
        _check_target(target, path)
        unfinished.touch(PRIVATE_FILE)
        if told := _copy(ledger, unfinished):
            raise ConfigError("a damaged ledger is not backed up", f"{path}: {told}", "run: stillroom ledger check")
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(target)
    except (OSError, sqlite3.OperationalError) as error:
        raise ConfigError("the ledger cannot be backed up there", f"{target}: {error}", ELSEWHERE) from error
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            with suppress(OSError):
                unfinished.with_name(unfinished.name + suffix).unlink(missing_ok=True)
    if to is None:
        _remove_older(path)
    return target


def _copy(ledger: sa.Connection, to: Path) -> str:
    """Copy the ledger, and have SQLite check the copy. Returns what is wrong with it; nothing where it is whole."""
    sqlite: Any = ledger.connection.driver_connection
    try:
        with closing(sqlite3.connect(to)) as copy:
            sqlite.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # a backup is one file, without a log beside it
            [(told,)] = copy.execute("PRAGMA integrity_check(1)")
    except sqlite3.OperationalError:  # of the place: no room, no right
        raise
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if told == "ok" else str(told).splitlines()[-1]


def _check_target(target: Path, path: Path) -> None:
    """Raise ConfigError where the backup would take the place of the ledger, or of a file that is none."""
    if not target.exists():
        return
    if target.is_dir():
        raise ConfigError("a backup is a file, and this is a folder", target, ELSEWHERE)
    if target.samefile(path):
        raise ConfigError("this is the ledger itself", target, ELSEWHERE)
    with target.open("rb") as file:
        if file.read(len(SQLITE)) not in (SQLITE, b""):
            raise ConfigError("there is a file that is no backup", target, ELSEWHERE)


def _backups(path: Path) -> Iterator[Backup]:
    prefix = f"{path.name}.backup-"
    for file in path.parent.glob("*"):
        if file.name.startswith(prefix):
            with suppress(ValueError):  # a file that somebody else has named so
                yield Backup(datetime.strptime(file.name.removeprefix(prefix), WHEN).replace(tzinfo=UTC), file)


def _remove_older(path: Path) -> None:
    """Remove all backups but the newest, and what a process has left that was killed while it made one."""
    for backup in sorted(_backups(path))[:-KEPT]:
        backup.path.unlink(missing_ok=True)
    for file in path.parent.glob("*"):
        if file.name.startswith(f".{path.name}.backup-") and UNFINISHED in file.name:
            with suppress(OSError):
                if file.stat().st_mtime < time.time() - DAY_S:
                    file.unlink()
