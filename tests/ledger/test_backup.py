"""`stillroom ledger backup`, the backups made without being asked for, and a repair that has one."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks.engine.loop import run_in_loop
from tasks.errors import ConfigError
from tasks.ledger.backup import backup_ledger
from tasks.ledger.backup_files import WHEN, newest_backup
from tasks.ledger.check import check_ledger
from tasks.ledger.ledger import Ledger
from tasks.ledger.repair import repair_ledger
from tests.ledger.test_care import (
    EVERYTHING,
    PAGE_BYTES,
    ROWS,
    closed,
    copied,
    killed,
    overwrite,
    stillroom,
    texts,
    url,
    written,
)
from tests.postgres import Postgres

__all__ = ["closed", "killed"]  # fixtures

LONG_AGO = datetime.now(UTC) - timedelta(days=9)


def backups(path: Path) -> list[Path]:
    """All that is beside the ledger, but its log and index."""
    return sorted(
        file for file in path.parent.iterdir() if file.name not in {path.name + end for end in ("", "-wal", "-shm")}
    )


def backup_of(path: Path, made: datetime = LONG_AGO) -> Path:
    """A backup as it would be, had it been made then."""
    return backup_ledger(url(path)).replace(path.with_name(f"{path.name}.backup-{made.strftime(WHEN)}"))


def test_a_backup_of_a_ledger_in_use_is_one_private_file_with_every_commit(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with closing(written(path, 50)) as in_use:
        assert path.with_name("ledger.sqlite-wal").stat().st_size > 0
        in_use.execute("INSERT INTO completions VALUES (x'00', 'm', 'not committed', 'stop', 1, 1, NULL, '')")
        backup = backup_ledger(url(path))
        in_use.rollback()
    assert backups(path) == [backup]
    assert backup.stat().st_mode & 0o777 == 0o600
    assert texts(backup) == texts(path)
    assert check_ledger(url(backup)).rows == 50


def test_the_newest_two_backups_stay_and_what_others_have_put_there(closed: Path, tmp_path: Path) -> None:
    path = copied(closed, tmp_path)
    theirs = tmp_path / "ledger.sqlite.backup-before-the-move"
    theirs.touch()
    left, in_work = (tmp_path / f".ledger.sqlite.backup-{name}.unfinished" for name in ("left", "in-work"))
    for file, age_s in ((left, 2 * 24 * 3600), (in_work, 0)):
        file.touch()
        os.utime(file, (time.time() - age_s,) * 2)
    made = [backup_of(path, LONG_AGO + timedelta(days=day)) for day in range(4)]
    last = backup_ledger(url(path))
    assert backups(path) == sorted([in_work, made[-1], last, theirs])


def cut_log(path: Path) -> None:
    overwrite(path.with_name(path.name + "-wal"), 32 + 24 + 4120, b"\xff" * 100)


def bad_page(path: Path) -> None:
    overwrite(path, 6 * PAGE_BYTES, b"\xff" * PAGE_BYTES)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


@pytest.mark.parametrize("damage", [cut_log, bad_page, emptied])
def test_a_damaged_ledger_is_not_backed_up_and_no_good_backup_goes(
    closed: Path, killed: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = copied(killed if damage is cut_log else closed, tmp_path)
    good = [backup_of(path, LONG_AGO + timedelta(days=day)) for day in range(2)]
    content = [file.read_bytes() for file in good]
    damage(path)
    for _ in range(3):
        code, said = stillroom("backup", "--ledger", url(path))
        assert code == 2 and len(said.splitlines()) == 1 and "run: stillroom ledger check" in said
    assert backups(path) == good
    assert [file.read_bytes() for file in good] == content


def test_a_backup_that_is_killed_before_it_is_whole_is_none(closed: Path, tmp_path: Path) -> None:
    path = copied(closed, tmp_path)
    earlier = backup_of(path)
    code = (
        "import os, sys; os.fsync = lambda _: os.kill(os.getpid(), 9)\n"
        "from tasks.ledger.backup import backup_ledger; backup_ledger(sys.argv[1])"
    )
    ended = subprocess.run([sys.executable, "-c", code, url(path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    newest = newest_backup(path)
    assert newest is not None and newest.path == earlier
    assert backup_ledger(url(path)) in backups(path)


def test_a_backup_is_written_where_it_is_told_to_and_replaces_the_earlier_one(closed: Path, tmp_path: Path) -> None:
    path, to = copied(closed, tmp_path), tmp_path / "elsewhere" / "copy.sqlite"
    to.parent.mkdir()
    for _ in range(2):
        code, said = stillroom("backup", "--to", str(to), "--ledger", url(path))
        assert code == 0 and str(to) in said
        assert texts(to) == EVERYTHING
        to.write_bytes(b"SQLite format 3\0, and then damage")
    assert list(to.parent.iterdir()) == [to]
    assert newest_backup(path) is None


@pytest.mark.parametrize("to", ["ledger.sqlite", "thesis.txt", "folder", "nowhere/copy.sqlite"])
def test_a_backup_takes_the_place_of_nothing_else(closed: Path, tmp_path: Path, to: str) -> None:
    path = copied(closed, tmp_path)
    (tmp_path / "thesis.txt").write_text("my thesis")
    (tmp_path / "folder").mkdir()
    before = {file: file.is_file() and file.read_bytes() for file in tmp_path.rglob("*")}
    code, said = stillroom("backup", "--to", str(tmp_path / to), "--ledger", url(path))
    assert code == 2 and len(said.splitlines()) == 1 and "--to FILE" in said
    assert {file: file.is_file() and file.read_bytes() for file in tmp_path.rglob("*")} == before


def test_another_programs_database_is_not_backed_up(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE photos (name)")
    before = path.read_bytes()
    code, said = stillroom("backup", "--ledger", url(path))
    assert code == 2 and len(said.splitlines()) == 1 and "this is no ledger" in said
    assert path.read_bytes() == before and backups(path) == []


def test_on_postgresql_one_line_says_who_makes_backups(postgres: Postgres) -> None:
    where = postgres.new_database()
    code, said = stillroom("backup", "--ledger", where)
    assert code == 2 and len(said.splitlines()) == 1 and "pg_dump" in said
    assert postgres.password not in said


def test_check_tells_where_the_newest_backup_is_and_how_old(closed: Path, tmp_path: Path) -> None:
    path = copied(closed, tmp_path)
    assert "newest backup: none; make one: stillroom ledger backup" in stillroom("check", "--ledger", url(path))[1]
    backup_of(path, LONG_AGO - timedelta(days=1))
    second = backup_of(path)
    assert f"newest backup: {second}, 9 days old" in stillroom("check", "--ledger", url(path))[1]
    path.unlink()
    code, said = stillroom("repair", "--ledger", url(path))
    assert code == 2 and f"its newest backup is {second}, 9 days old: copy that there" in said


def test_a_ledger_is_backed_up_before_an_update_adds_to_its_tables(closed: Path, tmp_path: Path) -> None:
    path = copied(closed, tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE request_leases")
    run_in_loop(Ledger(url(path)).close())
    [backup] = backups(path)
    assert texts(backup) == EVERYTHING
    with closing(sqlite3.connect(backup)) as connection:
        assert ("request_leases",) not in connection.execute("SELECT name FROM sqlite_schema").fetchall()
    run_in_loop(Ledger(url(path)).close())
    assert backups(path) == [backup]


def test_a_damaged_ledger_is_not_changed_by_an_update(closed: Path, tmp_path: Path) -> None:
    path = copied(closed, tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE request_leases")
    bad_page(path)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"damaged .*run: stillroom ledger check"):
        Ledger(url(path))
    assert path.read_bytes() == before and backups(path) == []


@pytest.mark.parametrize("damage", [bad_page, emptied])
def test_a_repair_adds_the_rows_of_the_newest_backup(
    closed: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    path = copied(closed, tmp_path)
    backup = backup_of(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "INSERT INTO completions VALUES (zeroblob(16), 'm', 'later', 'stop', 1, 1, NULL, '2026-01-01 00:00:00')"
        )
        connection.commit()
    damage(path)
    code, said = stillroom("repair", "--ledger", url(path))
    assert code == 0 and f"the rows of the newest backup are among them: {backup}" in said
    later = {} if damage is emptied else {bytes(16): "later"}
    assert texts(path) == EVERYTHING | later
    assert backup.exists()
    assert check_ledger(url(path)).healthy


def test_a_damaged_backup_does_not_stop_a_repair(closed: Path, tmp_path: Path) -> None:
    path = copied(closed, tmp_path)
    backup = backup_of(path)
    lost = overwrite(backup, 10 * PAGE_BYTES, bytes(20 * PAGE_BYTES))
    bad_page(path)
    _, repaired = repair_ledger(url(path))
    assert repaired is not None and (repaired.saved, repaired.lost) == (ROWS, 0)
    assert lost and texts(path) == EVERYTHING
