"""A new database for Prefect: what its migrations leave behind, made at once."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from flows.service.server.new_database import STATEMENTS, lay_out


@pytest.mark.slow
def test_the_statements_are_what_the_migrations_of_the_installed_prefect_leave_behind() -> None:
    command = [sys.executable, "-m", "flows.service.server.new_database"]
    made = subprocess.run(command, capture_output=True, text=True, check=True, timeout=200).stdout
    assert clauses(made) == clauses(STATEMENTS.read_text())


def clauses(statements: str) -> list[str]:
    """Its lines, in any order: a migration that makes a table anew gives its constraints in the order of a set."""
    return sorted(line.strip().rstrip(",") for line in statements.splitlines())


def test_of_several_that_begin_at_once_one_makes_it_and_nothing_else_stays(tmp_path: Path) -> None:
    database = tmp_path / "prefect" / "prefect.db"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lay_out, [database] * 8))
    assert list(database.parent.iterdir()) == [database]
    with closing(sqlite3.connect(database)) as made:
        assert made.execute("SELECT count(*) FROM alembic_version").fetchall() == [(1,)]
        assert made.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_database_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    database = tmp_path / "prefect.db"
    database.write_bytes(b"somebody's")
    lay_out(database)
    assert database.read_bytes() == b"somebody's"
