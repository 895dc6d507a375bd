"""`stillroom ledger check` and `repair` on files that are really damaged, byte by byte."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from flows.command.main import app
from tasks.engine.loop import run_in_loop
from tasks.errors import ConfigError
from tasks.ledger.batches import records
from tasks.ledger.batches.records import BatchRecord
from tasks.ledger.check import check_ledger
from tasks.ledger.database import open_database
from tasks.ledger.lease_statements import claim, held
from tasks.ledger.ledger import Ledger
from tasks.ledger.owner import batch_owner
from tasks.ledger.repair import repair_ledger
from tests.postgres import Postgres

ROWS, PAGE_BYTES = 300, 4096
INSERT = "INSERT INTO completions VALUES (?, ?, ?, 'stop', 7, 2, NULL, '2026-01-01 00:00:00')"


def mark(number: int) -> str:
    return f"<{number:06d}>"


def text_of(number: int) -> str:
    """Mostly short, some on a chain of pages; every page that holds a piece of it holds its mark."""
    return mark(number) * random.Random(number).choice([3, 20, 40, 120, 800, 3000])


def key_of(number: int) -> bytes:
    return random.Random(-number).randbytes(16)


def written(path: Path, count: int = ROWS, commit_every: int = 40) -> sqlite3.Connection:
    """A ledger with rows in it, still open."""
    open_database(f"sqlite:///{path}", 1).dispose()
    connection = sqlite3.connect(path)
    for number in range(count):
        connection.execute(INSERT, (key_of(number), f"model-{number % 2}", text_of(number)))
        if number % commit_every == 0:
            connection.commit()
    connection.commit()
    return connection


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("closed") / "ledger.sqlite"
    written(path).close()
    return path


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger as a killed process leaves it: half of it is in the write-ahead log alone."""
    folder, live = tmp_path_factory.mktemp("killed"), tmp_path_factory.mktemp("live") / "ledger.sqlite"
    connection = written(live, ROWS // 2)
    connection.execute("PRAGMA wal_checkpoint(RESTART)")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    for number in range(ROWS // 2, ROWS):
        connection.execute(INSERT, (key_of(number), f"model-{number % 2}", text_of(number)))
        if number % 15 == 0:
            connection.commit()
    connection.commit()
    for file in live.parent.iterdir():
        shutil.copy(file, folder)
    connection.close()
    return folder / "ledger.sqlite"


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def copied(ledger: Path, folder: str | Path) -> Path:
    for file in ledger.parent.iterdir():
        shutil.copy(file, folder)
    return Path(folder) / ledger.name


def texts(path: Path) -> dict[bytes, str]:
    with sqlite3.connect(path) as connection:
        return dict(connection.execute("SELECT key, text FROM completions"))


EVERYTHING = {key_of(number): text_of(number) for number in range(ROWS)}


def expected_after(lost_bytes: bytes) -> dict[bytes, str]:
    """The rows that have no piece in what was overwritten."""
    gone = {number for number in range(ROWS) if mark(number).encode() in lost_bytes}
    return {key_of(number): text_of(number) for number in range(ROWS) if number not in gone}


def overwrite(file: Path, at: int, data: bytes) -> bytes:
    """Overwrite some bytes of a file; what was there."""
    with file.open("rb+") as opened:
        opened.seek(at)
        before = opened.read(len(data))
        opened.seek(at)
        opened.write(data[: len(before)])
    return before


def repaired_as_expected(path: Path, before: bytes, *, counts_lost: bool = True) -> None:
    expected = expected_after(before)
    damaged_bytes = path.read_bytes()
    _, repaired = repair_ledger(url(path))
    assert check_ledger(url(path)).healthy
    found = texts(path)
    assert found.items() >= expected.items(), "a good row is lost"
    assert found.items() <= EVERYTHING.items(), "a row has come out altered"
    if repaired is None:  # what was overwritten held nothing
        assert found == EVERYTHING
        return
    assert repaired.saved == len(found)
    assert repaired.lost <= ROWS - len(found)
    assert repaired.lost == ROWS - len(found) or not counts_lost
    assert Path(repaired.kept).read_bytes() == damaged_bytes
    assert not [file for file in path.parent.iterdir() if "repaired" in file.name]


some_bytes = st.one_of(
    st.just(bytes(PAGE_BYTES)),
    st.just(b"\xff" * PAGE_BYTES),
    st.just((b"words " * PAGE_BYTES)[:PAGE_BYTES]),  # such as a text may have
    st.integers().map(lambda s: random.Random(s).randbytes(PAGE_BYTES)),
)
pages = settings(max_examples=30, deadline=None, derandomize=True)


@pages
@given(page=st.integers(0, 10**6), data=some_bytes)
def test_all_rows_that_are_not_on_an_overwritten_page_survive(closed: Path, page: int, data: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = copied(closed, folder)
        count = path.stat().st_size // PAGE_BYTES
        repaired_as_expected(path, overwrite(path, page % count * PAGE_BYTES, data))


@pages
@given(page=st.integers(0, 10**6), data=some_bytes, in_log=st.booleans())
def test_and_so_they_do_after_a_kill_when_half_of_them_are_in_the_log(
    killed: Path, page: int, data: bytes, in_log: bool
) -> None:
    with TemporaryDirectory() as folder:
        path = copied(killed, folder)
        file = path.with_name(path.name + "-wal") if in_log else path
        step, start = (PAGE_BYTES + 24, 32) if in_log else (PAGE_BYTES, 0)
        count = (file.stat().st_size - start) // step
        whole = (data + data)[:step]  # of a frame its header, too
        repaired_as_expected(path, overwrite(file, start + page % count * step, whole))


def test_a_row_whose_end_was_written_over_by_other_text_is_not_taken(tmp_path: Path) -> None:
    """It still ends where SQLite expects it to; its finish reason, which comes after its text, is none."""
    path = tmp_path / "ledger.sqlite"
    with closing(written(path, 1)) as connection:
        connection.execute(INSERT, (b"long".ljust(16), "m", "the answer " * 500))
        connection.commit()
    overwrite(path, path.stat().st_size - PAGE_BYTES, b"words " * (PAGE_BYTES // 6))
    _, repaired = repair_ledger(url(path))
    assert repaired is not None and (repaired.saved, repaired.lost) == (1, 1)
    assert texts(path) == {key_of(0): text_of(0)}


@pages
@example(at=20, data=b"\x01")  # the header's bytes that SQLite keeps free on each page
@example(at=16, data=b"\x08")  # its size of a page: half of it
@example(at=16, data=b"\x40")  # four times
@example(at=3599, data=b"\x00\x80")  # the schema's text
@given(at=st.integers(0, 10**9), data=st.binary(min_size=1, max_size=64))
def test_a_few_bytes_overwritten_cost_no_row_elsewhere(closed: Path, at: int, data: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = copied(closed, folder)
        at %= path.stat().st_size
        page = at // PAGE_BYTES * PAGE_BYTES
        on_page = path.read_bytes()[page : page + 2 * PAGE_BYTES]
        overwrite(path, at, data)
        health, repaired = repair_ledger(url(path))
        found = texts(path)
        assert found.keys() >= expected_after(on_page).keys()
        assert (repaired is None) == health.healthy


@pytest.mark.parametrize("pages_left", [0.02, 0.3, 0.9], ids=str)
def test_of_a_truncated_file_every_row_before_the_cut_survives(closed: Path, tmp_path: Path, pages_left: float) -> None:
    path = copied(closed, tmp_path)
    size = int(path.stat().st_size * pages_left) + 1234
    cut = path.read_bytes()[size // PAGE_BYTES * PAGE_BYTES :]
    os.truncate(path, size)
    with pytest.raises(ConfigError, match="stillroom ledger check"):
        Ledger(url(path))
    repaired_as_expected(path, cut, counts_lost=False)  # with the last rows, all that knew of them may be gone


def test_a_file_cut_to_nothing_gives_back_what_its_log_still_holds(killed: Path, tmp_path: Path) -> None:
    path = copied(killed, tmp_path)
    before = path.read_bytes()
    os.truncate(path, 0)
    with pytest.raises(ConfigError, match=r"the file is empty \(run: stillroom ledger check\)"):
        Ledger(url(path))
    _, repaired = repair_ledger(url(path))
    found = texts(path)
    assert repaired is not None
    assert repaired.saved == len(found) >= ROWS // 2 - 1
    assert found.items() <= EVERYTHING.items()
    assert found.items() >= expected_after(before).items()


def test_a_log_that_is_gone_is_told(killed: Path, tmp_path: Path) -> None:
    path = copied(killed, tmp_path)
    path.with_name(path.name + "-wal").unlink()
    with pytest.raises(ConfigError, match=r"-wal, which held the last commits, is gone \(run: stillroom ledger check"):
        Ledger(url(path))
    _, repaired = repair_ledger(url(path))
    assert repaired is not None and repaired.saved >= ROWS // 2
    run_in_loop(Ledger(url(path)).close())


def test_a_healthy_ledger_is_left_alone(closed: Path, killed: Path, tmp_path: Path) -> None:
    for number, ledger in enumerate((closed, killed)):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = copied(ledger, folder)
        files = {file.name: file.read_bytes() for file in folder.iterdir() if not file.name.endswith("-shm")}
        health, repaired = repair_ledger(url(path))
        assert health.healthy and health.rows == ROWS and repaired is None
        assert health.by_model == {"model-0": ROWS // 2, "model-1": ROWS // 2}
        assert {f.name: f.read_bytes() for f in folder.iterdir() if not f.name.endswith("-shm")} == files


def test_a_transaction_that_a_kill_cut_short_is_no_damage(tmp_path: Path) -> None:
    path, code = (
        tmp_path / "ledger.sqlite",
        (
            "import os, sqlite3, sys\n"
            "c = sqlite3.connect(sys.argv[1]); c.execute('PRAGMA cache_size=5')\n"  # spills into the log before the commit
            "c.executemany(sys.argv[2], [(os.urandom(16), 'm', 'x' * 9000) for _ in range(50)])\n"
            "os.kill(os.getpid(), 9)\n"
        ),
    )
    kept = written(path, 5)
    ended = subprocess.run([sys.executable, "-c", code, str(path), INSERT], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert path.with_name(path.name + "-wal").stat().st_size > 50 * 9000
    health = check_ledger(url(path))
    assert health.healthy and health.rows == 5
    kept.close()


BAD_ENTRIES = {
    "bad JSON": ("extra", b"{nonsense"),
    "JSON of another kind": ("extra", b"[1, 2]"),
    "impossible finish reason": ("finish_reason", "tired"),
    "negative count": ("prompt_tokens", -5),
    "no text": ("text", b"\xff\xfe"),
    "NUL in the text": ("text", "a\0b"),
}


@pytest.mark.parametrize("name", BAD_ENTRIES)
def test_an_entry_that_cannot_be_read_is_told_by_its_key_and_the_others_are_saved(
    closed: Path, tmp_path: Path, name: str
) -> None:
    path, (column, value) = copied(closed, tmp_path), BAD_ENTRIES[name]
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE completions SET {column} = ? WHERE key = ?", (value, key_of(5)))
    connection.close()
    health, repaired = repair_ledger(url(path))
    assert list(health.faults) == [key_of(5)] and key_of(5).hex() in health.faults[key_of(5)]
    assert repaired is not None and (repaired.saved, repaired.lost) == (ROWS - 1, 1)
    assert texts(path) == {key: text for key, text in EVERYTHING.items() if key != key_of(5)}


def test_entries_that_cannot_be_read_are_set_aside_in_postgresql(postgres: Postgres) -> None:
    where = postgres.new_database()
    run_in_loop(Ledger(where).close())
    for number, reason in enumerate(["stop", "tired", "length"]):
        row = f"'\\x{number:032x}', 'm', 'text', '{reason}', 1, 2"
        postgres.execute(f"INSERT INTO completions VALUES ({row})", where)
    health, repaired = repair_ledger(where)
    assert (health.rows, len(health.faults)) == (2, 1)
    assert "tired" in next(iter(health.faults.values()))
    assert repaired is not None and (repaired.saved, repaired.lost) == (2, 1)
    assert check_ledger(where).healthy
    assert postgres.execute("SELECT finish_reason FROM completions_unreadable", where) == [("tired",)]
    assert postgres.password not in f"{health}{repaired}"


def test_a_repair_that_was_killed_half_way_is_made_good_by_the_next(killed: Path, tmp_path: Path) -> None:
    path = copied(killed, tmp_path)
    with TemporaryDirectory() as other:  # what a repair leaves that was killed after it had moved the log away
        whole = copied(killed, other)
        sqlite3.connect(whole).execute("PRAGMA wal_checkpoint(TRUNCATE)").connection.close()
        shutil.copy(whole, f"{path}.repaired-2026-01-01T000000")
    path.with_name(path.name + "-wal").unlink()
    _, repaired = repair_ledger(url(path))
    assert repaired is not None and repaired.saved == ROWS
    assert texts(path) == EVERYTHING
    assert not list(tmp_path.glob("*repaired*"))


def test_a_ledger_that_another_process_has_open_is_not_repaired(closed: Path, tmp_path: Path) -> None:
    path = copied(closed, tmp_path)
    overwrite(path, 5 * PAGE_BYTES, b"\xff" * PAGE_BYTES)
    code = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM completions').fetchone(); print(); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as user:
        assert user.stdout is not None
        user.stdout.readline()
        before = path.read_bytes()
        with pytest.raises(ConfigError, match="another process uses the ledger"):
            repair_ledger(url(path))
        assert path.read_bytes() == before
        user.communicate(b"\n")
    assert repair_ledger(url(path))[1] is not None


# The command.


def stillroom(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["ledger", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_the_command_tells_what_is_there_and_repairs_it(closed: Path, tmp_path: Path) -> None:
    path = copied(closed, tmp_path)
    code, said = stillroom("check", "--ledger", url(path))
    assert code == 0 and f"{ROWS} rows" in said and f"model-1: {ROWS // 2}" in said and "database: whole" in said
    overwrite(path, 7 * PAGE_BYTES, bytes(PAGE_BYTES))
    code, said = stillroom("check", "--ledger", url(path))
    assert code == 1 and "run: stillroom ledger repair" in said
    code, said = stillroom("repair", "--ledger", url(path))
    assert code == 0 and "that were there could not be read" in said and "ledger.sqlite.damaged-20" in said
    assert stillroom("repair", "--ledger", url(path))[1].endswith("nothing to repair\n")
    assert stillroom("check", "--ledger", url(path))[0] == 0


def not_sqlite(path: Path) -> None:
    path.write_text("my thesis\n" * 5000)


def empty(path: Path) -> None:
    path.touch()


@pytest.mark.parametrize("make", [not_sqlite, empty])
def test_a_file_in_which_nothing_is_found_is_not_touched(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "ledger.sqlite"
    make(path)
    before = path.read_bytes()
    assert stillroom("check", "--ledger", url(path))[0] == 1
    code, said = stillroom("repair", "--ledger", url(path))
    assert code == 1 and "nothing was changed" in said
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_where_there_is_no_ledger_none_is_made(tmp_path: Path) -> None:
    for command in ("check", "repair", "backup"):
        code, said = stillroom(command, "--ledger", url(tmp_path / "none.sqlite"))
        assert code == 2 and len(said.splitlines()) == 1 and "there is no ledger" in said
    assert list(tmp_path.iterdir()) == []


def test_a_repair_survives_any_bytes_at_all(tmp_path: Path) -> None:
    rng = random.Random(0)
    for number in range(50):
        path = tmp_path / f"{number}.sqlite"
        body = bytearray(rng.randbytes(4096 * 4))
        for page in range(4):
            body[page * 4096] = rng.choice([0x02, 0x05, 0x0A, 0x0D])
            struct.pack_into(">H", body, page * 4096 + 3, rng.randrange(65536))
        path.write_bytes(rng.choice([b"", b"SQLite format 3\0"]) + bytes(body))
        path.with_name(path.name + "-wal").write_bytes(rng.randbytes(20_000))
        before = path.read_bytes()
        health, repaired = repair_ledger(url(path))
        assert (health.healthy, health.rows, repaired) == (False, 0, None)
        assert path.read_bytes() == before


def in_a_batch(path: Path, count: int) -> BatchRecord:
    """The requests that follow those answered, written down as one batch under way."""
    record = BatchRecord(b"t" * 16, "model-0", "{}", "/v1/chat/completions", count)
    requests = {key_of(ROWS + number): b"{}" for number in range(count)}
    engine = open_database(url(path), 1)
    with engine.begin() as connection:
        records.make_tables(connection)
        claim(connection, sorted(requests), "me", 60_000)
        assert records.prepare(connection, record, requests, ["me"]) == set(requests)
        records.note(connection, record.tag, batch="batch_1")
    engine.dispose()
    return record


def test_batches_under_way_go_on_after_a_repair(closed: Path, tmp_path: Path) -> None:
    path = copied(closed, tmp_path)
    record = in_a_batch(path, 7)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    page = next(
        at for at in range(3, 200) if mark(5).encode() in path.read_bytes()[at * PAGE_BYTES : (at + 1) * PAGE_BYTES]
    )
    overwrite(path, page * PAGE_BYTES, b"\xff" * PAGE_BYTES)
    _, repaired = repair_ledger(url(path))
    assert repaired is not None and repaired.lost > 0 and repaired.in_batches == 7
    engine = open_database(url(path), 1)
    with engine.connect() as connection:
        [found] = records.all_records(connection)
        assert (found.tag, found.batch, found.lines) == (record.tag, "batch_1", 7)
        keys = [key_of(ROWS + number) for number in range(7)]
        assert records.requests_of_batch(connection, record.tag, keys) == dict.fromkeys(keys, b"{}")
        assert {owner for _, owner in held(connection, keys)} == {batch_owner(record.tag)}
        assert len(held(connection, keys)) == 7
    engine.dispose()


def test_batches_that_cannot_be_read_are_told(closed: Path, tmp_path: Path) -> None:
    path = copied(closed, tmp_path)
    in_a_batch(path, 7)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    overwrite(path, 0, bytes(16))  # what says that this is SQLite's
    _, repaired = repair_ledger(url(path))
    assert repaired is not None and repaired.saved == ROWS and repaired.in_batches is None
