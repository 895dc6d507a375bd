"""The ledger's database: a SQLite file or PostgreSQL by URL; its table, its opening, and what is said when it fails.

STILLROOM_LEDGER=postgresql://user:password@host/database stillroom sft ...

A database that is locked, or a server that goes away in the middle of a run, is waited for (`patience`); everything
else becomes one `ConfigError`, without password.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

from tasks.errors import ConfigError
from tasks.ledger.backup_files import write_backup
from tasks.ledger.lease_statements import TABLE
from tasks.storage.home import OTHERS, PRIVATE_FILE, home, ledger_url, ledger_wait_s

VERSION = 1
LOCK_TRY_S = 1.0  # one try for a lock; short, so that a second Ctrl-C need not wait for the thread that tries
STANDSTILL_S = 5.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0
CAUSE_CHARS = 300
URLS = "write sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE"
CHECK = "run: stillroom ledger check"
CREATION_LOCK = 0x5711_1200  # of PostgreSQL's advisory locks: any number, the same for all who create a ledger
RIGHTS = {"completions": ("SELECT", "INSERT"), TABLE: ("SELECT", "INSERT", "UPDATE", "DELETE")}
MAY_WRITE = "SELECT current_setting('transaction_read_only') = 'off'" + "".join(
    f" AND has_table_privilege('{table}', '{right}')" for table, rights in RIGHTS.items() for right in rights
)
NO_RIGHT = "42501"  # PostgreSQL's code
GRANTS = "; ".join(f"GRANT {', '.join(rights)} ON {table}" for table, rights in RIGHTS.items())

metadata = sa.MetaData()
completions = sa.Table(
    "completions",
    metadata,
    sa.Column("key", sa.LargeBinary(16), primary_key=True),
    sa.Column("model", sa.String, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("finish_reason", sa.String, nullable=False),
    sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
    sa.Column("completion_tokens", sa.BigInteger, nullable=False),
    sa.Column("extra", sa.LargeBinary, nullable=True, comment="JSON: logprobs, reasoning"),
    sa.Column("paid_at", sa.DateTime(timezone=True), server_default=sa.func.now()),
)
leases = sa.Table(
    TABLE,
    metadata,
    sa.Column("key", sa.LargeBinary(16), primary_key=True),
    sa.Column("owner", sa.String, nullable=False),
    sa.Column("expires_at", sa.BigInteger, nullable=False, comment="milliseconds since 1970"),
    sqlite_with_rowid=False,
)
versions = sa.Table("ledger_version", metadata, sa.Column("version", sa.Integer, primary_key=True, autoincrement=False))


def open_database(url: str, wait_s: float) -> sa.Engine:
    """Open the ledger's database, made where there is none. A lock is waited for. Raises ConfigError."""
    engine, tries = engine_of(url), pauses(wait_s)
    try:
        while True:
            try:
                _prepare(engine, url)
                return engine
            except SQLAlchemyError as error:
                pause = next(tries, None) if locked(error) else None
                if pause is None:
                    raise unusable(url, error) from error
            time.sleep(pause)
    except ConfigError:
        engine.dispose()
        raise


def reach_ledger() -> None:
    """Raise ConfigError where the ledger cannot be used, before a run begins."""
    open_database(ledger_url(), ledger_wait_s()).dispose()


def engine_of(url: str | sa.URL) -> sa.Engine:
    """The engine behind a URL; nothing is opened yet. Raises ConfigError for what is no URL of a ledger."""
    where = parsed(url)
    if where.get_backend_name() == "sqlite":
        engine = sa.create_engine(where)
        sa.event.listen(engine, "connect", _set_up_sqlite)
        sa.event.listen(engine, "handle_error", tell_undecodable)
        return engine
    # a host that is gone without a word must not hold up a run for the hours that TCP allows
    silence = {"connect_timeout": "10", "tcp_user_timeout": "30000", "application_name": "stillroom"}
    try:
        engine = sa.create_engine(where.update_query_dict({**silence, **where.query}))
    except ModuleNotFoundError as error:
        fix = 'pip install "stillroom[postgres]"'
        raise ConfigError("a ledger on PostgreSQL needs psycopg", shown_url(url), fix) from error
    sa.event.listen(engine, "connect", _set_up_postgresql)
    return engine


def parsed(url: str | sa.URL) -> sa.URL:
    """The URL, its driver settled; an absolute path is that of a SQLite file.

    Raises ConfigError that shows nothing of it: the password may be anywhere.
    """
    if isinstance(url, str) and Path(url).is_absolute():
        return sa.URL.create("sqlite", database=url)
    try:
        where = sa.make_url(url)
        kind = where.drivername.partition("+")[0]
    except (ArgumentError, ValueError):
        raise ConfigError("STILLROOM_LEDGER is not the URL of a database", None, URLS) from None
    if kind in ("postgresql", "postgres"):
        return where.set(drivername="postgresql+psycopg")
    if kind != "sqlite":
        raise ConfigError("no ledger can be kept there", f"{kind}://...", URLS)
    if not where.database or where.database.startswith((":memory:", "file:")):
        raise ConfigError("a ledger is a file", f"sqlite:///{where.database or ''}", URLS)
    return where.set(drivername="sqlite")


