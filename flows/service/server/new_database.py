"""A new database for Prefect on SQLite, laid out at once instead of by two hundred migrations.

    python -m flows.service.server.new_database > flows/service/server/new_database.sql    # for another version of Prefect

The statements are those that Prefect's own migrations leave behind, with their revision: a server of that version finds
nothing to migrate, and one of a later version migrates it on from there.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

STATEMENTS = Path(__file__).with_suffix(".sql")


def lay_out(database: Path) -> None:
    """Make the database where there is none. Whole or not at all, whoever else does so at the same time."""
    if database.exists():
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=database.parent, prefix=".new-database-")
    os.close(descriptor)
    try:
        with closing(sqlite3.connect(name, isolation_level=None)) as new:
            new.execute("PRAGMA auto_vacuum = INCREMENTAL")  # so that `clean` can give pages back beside a server
            new.executescript(STATEMENTS.read_text(encoding="utf-8"))
        with suppress(FileExistsError):
            os.link(name, database)
    finally:
        Path(name).unlink()


def statements(database: Path) -> Iterator[str]:
    """What makes a database as this one, which holds nothing but the revision of its migrations."""
    with closing(sqlite3.connect(database)) as migrated:
        for (sql,) in migrated.execute("SELECT sql FROM sqlite_master WHERE sql NOT NULL ORDER BY type DESC, name"):
            yield sql
        for (revision,) in migrated.execute("SELECT version_num FROM alembic_version"):
            yield f"INSERT INTO alembic_version VALUES ('{revision}')"


def migrate(database: Path) -> None:
    """Make the database as Prefect does: by its migrations."""
    os.environ["PREFECT_API_DATABASE_CONNECTION_URL"] = f"sqlite+aiosqlite:///{database}"
    from prefect.server.database import provide_database_interface

    asyncio.run(provide_database_interface().create_db())


def main() -> None:
    """Print the statements for the version of Prefect that is installed."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "prefect.db"
        migrate(database)
        import prefect  # not before its database is settled

        print(f"-- What the migrations of Prefect {prefect.__version__} (Apache-2.0) leave behind.", "BEGIN;", sep="\n")  # noqa: T201
        print(*(f"{statement};" for statement in [*statements(database), "COMMIT"]), sep="\n")  # noqa: T201


if __name__ == "__main__":
    main()
