"""The ledger's two kinds of database: the same completions come back from both, and what cannot be used is one line."""

from __future__ import annotations

import math
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier

import pytest
import sqlalchemy as sa

from tasks.engine.context import Context
from tasks.engine.loop import run_in_loop
from tasks.engine.requests.pending import PendingRequest
from tasks.errors import ConfigError
from tasks.ledger.batches.kept import check_batches_are_kept
from tasks.ledger.batches.records import make_tables
from tasks.ledger.database import engine_of, open_database
from tasks.ledger.ledger import Ledger
from tasks.models.base import Completion, Request, Sampling, TokenLogprobs
from tasks.models.config import ModelConfig
from tasks.models.scripted import ScriptedModel
from tasks.storage.digest import digest
from tests.engine.world import world
from tests.postgres import Postgres
from tests.rows import a_row

ROOT = Path(__file__).parents[2]
REQUEST = Request(Sampling(), seed=1, prompt="Once")

STORED = {
    "all of Unicode": Completion(
        "".join(map(chr, [*range(1, 0xD800), *range(0xE000, 0x3000 + 0xE000), 0x10FFFF])), "length"
    ),
    "nothing": Completion("", "content_filter", 0, 0),
    "huge": Completion("väst " * 1_000_000, "stop", 2**31, 2**40),
    "quotes and escapes": Completion("'; DROP TABLE completions; -- \\x00 \\u0000 %s :name {} ''"),
    "logprobs and reasoning": Completion(
        "a", logprobs=(TokenLogprobs("é\n", -1e-9, {"é\n": -1e-9, "\\": -math.inf}),), reasoning="so it is: ∎"
    ),
    "empty logprobs and empty reasoning": Completion("a", logprobs=(), reasoning=""),
}
CLEANED = {
    "NUL": (Completion("a\0b\0"), Completion("a\ufffdb\ufffd")),
    "half a pair": (Completion("a\ud800b", reasoning="\udfff"), Completion("a\ufffdb", reasoning="\ufffd")),
    "both halves of a pair, apart": (Completion("\ud83d\ude00"), Completion("\U0001f600")),
    "NUL in a token": (
        Completion("x", logprobs=(TokenLogprobs("\0", -1.0, {"\0": -1.0, "\ud800": -2.0}),)),
        Completion("x", logprobs=(TokenLogprobs("\ufffd", -1.0, {"\ufffd": -2.0}),)),
    ),
}


def answered(url: str, completion: Completion | None) -> Completion:
    """What one row gets from a ledger opened anew, where a model would answer so (or has no answer)."""
    ledger = Ledger(url)
    model = ScriptedModel([] if completion is None else [completion])
    try:
        return run_in_loop(
            ledger.answer(digest("key"), model, REQUEST, PendingRequest(Context(), a_row(), ModelConfig()))
        )
    finally:
        run_in_loop(ledger.close())


@pytest.mark.parametrize("name", STORED)
def test_a_completion_comes_back_unchanged(ledger_url: str, name: str) -> None:
    assert answered(ledger_url, STORED[name]) == STORED[name]
    assert answered(ledger_url, None) == STORED[name]


@pytest.mark.parametrize("name", CLEANED)
def test_what_is_no_text_is_cleaned_before_it_is_used_and_comes_back_so(ledger_url: str, name: str) -> None:
    given, clean = CLEANED[name]
    assert answered(ledger_url, given) == clean
    assert answered(ledger_url, None) == clean