def shown_url(url: str | sa.URL) -> str:
    """The URL as it may be shown: without password and options."""
    where = parsed(url)
    return where.set(query={}, drivername=where.get_backend_name()).render_as_string(hide_password=True)


def file_of(url: str) -> Path | None:
    """The file of a ledger on SQLite; None for a server's."""
    where = parsed(url)
    return Path(str(where.database)) if where.get_backend_name() == "sqlite" else None


def is_file(url: str) -> bool:
    """Whether a ledger lies in a file, which other machines do not share."""
    return file_of(url) is not None


def pauses(wait_s: float) -> Iterator[float]:
    """Seconds to pause before each further try, growing and jittered, until `wait_s` have gone by."""
    over, pause = time.monotonic() + wait_s, FIRST_PAUSE_S
    while (left := over - time.monotonic()) > 0:
        yield min(left, pause * random.uniform(0.5, 1))
        pause = min(LONGEST_PAUSE_S, 2 * pause)


# The table.


def _prepare(engine: sa.Engine, url: str) -> None:
    path = file_of(url)
    if path is not None:
        _keep_private(path)
        if not path.exists():
            _create_file(path)
        elif damage := damage_from_outside(path):
            raise ConfigError("the ledger is damaged", f"{path}: {damage}", CHECK)
    with engine.connect() as connection:
        if is_ledger(connection, shown_url(url)):
            _check_writable(connection, path, shown_url(url))
            return
        if path is not None and completions.name in sa.inspect(connection).get_table_names():
            write_backup(connection, path)  # an earlier version's: its tables are about to change
    with engine.begin() as connection:
        _create_tables(connection, shown_url(url))


def _create_file(path: Path) -> None:
    """Make the file under another name first: a process killed meanwhile leaves no empty file, which looks like a loss."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
    engine = engine_of(sa.URL.create("sqlite", database=str(fresh)))
    with suppress(OSError):  # SQLite tells why not
        fresh.touch(PRIVATE_FILE)  # the log and its index get the mode of the file
    try:
        with engine.begin() as connection:
            _create_tables(connection, str(path))
        engine.dispose()  # takes the WAL into the file
        with suppress(OSError):  # another process was first, or no links here: SQLite goes on with what is there
            os.link(fresh, path)
    finally:
        engine.dispose()
        with suppress(OSError):
            fresh.unlink(missing_ok=True)


def _keep_private(path: Path) -> None:
    """Take the home's ledger from the eyes of others, where an earlier version left it open to them."""
    for file in (path, *(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))):
        with suppress(OSError):
            status = file.stat()
            if path.parent == home() and status.st_uid == os.geteuid() and status.st_mode & OTHERS:
                file.chmod(PRIVATE_FILE)


