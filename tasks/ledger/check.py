"""Whether a ledger is whole: its database by the database's own check, and every entry by reading it.

stillroom ledger check [--ledger URL]

Nothing is written. What can still be read of a damaged SQLite file is found out by `stillroom ledger repair`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from tasks.errors import ConfigError
from tasks.ledger.backup_files import newest_backup
from tasks.ledger.database import (
    code_of,
    completions,
    damage_from_outside,
    damaged,
    engine_of,
    file_of,
    is_ledger,
    locked,
    shown_url,
    tell_undecodable,
    unusable,
)
from tasks.ledger.salvage import log_is_cut, log_path
from tasks.ledger.stored import Unreadable, stored_completion
from tasks.storage.home import ledger_wait_s

KEY_BYTES = 16
OF_THE_PLACE = ("SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_NOMEM")
FINDINGS = 3  # of the database's own check; one is enough to know

LedgerEntry = tuple[Any, ...]


@dataclass(slots=True)
class Health:
    """What a check found. `damage` is the database's; in one that has none, `rows` can be read and `faults` cannot, by key.

    `backup` tells where the newest backup is, and how old.
    """

    where: str
    size_bytes: int
    backup: str
    damage: list[str] = field(default_factory=list)
    rows: int = 0
    by_model: Counter[str] = field(default_factory=Counter)
    faults: dict[bytes, str] = field(default_factory=dict)

    @property
    def healthy(self) -> bool:
        """Whether there is nothing to repair."""
        return not self.damage and not self.faults

    def read(self, entries: Iterable[LedgerEntry]) -> None:
        """Count entries, and note those that cannot be read."""
        for entry in entries:
            fault = fault_of(entry)
            if fault:
                self.faults[bytes(entry[0])] = fault
            else:
                self.rows += 1
                self.by_model[entry[1]] += 1


def check_ledger(url: str) -> Health:
    """Look at every entry. Raises ConfigError where there is no ledger, or another program's or a later version's."""
    path = file_of(url)
    if path is None:
        return _check_server(url)
    size = sum(file.stat().st_size for file in (file_there(path), log_path(path)) if file.exists())
    health = Health(str(path), size, str(newest_backup(path) or "none; make one: stillroom ledger backup"))
    if damage := damage_beside(path):
        health.damage.append(damage)
    else:
        _check_file(path, health)
    if health.damage:
        health.rows, health.by_model, health.faults = 0, Counter(), {}
    return health


def file_there(path: Path) -> Path:
    """The file of a ledger. Raises ConfigError where there is none."""
    if not path.is_file():
        backup = newest_backup(path)
        fix = (
            "name one: --ledger sqlite:///PATH" if backup is None else f"its newest backup is {backup}: copy that there"
        )
        raise ConfigError("there is no ledger", path, fix)
    return path


def damage_beside(path: Path) -> str | None:
    """What is wrong with a file or its log that SQLite, once it has opened them, would take away what is left of."""
    if outside := damage_from_outside(path):
        return outside
    if log_is_cut(path) and log_is_cut(path):  # once could be a process that writes in this moment
        return f"{log_path(path).name} is damaged, and commits lie behind the damage"
    return None


def fault_of(entry: LedgerEntry) -> str:
    """Why an entry cannot be used; empty for a good one."""
    key, model, *rest = entry
    if len(key) != KEY_BYTES or not isinstance(model, str):
        return f"entry {bytes(key).hex()}: not a request's key and model"
    try:
        stored_completion((key, *rest[:5]))
    except Unreadable as error:
        return str(error)
    return ""


def looks_like_entry(values: LedgerEntry) -> bool:
    """Whether a row of a damaged file was one of the ledger's, good or not."""
    return len(values) == len(completions.c) and isinstance(values[0], bytes) and len(values[0]) == KEY_BYTES


def _check_file(path: Path, health: Health) -> None:
    try:
        with opened_to_read(path) as connection:
            is_ledger(connection, str(path))
            if completions.name not in sa.inspect(connection).get_table_names():
                health.damage.append(f"it has no table {completions.name}")
                return
            found = connection.exec_driver_sql(f"PRAGMA integrity_check({FINDINGS})").scalars().all()
            if found != ["ok"]:
                health.damage += [line for text in found for line in text.splitlines()[:FINDINGS]]
            else:
                health.read(_entries(connection))
    except DBAPIError as error:
        if not damaged(error) and (locked(error) or _is_of_the_place(error, path)):
            raise unusable(str(path.absolute()), error) from error
        health.damage.append(str(error.orig))


@contextmanager
def opened_to_read(path: Path) -> Iterator[sa.Connection]:
    """A ledger's file as it is: nothing is made or changed in it."""
    # read-only leaves a log as it is, which may be all that is left; and without a log it would leave an empty one
    mode = "ro" if log_path(path).exists() else "rw"
    where = sa.URL.create("sqlite", database=f"file:{quote(str(path))}", query={"mode": mode, "uri": "true"})
    engine = sa.create_engine(where, connect_args={"timeout": ledger_wait_s()})
    sa.event.listen(engine, "connect", _read_anything)
    sa.event.listen(engine, "handle_error", tell_undecodable)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _is_of_the_place(error: DBAPIError, path: Path) -> bool:
    """Whether it is not the file's content that SQLite complains of. A damaged header makes a file look read-only, too."""
    may_write = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    return code_of(error).startswith(OF_THE_PLACE if may_write else (*OF_THE_PLACE, "SQLITE_READONLY"))


def _check_server(url: str) -> Health:
    engine = engine_of(url)
    try:
        with engine.connect() as connection:
            is_ledger(connection, shown_url(url))
            if completions.name not in sa.inspect(connection).get_table_names():
                raise ConfigError("there is no ledger", shown_url(url), "name its database: --ledger URL")
            size = connection.execute(sa.text(f"SELECT pg_total_relation_size('{completions.name}')")).scalar_one()
            health = Health(shown_url(url), size, "the administrator's (pg_dump)")
            health.read(_entries(connection))
            return health
    except DBAPIError as error:
        raise unusable(url, error) from error
    finally:
        engine.dispose()


def _entries(connection: sa.Connection) -> Iterator[LedgerEntry]:
    columns = [column for column in completions.c if column.name != "paid_at"]
    rows = connection.execution_options(yield_per=1000).execute(sa.select(*columns))
    yield from (tuple(row) for row in rows)


def _read_anything(connection: Any, _record: Any) -> None:
    connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")  # then it is told which entry it is