def test_many_that_make_a_ledger_in_the_same_moment_all_get_it(ledger_url: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        for engine in pool.map(lambda _: open_database(ledger_url, 20), range(8)):
            engine.dispose()
    assert answered(ledger_url, Completion("a")).text == "a"


def test_the_same_run_again_and_an_appended_row_cost_what_is_new(ledger_url: str) -> None:
    with world(ledger_url) as w:
        first = w.run([f"question {i}" for i in range(1500)], lambda _: "yes", shard_rows=400)
        again = w.run(["new", *(f"question {i}" for i in range(1500))], lambda _: "yes")
    assert (first.requests, again.requests) == (1500, 1)


# Versions, and other programs' databases.


def executed(url: str, statement: str, server: Postgres) -> None:
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            connection.execute(statement)
        connection.close()
    else:
        server.execute(statement, url)


def test_a_ledger_of_a_later_version_is_refused(ledger_url: str, postgres: Postgres) -> None:
    answered(ledger_url, Completion("a"))
    executed(ledger_url, "UPDATE ledger_version SET version = 2", postgres)
    with pytest.raises(ConfigError, match=r"of a later version, 2: .* \(update stillroom: this one reads version 1\)"):
        Ledger(ledger_url)


def test_a_ledger_from_before_there_were_versions_is_taken(ledger_url: str, postgres: Postgres) -> None:
    answered(ledger_url, Completion("a"))
    executed(ledger_url, "DROP TABLE ledger_version", postgres)
    assert answered(ledger_url, None).text == "a"


def test_a_ledger_from_before_there_were_leases_is_taken(ledger_url: str, postgres: Postgres) -> None:
    answered(ledger_url, Completion("a"))
    executed(ledger_url, "DROP TABLE request_leases", postgres)
    assert answered(ledger_url, None).text == "a"
    executed(ledger_url, "DELETE FROM request_leases", postgres)  # it is there


def test_a_user_who_may_not_make_the_new_table_is_told_who_may(postgres: Postgres) -> None:
    url = postgres.new_database()
    answered(url, Completion("a"))
    postgres.execute(f"CREATE USER writer PASSWORD '{postgres.password}'")
    postgres.execute("GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO writer", url)
    theirs = url.replace("//stillroom:", "//writer:")
    with pytest.raises(ConfigError, match=r"the ledger may not be written.*DELETE ON request_leases"):
        Ledger(theirs)
    postgres.execute("DROP TABLE request_leases", url)
    with pytest.raises(ConfigError, match=r"permission denied.*open it once as its owner.*DELETE ON request_leases"):
        Ledger(theirs)
    assert answered(url, None).text == "a"
    postgres.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO writer", url)
    assert answered(theirs, None).text == "a"


def test_a_user_who_may_not_keep_batches_is_told_before_anything_is_paid_for(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.new_database()
    answered(url, Completion("a"))
    postgres.execute(f"CREATE USER batcher PASSWORD '{postgres.password}'")
    postgres.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO batcher", url)
    theirs = url.replace("//stillroom:", "//batcher:")
    told = r"the ledger may not keep batches: postgresql://batcher:\*\*\*@.*GRANT .* ON request_batches, request_batch_lines"
    for who in (theirs, url, theirs):  # the owner's run makes the tables; they are not the user's to write yet
        monkeypatch.setenv("STILLROOM_LEDGER", who)
        if who == url:
            check_batches_are_kept()
        else:
            with pytest.raises(ConfigError, match=told):
                check_batches_are_kept()
    postgres.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON request_batches, request_batch_lines TO batcher", url)
    check_batches_are_kept()


def test_processes_that_make_the_tables_of_batches_at_once_do_not_collide(ledger_url: str) -> None:
    engine, together = open_database(ledger_url, 5), Barrier(6)

    def make() -> None:
        together.wait()
        with engine.begin() as connection:
            make_tables(connection)

    with ThreadPoolExecutor(6) as threads:
        for done in [threads.submit(make) for _ in range(6)]:
            done.result()
    engine.dispose()


def test_another_programs_table_of_completions_is_left_alone(ledger_url: str, postgres: Postgres) -> None:
    executed(ledger_url, "CREATE TABLE completions (key TEXT, text TEXT)", postgres)
    with pytest.raises(ConfigError, match=r"another program's.*has no column completion_tokens"):
        Ledger(ledger_url)
    engine = engine_of(ledger_url)
    assert sa.inspect(engine).get_table_names() == ["completions"]
    engine.dispose()


# What cannot be used is one clear line, without the password.

MISTAKES = {
    "no URL": ("ledger.sqlite", "write sqlite:///PATH"),
    "an empty one": ("", "write sqlite:///PATH"),
    "another database": ("mysql://me:geheim@host/db", "no ledger can be kept there: mysql"),
    "in memory": ("sqlite://", "a ledger is a file"),
    "a port that is none": ("postgresql://me:gehe/im@host:x/db", "write sqlite:///PATH or postgresql"),
    "nobody there": (
        "postgres://me:geheim@127.0.0.1:1/db?password=geheim",
        "postgresql://me:***@127.0.0.1:1/db: connection",
    ),
    "no such folder": ("sqlite:////nowhere/at/all/ledger.sqlite", "in a folder that you may write"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_url_that_cannot_be_used_is_one_clear_line(name: str) -> None:
    url, expected = MISTAKES[name]
    with pytest.raises(ConfigError) as caught:
        Ledger(url, wait_s=0)
    line = str(caught.value)
    assert expected in line
    assert "\n" not in line and "gehe" not in line


def test_what_a_server_refuses_is_one_clear_line(postgres: Postgres) -> None:
    latin = postgres.new_database("ENCODING 'LATIN1' TEMPLATE template0")
    for url, expected in [
        (postgres.url(password="geheim"), "password authentication failed"),
        (postgres.url("nowhere"), 'database "nowhere" does not exist'),
        (latin, "not in UTF-8: LATIN1"),
    ]:
        with pytest.raises(ConfigError, match=expected) as caught:
            Ledger(url)
        line = str(caught.value)
        assert "\n" not in line and "geheim" not in line and postgres.password not in line


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_postgresql_is_taken(postgres: Postgres, scheme: str) -> None:
    url = postgres.new_database().replace("postgresql", scheme, 1)
    assert answered(url, Completion("a")).text == "a"


def test_without_psycopg_the_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError, match=r'pip install "stillroom\[postgres\]"') as caught:
        Ledger("postgresql://me:geheim@127.0.0.1/db")
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"", None], ids=["garbage", "empty", "a folder"])
def test_a_file_that_is_no_ledger_is_one_clear_line_and_is_not_touched(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ledger.sqlite"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        Ledger(f"sqlite:///{path}")
    line = str(caught.value)
    assert str(path) in line and "\n" not in line
    assert content is None or ("run: stillroom ledger check" in line and path.read_bytes() == content)


@contextmanager
def without_rights() -> Iterator[None]:
    """Nothing is closed to root: as nobody, then."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(was)


@pytest.mark.parametrize("rights", [(0o444, 0o777), (0o666, 0o555)], ids=["the file", "its folder"])
def test_a_ledger_that_may_not_be_written_is_told_before_anything_is_paid_for(rights: tuple[int, int]) -> None:
    with TemporaryDirectory() as folder:  # not pytest's, which is closed to nobody
        path = Path(folder) / "ledger.sqlite"
        answered(f"sqlite:///{path}", Completion("a"))
        path.chmod(rights[0])
        Path(folder).chmod(rights[1])
        try:
            with (
                without_rights(),
                pytest.raises(ConfigError, match=r"the ledger (may not be written|cannot be used)") as caught,
            ):
                Ledger(f"sqlite:///{path}")
        finally:
            Path(folder).chmod(0o755)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_user_who_may_only_read_is_told_before_anything_is_paid_for(postgres: Postgres) -> None:
    url = postgres.new_database()
    answered(url, Completion("a"))
    postgres.execute(f"CREATE USER reader PASSWORD '{postgres.password}'")
    postgres.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", url)
    with pytest.raises(ConfigError, match="the ledger may not be written"):
        Ledger(url.replace("//stillroom:", "//reader:"))


# The command.


def test_the_command_says_so_before_anything_is_started(postgres: Postgres, tmp_path: Path) -> None:
    (tmp_path / "seeds.jsonl").write_text('{"instruction": "a"}\n')
    environment = {
        "STILLROOM_HOME": str(tmp_path),
        "STILLROOM_LEDGER": postgres.url(password="geheim"),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "flows.command.main", "sft", "--recipe", "respond", "--seeds", "seeds.jsonl"]
    said = subprocess.run(
        command, cwd=tmp_path, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert said.returncode == 2
    assert len(said.stderr.splitlines()) == 1 and "password authentication failed" in said.stderr
    assert "geheim" not in said.stderr + said.stdout