def _create_tables(connection: sa.Connection, where: str) -> None:
    """One process at a time; whoever comes second finds them made."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        encoding = "UTF8"
    else:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(CREATION_LOCK)))
        encoding = connection.execute(sa.text("SHOW server_encoding")).scalar_one()
    if encoding != "UTF8":
        raise ConfigError("the ledger's database is not in UTF-8", encoding, "create it with ENCODING 'UTF8'")
    if not is_ledger(connection, where):
        metadata.create_all(connection)
        if _version(connection) is None:
            connection.execute(versions.insert().values(version=VERSION))


def _check_writable(connection: sa.Connection, path: Path | None, where: str) -> None:
    """Raise ConfigError before something is paid for that could not be kept."""
    if path is not None:
        may = all(os.access(place, os.W_OK, effective_ids=True) for place in (path, path.parent))
    else:
        may = connection.execute(sa.text(MAY_WRITE)).scalar_one()
    if not may:
        raise ConfigError(
            "the ledger may not be written",
            where,
            f"you need the right to write in its folder, or on a server: {GRANTS}",
        )


def is_ledger(connection: sa.Connection, where: str) -> bool:
    """Whether a ledger of this version is there, with all of its tables. Raises ConfigError for a later version's, and for what is no ledger.

    `where` is what errors call it.
    """
    found = sa.inspect(connection)
    tables = found.get_table_names()
    version = _version(connection) if versions.name in tables else None
    if version is not None and version > VERSION:
        fix = f"update stillroom: this one reads version {VERSION}"
        raise ConfigError(f"the ledger is of a later version, {version}", where, fix)
    if completions.name not in tables:
        return False
    missing = {c.name for c in completions.c} - {c["name"] for c in found.get_columns(completions.name)}
    if missing:
        what = f"{where}: its table {completions.name} has no column {', '.join(sorted(missing))}"
        raise ConfigError("the database is another program's, not a ledger", what, "name a database of its own")
    return version is not None and leases.name in tables


def _version(connection: sa.Connection) -> int | None:
    return connection.execute(sa.select(sa.func.max(versions.c.version))).scalar()


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.execute(f"PRAGMA busy_timeout={int(LOCK_TRY_S * 1000)}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")  # survives kill -9; a power cut may cost the last commits
    connection.execute("PRAGMA cell_size_check=ON")  # a damaged page is told before it is believed


def _set_up_postgresql(connection: Any, _record: Any) -> None:
    connection.autocommit = True  # within a transaction the setting would go with its end
    connection.execute(f"SET lock_timeout = {int(LOCK_TRY_S * 1000)}")
    # a process that stands still in the middle of a commit must not hold up the others
    connection.execute(f"SET idle_in_transaction_session_timeout = {int(STANDSTILL_S * 1000)}")
    connection.autocommit = False


# What goes wrong.


def damage_from_outside(path: Path) -> str | None:
    """What is wrong with a SQLite file that SQLite itself would take for a new one, or for whole."""
    wal, shm = (path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))
    if path.is_file() and path.stat().st_size == 0:
        return "the file is empty"
    # both end with the last process, -shm first: -shm alone is not a state that SQLite leaves behind, even killed.
    # Looked at from both sides, since another process may open or close the ledger just now
    if not wal.exists() and shm.exists() and not wal.exists():
        return f"{wal.name}, which held the last commits, is gone"
    return None


def code_of(error: BaseException) -> str:
    """SQLite's name of an error or PostgreSQL's five characters; empty where there is none."""
    cause = getattr(error, "orig", None)
    return getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None) or ""


DISK_FULL = ("SQLITE_FULL", "53100")


def locked(error: BaseException) -> bool:
    """Another process holds what we need; it will let go, mostly."""
    return code_of(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL", "55P03", "40P01"))


STOOD_STILL = "25P03"  # the server has ended a transaction in which nothing came for `STANDSTILL_S`


def gone(error: BaseException) -> bool:
    """The server is not there, or no longer, or has closed the connection of a process that stood still."""
    if code_of(error) == STOOD_STILL:
        return True
    server = isinstance(error, (OperationalError, InterfaceError)) and not is_sqlite(error)
    return server and code_of(error) not in DISK_FULL


def is_sqlite(error: DBAPIError) -> bool:
    """Whether the error is SQLite's, or of Python's module for it."""
    return type(error.orig).__module__ == "sqlite3"


def damaged(error: BaseException) -> bool:
    """What is on disk makes no sense."""
    code = code_of(error)
    return code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR_SHORT_READ", "XX001", "XX002")) or (
        isinstance(error, DBAPIError) and is_sqlite(error) and "Could not decode" in str(error.orig)
    )


def tell_undecodable(context: sa.engine.ExceptionContext) -> None:
    """Python cannot even read SQLite's complaint where it quotes a damaged schema: damage like any other."""
    if isinstance(context.original_exception, UnicodeDecodeError):
        cause = sqlite3.DatabaseError("Could not decode the schema")
        raise DatabaseError(context.statement, None, cause) from context.original_exception


def unusable(url: str, error: Exception) -> ConfigError:
    """An error of the database as one line: what, which ledger, the cause, the fix."""
    cause = " ".join(str(getattr(error, "orig", error)).split())[:CAUSE_CHARS]
    value, again = (
        f"{file_of(url) or shown_url(url)}: {cause}",
        "run the same command again: nothing that is in it is lost",
    )
    if locked(error):
        return ConfigError(
            "the ledger is locked by another process", value, f"wait for that process or end it, then {again}"
        )
    if damaged(error):
        return ConfigError("the ledger is damaged", value, CHECK)
    if code_of(error) in DISK_FULL:
        return ConfigError("the ledger cannot be used", value, f"free some space and {again}")
    if code_of(error).startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        return ConfigError(
            "the ledger cannot be used", value, "it has to be a file that you may write, in a folder that you may write"
        )
    if code_of(error) == NO_RIGHT:
        fix = f"open it once as its owner, who makes its tables, then as the owner: {GRANTS}"
        return ConfigError("the ledger cannot be used", value, fix)
    if gone(error):
        return ConfigError(
            "the ledger's server cannot be used", value, f"start it or correct STILLROOM_LEDGER, then {again}"
        )
    return ConfigError("the ledger cannot be used", value, "what is committed in it is kept")
