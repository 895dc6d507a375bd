"""Which ids were seen before: an exact set on disk, so that a billion seeds take no more memory than a thousand."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tasks.errors import ConfigError

AT_ONCE = 500  # ids of one SELECT; SQLite before 3.32 takes 999 variables
CACHE_KIB = 32 * 1024  # what SQLite may hold in memory


class SeenIds:
    """An exact set of 128-bit ids (32 hex digits) in a temporary SQLite file, which `close` deletes.

    `folder` is where the file lies (about 30 bytes an id); the system's folder for temporary files where None.
    Raises ConfigError where it cannot be written.
    """

    def __init__(self, folder: Path | None = None) -> None:
        try:
            handle, name = tempfile.mkstemp(prefix="seen-", suffix=".sqlite", dir=folder)
        except OSError as error:
            raise _unwritable(folder or tempfile.gettempdir(), error.strerror) from error
        os.close(handle)
        self._path = Path(name)
        self._database = sqlite3.connect(name, isolation_level=None, check_same_thread=False)
        # the file is ours alone and worth nothing after a crash: no journal, no flushing
        for setting in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", f"cache_size=-{CACHE_KIB}"):
            self._database.execute(f"PRAGMA {setting}").fetchall()
        self._database.execute("CREATE TABLE seen (id BLOB PRIMARY KEY, batch INTEGER) WITHOUT ROWID")
        self._batch = 0

    def new(self, ids: Sequence[str]) -> list[bool]:
        """For each id, whether it comes for the first time, within these too. They all count as seen afterwards."""
        keys = [bytes.fromhex(row_id) for row_id in ids]
        try:
            fresh = self._add(set(keys))
        except sqlite3.Error as error:
            raise _unwritable(self._path.parent, str(error)) from error
        first = []
        for key in keys:
            first.append(key in fresh)
            fresh.discard(key)
        return first

    def known(self, ids: Sequence[str]) -> list[bool]:
        """For each id, whether it was seen before. These do not count as seen."""
        keys = [bytes.fromhex(row_id) for row_id in ids]
        there = self._there(keys, self._batch + 1)
        return [key in there for key in keys]

    def close(self) -> None:
        """Forget everything and delete the file."""
        self._database.close()
        with suppress(FileNotFoundError):
            self._path.unlink()

    def __enter__(self) -> SeenIds:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _add(self, keys: set[bytes]) -> set[bytes]:
        """Insert the keys; those that were not there."""
        self._batch += 1
        before = self._database.total_changes
        ordered = sorted(keys)
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", ((key, self._batch) for key in ordered))
        self._database.execute("COMMIT")
        if self._database.total_changes - before == len(keys):
            return keys  # nearly always; only repeated ids have to be looked for
        return keys - self._there(ordered, self._batch)

    def _there(self, keys: Sequence[bytes], before: int) -> set[bytes]:
        """Those of the keys that were inserted in a batch before this one."""
        there: set[bytes] = set()
        for start in range(0, len(keys), AT_ONCE):
            some = keys[start : start + AT_ONCE]
            marks = ",".join("?" * len(some))
            old = self._database.execute(f"SELECT id FROM seen WHERE id IN ({marks}) AND batch < ?", (*some, before))
            there.update(key for (key,) in old)
        return there


def _unwritable(folder: Path | str, reason: str | None) -> ConfigError:
    return ConfigError(
        "cannot keep the ids of the seeds on disk", f"{folder}: {reason}", "free some space or set TMPDIR"
    )
