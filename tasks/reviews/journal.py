"""Where decisions lie: `reviews.parquet` beside a dataset, and `reviews.jsonl` with those made since that was written.

    journal = Journal(Path("datasets/demo-sft"))
    journal.add([Decision(...)])             # on the disk when this returns, whoever else adds at the same time
    journal.read()                           # all decisions, in order
    journal.fold()                           # into reviews.parquet; the journal is empty afterwards

A decision is one line, written and synced under a lock. A process that is killed loses at most a line that it was still
writing and had told nobody of: the next one cuts it off. Killed between the two files, decisions stand in both, and count
once, by their number. No time is kept: what comes of decisions depends on them alone.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from tasks.engine.validate import schema_dtypes, validate
from tasks.errors import ConfigError
from tasks.reviews.decisions import Decision, Numbered, decision_of
from tasks.storage.digest import digest
from tasks.storage.files import write_atomically
from tasks.storage.tables import encoded, height_of

REVIEWS_FILE, JOURNAL_FILE = "reviews.parquet", "reviews.jsonl"
SCHEMA = "ReviewRows"
FOLDED_AT = 500
"""Lines of the journal at which they go into the table: reading stays quick."""


class Journal:
    """The decisions about one dataset."""

    def __init__(self, dataset: Path) -> None:
        self.table, self.path = dataset / REVIEWS_FILE, dataset / JOURNAL_FILE

    def add(self, decisions: Sequence[Decision]) -> list[int]:
        """Write decisions; their numbers. Once it returns they are on the disk. Raises ConfigError where that is closed."""
        if not decisions:
            return []
        with self._locked() as file:
            lines = _lines(file)
            first = self._last(lines) + 1
            numbers = list(range(first, first + len(decisions)))
            told = [
                orjson.dumps({"number": number, **one.model_dump(mode="json", exclude_defaults=True)}) + b"\n"
                for number, one in zip(numbers, decisions, strict=True)
            ]
            _write(file, b"".join(told))
            if len(lines) + len(told) >= FOLDED_AT:
                self._fold(file)
        return numbers

    def read(self) -> list[Numbered]:
        """All decisions, in the order of their numbers."""
        if not self.path.exists():
            return list(_of_table(self.table))
        with self._locked() as file:
            return self._all(file)

    def fold(self) -> int:
        """Put all decisions into the table; how many there are. Without one there is no table."""
        if self.path.exists():
            with self._locked() as file:
                self._fold(file)
        return height_of(self.table)

    @property
    def state(self) -> tuple[object, ...]:
        """What changes with every decision."""
        return tuple(
            (path.stat().st_size, path.stat().st_mtime_ns) for path in (self.table, self.path) if path.exists()
        )

    def _all(self, file: int) -> list[Numbered]:
        folded = _of_table(self.table)
        return [*folded, *(one for one in map(_numbered, _lines(file)) if one.number > len(folded))]

    def _fold(self, file: int) -> None:
        decisions = self._all(file)
        if decisions:
            rows, faults = validate(as_rows(decisions), SCHEMA)
            assert not faults and rows.height == len(decisions), f"decisions were checked when they were made: {faults}"
            write_atomically(self.table, encoded(rows))
            _sync(self.table.parent)
        os.ftruncate(file, 0)
        os.fsync(file)

    def _last(self, lines: Sequence[bytes]) -> int:
        folded = height_of(self.table)
        return max(folded, _numbered(lines[-1]).number) if lines else folded

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """The journal, for one process and thread at a time; a last line that was cut short is gone."""
        try:
            is_new = not self.path.exists()
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise ConfigError(
                "cannot write down a decision", f"{self.path}: {error.strerror}", "see who may write there"
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if is_new:
                _sync(self.path.parent)
            held = _held(file)
            if held and not held.endswith(b"\n"):
                os.ftruncate(file, held.rfind(b"\n") + 1)
            yield file
        finally:
            os.close(file)


def as_rows(decisions: Sequence[Numbered]) -> pl.DataFrame:
    """Decisions as rows of the schema `ReviewRows`."""
    records = [
        {
            "row_id": digest("review", number, one.reviewer, one.about, one.decision),
            "number": number,
            **one.model_dump(mode="json"),
        }
        for number, one in decisions
    ]
    return pl.DataFrame(records, schema=schema_dtypes(SCHEMA), orient="row")


def _of_table(table: Path) -> tuple[Numbered, ...]:
    if not table.exists():
        return ()
    about = table.stat()
    return _read_table(table, about.st_mtime_ns, about.st_size)


@lru_cache(4)
def _read_table(table: Path, _mtime: int, _size: int) -> tuple[Numbered, ...]:
    rows = pl.read_parquet(table).drop("row_id").sort("number")
    return tuple(_as_numbered(row) for row in rows.iter_rows(named=True))


def _numbered(line: bytes) -> Numbered:
    return _as_numbered(orjson.loads(line))


def _as_numbered(told: dict[str, Any]) -> Numbered:
    return Numbered(told["number"], decision_of({name: value for name, value in told.items() if name != "number"}))


def _lines(file: int) -> list[bytes]:
    return _held(file).splitlines()


def _held(file: int) -> bytes:
    return os.pread(file, os.fstat(file).st_size, 0)


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(file, view) :]
        os.fsync(file)
    except OSError as error:
        raise ConfigError("cannot write down a decision", error.strerror, "free some space") from error


def _sync(folder: Path) -> None:
    """Have the folder know its files, whatever happens next."""
    at = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(at)
    finally:
        os.close(at)
