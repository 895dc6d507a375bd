"""Prefect's database on SQLite as our servers open it: writers queue, and a failed statement leaves no open cursor."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prefect.server.database.configurations import AioSqliteConfiguration
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import OperationalError

from flows.service.server import on_sqlite

WRITERS = 8


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As a server does; undone afterwards."""
    monkeypatch.setattr(AioSqliteConfiguration, "begin_transaction", AioSqliteConfiguration.begin_transaction)
    on_sqlite.serve_many_on_sqlite()
    yield
    event.remove(Engine, "do_connect", on_sqlite._make_tidy)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Any]:
    """A database with one table of one number, as Prefect opens its own: `(configuration, engine)`."""
    database = AioSqliteConfiguration(f"sqlite+aiosqlite:///{folder / 'prefect.db'}")
    engine = await database.engine()
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE counted (n INTEGER)"))
        await connection.execute(text("INSERT INTO counted VALUES (0)"))
    yield database, engine
    await engine.dispose()


async def count_up(database: Any, engine: Any, have_read: asyncio.Barrier | None) -> None:
    """Read, let the others have a turn, write: what Prefect does when a run changes its state."""
    async with await database.session(engine) as session, database.begin_transaction(session, with_for_update=False):
        n = (await session.execute(text("SELECT n FROM counted"))).scalar_one()
        await (asyncio.sleep(0.01) if have_read is None else have_read.wait())
        await session.execute(text("UPDATE counted SET n = :n"), {"n": n + 1})


async def counted_by_many(folder: Path, *, all_read_first: bool) -> tuple[int, list[Any]]:
    """What is counted by several at once, and the errors that they had."""
    have_read = asyncio.Barrier(WRITERS) if all_read_first else None
    async with opened(folder) as (database, engine):
        writers = [count_up(database, engine, have_read) for _ in range(WRITERS)]
        done = await asyncio.gather(*writers, return_exceptions=True)
        async with engine.connect() as connection:
            n = (await connection.execute(text("SELECT n FROM counted"))).scalar_one()
    return n, [error for error in done if error is not None]


async def failed(folder: Path) -> list[sqlite3.Cursor]:
    """The cursors that are left, and open, after statements that failed. Nothing is collected meanwhile."""
    async with opened(folder) as (_, engine):
        for _ in range(WRITERS):
            with pytest.raises(OperationalError):
                async with engine.connect() as connection:
                    await connection.execute(text("SELECT n FROM missing"))
        every = gc.get_objects()
        cursors = [
            found for found in every if issubclass(type(found), sqlite3.Cursor)
        ]  # some objects mind being asked their class
        return [cursor for cursor in cursors if is_open(cursor)]


def is_open(cursor: sqlite3.Cursor) -> bool:
    """Whether it can still be asked. One of another thread says so before it is looked at."""
    try:
        cursor.fetchone()
    except sqlite3.ProgrammingError as error:
        return "closed" not in str(error)
    return True


@pytest.mark.usefixtures("served")
def test_those_who_write_at_the_same_time_wait_for_each_other(tmp_path: Path) -> None:
    assert asyncio.run(counted_by_many(tmp_path, all_read_first=False)) == (WRITERS, [])


def test_without_it_all_but_one_are_refused(tmp_path: Path) -> None:
    """Why it is there. Where Prefect mends it, this fails, and the patch can go."""
    n, errors = asyncio.run(counted_by_many(tmp_path, all_read_first=True))
    assert (n, len(errors)) == (1, WRITERS - 1)
    assert all(isinstance(error, OperationalError) for error in errors)


@pytest.mark.usefixtures("served")
def test_a_cursor_of_a_failed_statement_is_closed(tmp_path: Path) -> None:
    gc.collect()
    gc.disable()
    try:
        assert asyncio.run(failed(tmp_path)) == []
    finally:
        gc.enable()


def test_a_tidy_connection_reads_and_writes_as_any_other() -> None:
    database = sqlite3.connect(":memory:", factory=on_sqlite.TidyConnection)
    database.execute("CREATE TABLE counted (n INTEGER)")
    cursor = database.cursor()
    assert cursor.executemany("INSERT INTO counted VALUES (?)", [(1,), (2,)]) is cursor
    assert cursor.execute("SELECT n FROM counted ORDER BY n").fetchall() == [(1,), (2,)]
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        cursor.executemany("INSERT INTO missing VALUES (?)", [(1,)])
    with pytest.raises(sqlite3.ProgrammingError, match="closed cursor"):
        cursor.fetchone()
