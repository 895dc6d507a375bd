"""Old runs in a Prefect database of ours: a SQLite file, beside which its server may be running.

All is done in short transactions: Prefect's server waits up to 60 s for that of another. The file shrinks by giving back
free pages a few at a time. One that was laid out without that is written anew, once.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tasks.notices import tell

WAIT_S = 60.0
RUNS, ROWS, PAGES = 20, 2000, 1000
"""Flow runs, rows of other kinds, and pages (of 4 kB) of one transaction."""
INCREMENTAL = 2
MOST_ANEW_BYTES = 1_000_000_000
"""No larger file is written anew beside a server: that takes seconds in which nobody else can write."""
OLD_RUNS = """SELECT id FROM flow_run WHERE state_type IN ('COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED')
    AND end_time < ? AND flow_id IN (SELECT id FROM flow WHERE name IN ({})) LIMIT ?"""
FIRST_LIVE = (
    "SELECT min(start_time) FROM flow_run WHERE state_type NOT IN ('COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED')"
)
OLD_ROWS = {
    "logs": ("log", "timestamp < ? AND (flow_run_id IS NULL OR flow_run_id NOT IN (SELECT id FROM flow_run))"),
    "artifacts": ("artifact", "created < ? AND flow_run_id NOT IN (SELECT id FROM flow_run)"),
    "event resources": ("event_resources", "occurred < ?"),
    "events": ("events", "occurred < ?"),
}
LATEST = "SELECT {} FROM artifact WHERE artifact.key = artifact_collection.key ORDER BY created DESC LIMIT 1"
SHOWN = ("id", "task_run_id", "flow_run_id", "type", "data", "description", "metadata_")
STALE = "latest_id NOT IN (SELECT id FROM artifact)"


def remove_from_database(file: Path, before: datetime, flows: Sequence[str], dry: bool) -> dict[str, Any]:
    """Remove the runs of these flows that ended before a time, with what belongs to them, and the events from before it.

    What was removed, by kind, and by how many bytes the files have shrunk; where `dry`, those of a copy.
    """
    if dry:
        with tempfile.TemporaryDirectory(prefix="clean-", dir=file.parent) as folder:
            copy = Path(folder) / "prefect.db"
            with _opened(file) as database, closing(sqlite3.connect(copy)) as other:
                database.backup(other)
            return remove_from_database(copy, before, flows, dry=False)
    until = before.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    size, counts = _bytes(file), Counter[str]()
    with _opened(file) as database:
        counts["flow runs"] = _remove_runs(database, until, flows)
        oldest = min(until, database.execute(FIRST_LIVE).fetchone()[0] or until)
        for kind, (table, old) in OLD_ROWS.items():
            counts[kind] = _remove_rows(database, table, old, oldest if table.startswith("event") else until)
        _show_latest_artifacts(database)
        _shrink(database)
    return {"counts": dict(counts), "bytes": size - _bytes(file)}


def _bytes(file: Path) -> int:
    """Of a database and its write-ahead log."""
    return sum(one.stat().st_size for one in (file, Path(f"{file}-wal")) if one.exists())


def own_database(connection_url: str, flow_run_id: str) -> Path | None:
    """The SQLite file that a connection URL names, if the server of this flow run writes to it; else None."""
    url = urlsplit(connection_url)
    if not url.scheme.startswith("sqlite"):
        return None
    file = Path(unquote(url.path[1:].removeprefix("file:")))
    if not file.is_file():
        return None
    with _opened(file) as database:
        try:
            known = database.execute("SELECT count(*) FROM flow_run WHERE id = ?", [flow_run_id]).fetchone()[0]
        except sqlite3.DatabaseError:  # another program's, or damaged
            return None
    return file if known else None


def _remove_runs(database: sqlite3.Connection, until: str, flows: Sequence[str]) -> int:
    removed, find = 0, OLD_RUNS.format(_marks(flows))
    while ids := [run for (run,) in database.execute(find, [until, *flows, RUNS])]:
        with _transaction(database):  # their task runs, states and inputs go with them
            removed += database.execute(f"DELETE FROM flow_run WHERE id IN ({_marks(ids)})", ids).rowcount
    return removed


def _remove_rows(database: sqlite3.Connection, table: str, old: str, until: str) -> int:
    removed = 0
    while True:
        with _transaction(database):
            some = f"SELECT rowid FROM {table} WHERE {old} LIMIT {ROWS}"
            count = database.execute(f"DELETE FROM {table} WHERE rowid IN ({some})", [until]).rowcount
        removed += count
        if count < ROWS:
            return removed


def _show_latest_artifacts(database: sqlite3.Connection) -> None:
    """Of each key the UI shows the latest artifact: the latest that is left, or nothing where none is."""
    latest = ", ".join(f"{'latest_id' if name == 'id' else name} = ({LATEST.format(name)})" for name in SHOWN)
    with _transaction(database):
        database.execute(
            f"DELETE FROM artifact_collection WHERE {STALE} AND key NOT IN (SELECT key FROM artifact WHERE key IS NOT NULL)"
        )
        database.execute(f"UPDATE artifact_collection SET {latest} WHERE {STALE}")


def _shrink(database: sqlite3.Connection) -> None:
    """Give the free pages back to the disk."""
    if database.execute("PRAGMA auto_vacuum").fetchone()[0] == INCREMENTAL:
        while database.execute("PRAGMA freelist_count").fetchone()[0]:
            database.execute(f"PRAGMA incremental_vacuum({PAGES})").fetchall()
    elif _bytes_in_use(database) > MOST_ANEW_BYTES:
        tell(
            "Prefect's database is too large to be written anew beside its server: its free pages are used again, and stay"
        )
    else:
        database.execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")
        database.execute("VACUUM")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _bytes_in_use(database: sqlite3.Connection) -> int:
    pages, free, size = (
        database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(file, timeout=WAIT_S, isolation_level=None)) as database:
        database.execute("PRAGMA foreign_keys = ON")
        yield database


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
