"""Prefect's server on SQLite under several clients: those who write wait for each other, and nothing holds up the server.

    serve_many_on_sqlite()     # before the server opens its database

Two things of Prefect 3.8.8 with aiosqlite 0.22.1 and SQLAlchemy 2.0.58, measured with 25 clients that create runs at once:

- Most transactions begin without the right to write, and ask for it after they have read. Where another one has written
  meanwhile, SQLite refuses at once, whatever its patience: state changes fail, and clients are told 503. Here a transaction
  has that right from its beginning, as Prefect has those that lock a row: they queue, each for some milliseconds.
- A cursor whose statement failed is closed by nobody. The garbage collector finds it later, in the thread that happens to
  collect; where that is the one that serves, it waits for the cursor's connection, which may itself wait for a database that
  only this thread can give free. Nobody was served until SQLite's patience was over, a minute later. Here a cursor closes
  itself at once, in its connection's own thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event


class TidyCursor(sqlite3.Cursor):
    """A cursor that is closed once a statement of it has failed."""

    def execute(self, *statement: Any) -> TidyCursor:
        """Run a statement. Raises what SQLite raises."""
        return self._run(super().execute, *statement)

    def executemany(self, *statement: Any) -> TidyCursor:
        """Run a statement for each of many values. Raises what SQLite raises."""
        return self._run(super().executemany, *statement)

    def _run(self, work: Callable[..., Any], *statement: Any) -> TidyCursor:
        try:
            work(*statement)
        except BaseException:
            self.close()
            raise
        return self


class TidyConnection(sqlite3.Connection):
    """A connection whose cursors are tidy."""

    def cursor(self, factory: Any = TidyCursor) -> Any:
        """Open a cursor that closes itself once one of its statements fails."""
        return super().cursor(factory)


def serve_many_on_sqlite() -> None:
    """Have this process, which is a server, do both with every database of SQLite that it opens from here on."""
    from prefect.server.database.configurations import AioSqliteConfiguration

    begin = AioSqliteConfiguration.begin_transaction

    def begin_to_write(database: Any, session: Any, **_: bool) -> Any:
        return begin(database, session, with_for_update=True)

    setattr(AioSqliteConfiguration, begin.__name__, begin_to_write)
    event.listen(Engine, "do_connect", _make_tidy)


def _make_tidy(dialect: Any, _record: Any, _arguments: Any, named: dict[str, Any]) -> None:
    if dialect.name == "sqlite":
        named.setdefault("factory", TidyConnection)
