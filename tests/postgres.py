"""A real PostgreSQL for the tests that need one: a cluster of its own in a temporary folder, on 127.0.0.1 alone.

Tests take the fixture `postgres` (`postgres.new_database()` is a URL), or `ledger_url`, which is SQLite and then
PostgreSQL. Where no server is installed they are skipped, with the reason; where CI is set, they fail.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.serving import free_port

USER = "stillroom"


class Postgres:
    """A server, running from construction on. `url` is its first database, as its superuser."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._data, self._log = programs, folder / "data", folder / "log"
        self._owner = _owner()
        self.password = secrets.token_hex(8)
        self._numbers = count()
        self.port = free_port()
        secret = folder / "password"
        secret.write_text(self.password)
        for path in (folder, secret):
            os.chown(path, self._owner.pw_uid, self._owner.pw_gid)
        self._run(
            "initdb",
            "--pgdata",
            str(self._data),
            "--username",
            USER,
            "--pwfile",
            str(secret),
            "--no-sync",
            "--auth",
            "scram-sha-256",
            "--encoding",
            "UTF8",
            "--locale",
            "C",
        )
        self.start()

    def url(self, database: str = "postgres", *, user: str = USER, password: str | None = None) -> str:
        """The URL of a database of this server."""
        return f"postgresql://{user}:{password or self.password}@127.0.0.1:{self.port}/{database}"

    def new_database(self, options: str = "") -> str:
        """The URL of a database that is new and empty."""
        name = f"ledger_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} {options}")
        return self.url(name)

    def execute(self, statement: str, url: str = "") -> list[Any]:
        """Run a statement by itself; its rows, if it has any."""
        import psycopg

        with psycopg.connect(url or self.url(), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        self._run(
            "pg_ctl", "start", "--wait", "--pgdata", str(self._data), "--log", str(self._log), "--options", options
        )

    def stop(self, mode: str = "fast") -> None:
        """Stop the server: `immediate` is as good as a power cut."""
        self._run("pg_ctl", "stop", "--wait", "--pgdata", str(self._data), "--mode", mode)

    def _run(self, program: str, *arguments: str) -> None:
        identity: dict[str, Any] = {}
        if os.geteuid() == 0:  # a PostgreSQL server refuses to run as root
            identity = {"user": self._owner.pw_uid, "group": self._owner.pw_gid, "extra_groups": []}
        told = subprocess.run(
            [str(self._programs / program), *arguments],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE if program == "initdb" else subprocess.DEVNULL,
            text=True,
            check=False,
            **identity,
        )
        log = self._log.read_text()[-2000:] if self._log.exists() else told.stderr
        assert told.returncode == 0, f"{program}: {log}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for the session; whoever stops it starts it again."""
    programs = _programs()
    if programs is None:
        _missing("no PostgreSQL server is installed (Debian: apt-get install postgresql)")
    try:
        import psycopg  # noqa: F401
    except ModuleNotFoundError:
        _missing("psycopg is not installed (pip install 'psycopg[binary]')")
    folder = Path(tempfile.mkdtemp(prefix="stillroom-postgres-"))  # not pytest's: only root may enter that
    try:
        server = Postgres(programs, folder)
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgres"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a ledger that is not there yet, on each kind of database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


def _programs() -> Path | None:
    """The folder of the server's programs: Debian keeps them out of the PATH."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


def _owner() -> pwd.struct_passwd:
    """Who owns the cluster: we, or, as root, whoever has no rights."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def _missing(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(f"{reason}; with CI set nothing is skipped")
    pytest.skip(reason)
