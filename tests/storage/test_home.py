"""The home: private to its user, at any path."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.ledger.check import check_ledger
from tasks.ledger.database import open_database, parsed
from tasks.storage.home import check_home, ledger_url, make_private, prepare_environment
from tests.flows.command.test_main import SLOW, questions
from tests.serving import ROOT, environment

ODD = {
    "a question mark": "what?",
    "a query": "a?b=c&d",
    "a hash": "a#b",
    "a percent sign": "50%3F",
    "a blank": "my data",
}


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def ledger_files(home: Path) -> dict[str, int]:
    return {path.name: mode(path) for path in home.glob("ledger.sqlite*")}


def test_a_home_and_its_ledger_are_the_users_alone(home: Path) -> None:
    check_home()
    assert mode(home) == 0o700
    engine = open_database(ledger_url(), 1)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE more (x)")
        assert ledger_files(home) == {"ledger.sqlite": 0o600, "ledger.sqlite-wal": 0o600, "ledger.sqlite-shm": 0o600}
    engine.dispose()


def test_a_home_that_an_earlier_version_left_open_is_closed(home: Path) -> None:
    home.mkdir(mode=0o755)
    engine = open_database(ledger_url(), 1)
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        for path in home.glob("ledger.sqlite*"):
            path.chmod(0o644)
        connection.exec_driver_sql("ROLLBACK")
        check_home()
        open_database(ledger_url(), 1).dispose()
        assert mode(home) == 0o700
        assert set(ledger_files(home).values()) == {0o600}
    engine.dispose()


def test_a_folder_that_is_more_than_a_home_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = tmp_path / "work"
    (work / "here").mkdir(parents=True)
    work.chmod(0o755)
    monkeypatch.chdir(work / "here")
    make_private(work)
    assert mode(work) == 0o755


def test_another_users_home_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    theirs.chmod(0o755)
    monkeypatch.setattr(os, "geteuid", lambda: theirs.stat().st_uid + 1)
    make_private(theirs)
    assert mode(theirs) == 0o755


@pytest.mark.parametrize("name", ODD)
def test_a_ledger_lies_in_its_home_whatever_the_path_holds(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / ODD[name]
    monkeypatch.setenv("STILLROOM_HOME", str(home))
    check_home()
    open_database(ledger_url(), 1).dispose()
    assert (home / "ledger.sqlite").stat().st_size > 0
    assert [path.name for path in tmp_path.iterdir()] == [home.name], "something lies beside the home"
    assert check_ledger(ledger_url()).healthy


@pytest.mark.parametrize("name", ODD)
def test_prefects_database_lies_in_the_home_whatever_the_path_holds(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / ODD[name]
    environ = environment(tmp_path) | {"STILLROOM_HOME": str(home)}
    code = (
        "import flows, sqlalchemy, prefect.settings as s\n"
        "url = s.get_current_settings().server.database.connection_url.get_secret_value()\n"
        "with sqlalchemy.create_engine(url.replace('+aiosqlite', '')).begin() as c: c.exec_driver_sql('CREATE TABLE t (x)')"
    )
    subprocess.run([sys.executable, "-c", code], env=environ, cwd=ROOT, check=True)
    with sqlite3.connect(
        f"file:{home / 'prefect'}/prefect.db".replace("%", "%25").replace("?", "%3f").replace("#", "%23"), uri=True
    ) as there:
        assert there.execute("SELECT name FROM sqlite_master").fetchall() == [("t",)]
    there.close()
    assert [path.name for path in tmp_path.iterdir()] == [home.name]


def test_a_database_that_the_user_names_for_prefect_counts_more(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = {
        "STILLROOM_HOME": f"{home}?",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": "postgresql+asyncpg://host/prefect",
    }
    monkeypatch.setattr(os, "environ", dict(os.environ) | theirs)
    prepare_environment()
    assert os.environ["PREFECT_SERVER_DATABASE_CONNECTION_URL"] == "postgresql+asyncpg://host/prefect"


def test_a_url_that_the_user_names_keeps_its_query() -> None:
    assert parsed("sqlite:////data/ledger.sqlite?timeout=5").database == "/data/ledger.sqlite"


@pytest.mark.slow
def test_a_whole_run_in_a_home_with_a_question_mark(tmp_path: Path) -> None:
    home = tmp_path / "what?" / "home"
    command = [
        sys.executable,
        "-m",
        "flows.command.main",
        "sft",
        "--recipe",
        "respond",
        "--seeds",
        questions(tmp_path, 3),
        "--model",
        SLOW,
        "--out",
        "out",
    ]
    done = subprocess.run(
        command, env=environment(tmp_path) | {"STILLROOM_HOME": str(home)}, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert (home / "ledger.sqlite").exists() and (home / "prefect" / "prefect.db").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"what?", "questions.jsonl", "out", "requests.log"}
