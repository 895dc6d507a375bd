"""`stillroom clean`: what nothing needs goes, in the home, on an object store and in Prefect's history; no request is lost."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import ConfigError
from tasks.models.base import Request
from tasks.storage.digest import digest
from tasks.train.student import STUDENT_FILE
from tests.flows.runs.test_lineage import QUESTIONS, asked, failing, night, retry, text_of
from tests.flows.test_instruction_sft import Scripted, rule, sft, task_states

ALL = "0h"


def clean(older_than: str = ALL, dry_run: bool = False, backup: bool = False) -> dict[str, Any]:
    from flows.clean import clean as clean_flow

    return clean_flow(older_than, dry_run, backup)


def files(home: Path, *folders: str) -> list[str]:
    return sorted(
        str(path.relative_to(home)) for folder in folders for path in (home / folder).rglob("*") if path.is_file()
    )


def runs(home: Path) -> set[str]:
    return {path.parent.name for path in home.glob("runs/*/manifest.json")}


def database() -> Path:
    """The file of the Prefect server of this session."""
    from prefect.settings import get_current_settings

    return Path(str(get_current_settings().server.database.connection_url.get_secret_value()).partition(":///")[2])


def whole(until: int = 20) -> dict[str, Any]:
    return sft(recipe="respond", seeds=QUESTIONS[:until], max_attempts=2)


def test_the_next_night_costs_no_request_more_and_the_ledger_is_not_touched(scripted: Scripted, home: Path) -> None:
    model = scripted(rule)
    for until in (10, 20, 30):
        night(QUESTIONS[:until])
    tables, results = files(home, "tables"), files(home, "prefect")
    before = [path.read_bytes() for path in sorted(home.glob("ledger*"))]
    told = clean(dry_run=True)
    assert (files(home, "tables"), files(home, "prefect"), len(runs(home))) == (tables, results, 3)
    done = clean()
    assert done["tables"] == told["tables"]
    assert done["tables"]["files"] == len(tables)
    assert files(home, "tables") == []
    assert [path.read_bytes() for path in sorted(home.glob("ledger*"))] == before
    assert night(QUESTIONS)["requests"] == 10
    assert sft(recipe="respond", seeds=QUESTIONS)["requests"] == 0
    assert (asked(), len(model.requests)) == (QUESTIONS, 40)


def test_the_ledger_is_backed_up_before_anything_is_removed_and_a_damaged_one_keeps_everything(
    scripted: Scripted, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean(backup=True)
    assert not list(home.glob("ledger*")), "there was none to back up"
    scripted(rule)
    whole(5)
    clean(dry_run=True, backup=True)
    clean()
    assert not list(home.glob("*.backup-*"))
    clean(backup=True)
    [backup] = home.glob("*.backup-*")
    with closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("SELECT count(*) FROM completions").fetchone() == (5,)
    whole(10)
    there = files(home, "tables")
    (home / "damaged.sqlite").write_text("no longer a database" * 500)
    monkeypatch.setenv("STILLROOM_LEDGER", f"sqlite:///{home / 'damaged.sqlite'}")
    with pytest.raises(ConfigError, match=r"damaged.*run: stillroom ledger check"):
        clean(backup=True)
    assert there and files(home, "tables") == there
    assert list(home.glob("*.backup-*")) == [backup]


def test_what_is_younger_or_used_by_a_younger_run_stays(scripted: Scripted, home: Path) -> None:
    scripted(rule)
    whole(20)
    long_ago = time.time() - 40 * 24 * 3600
    for path in [*home.glob("tables/*/*"), *home.glob("runs/*/manifest.json")]:
        os.utime(path, (long_ago, long_ago))
    night(QUESTIONS[20:30])
    assert "tables" in clean("30d", dry_run=True)
    again = whole(20)
    before = files(home, "tables")
    done = clean("30d")
    assert (done.get("tables"), files(home, "tables")) == (None, before)
    assert again["run"] in runs(home)
    assert clean("39d").get("tables") is None


def test_of_runs_those_stay_that_a_dataset_or_a_retry_needs(scripted: Scripted, home: Path) -> None:
    scripted(failing(rule, lambda text: text.endswith("3")))
    first = whole()
    second = whole()
    scripted(failing(rule, lambda text: text == "question 13"))
    healed = retry(second["run"])
    elsewhere = sft(recipe="respond", seeds=QUESTIONS[:2], out="elsewhere")
    assert clean()["runs superseded"]["files"] > 1
    assert runs(home) == {second["run"], healed["run"], elsewhere["run"]}
    assert first["run"] not in runs(home)
    model = scripted(rule)
    assert retry(second["run"])["requests"] == 1
    assert ([text_of(request) for request in model.requests], asked()) == (["question 13"], QUESTIONS[:20])
    clean()
    assert len(runs(home)) == 4  # a retry is found by the run that it was a retry of


def test_a_home_of_an_earlier_version_keeps_what_a_retry_needs(scripted: Scripted, home: Path) -> None:
    scripted(failing(rule, lambda text: text == "question 3"))
    first = whole()
    for path in home.glob("runs/*/*.parquet"):
        path.unlink()
    clean()
    assert files(home, "tables") == []
    scripted(rule)
    assert (retry(first["run"])["requests"], asked()) == (1, QUESTIONS[:20])


def a_student(home: Path, name: str, *, used: float) -> Path:
    folder = home / "students" / name
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"0" * 1000)
    (folder / STUDENT_FILE).write_text("{}")
    os.utime(folder / STUDENT_FILE, (used, used))
    return folder


def test_students_go_that_nobody_has_used_of_late_and_what_was_measured_of_them_stays(
    scripted: Scripted, home: Path
) -> None:
    long_ago = time.time() - 40 * 24 * 3600
    old, new, teacher = (
        a_student(home, digest(name), used=used)
        for name, used in (("old", long_ago), ("new", time.time()), ("teacher", long_ago))
    )
    measured = home / "students" / "measures" / "of-old" / "answers.json"
    measured.parent.mkdir(parents=True)
    measured.write_text("[]")
    os.utime(measured, (long_ago, long_ago))
    killed, going_on = (home / "students" / f"{name}.training" for name in ("killed", "going-on"))
    for work in (killed, going_on):
        (work / "checkpoint-20").mkdir(parents=True)
        (work / "checkpoint-20" / "optimizer.pt").write_bytes(b"0" * 500)
        os.utime(work, (long_ago, long_ago))
    scripted(rule)
    sft(recipe="respond", seeds=[f"What does {teacher} say?"])
    with going_on.with_suffix(".lock").open("a") as lock:
        flock(lock, LOCK_EX)
        told = clean("30d", dry_run=True)["students"]
        assert told == {"files": 3, "bytes": 1502}
        assert old.exists()
        assert clean("30d")["students"] == told
    assert (old.exists(), killed.exists()) == (False, False)
    assert all(path.exists() for path in (new, teacher, going_on, measured))
    assert clean("30d")["students"]["files"] == 1  # it is no longer in training


def test_a_run_under_way_keeps_its_tables_and_finishes(scripted: Scripted, home: Path) -> None:
    from flows.runs.removal.freed import Freed
    from flows.runs.removal.tables import remove_tables

    scripted(rule)
    whole(10)
    removed: list[bool] = []

    def answer(request: Request) -> str:
        if not removed:
            results = home / "prefect" / "results"
            removed.append(remove_tables(time.time() + 1, str(home / "tables"), results, {}, Freed(dry=False)))
        return rule(request)

    scripted(answer)
    there = files(home, "tables")
    summary = sft(recipe="respond", seeds=QUESTIONS[:20], shard_rows=5)
    assert removed == [False]
    assert set(there) <= set(files(home, "tables"))
    assert (summary["rows"], summary["requests"]) == (20, 10)
    assert clean()["tables"]["files"] > len(there)


def test_tables_on_an_object_store_go_too(
    scripted: Scripted, home: Path, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks.storage import places

    monkeypatch.setenv("STILLROOM_TABLES", f"{s3}/tables")
    scripted(failing(rule, lambda text: text == "question 3"))
    first = whole()
    there = list(places.entries(f"{s3}/tables"))
    assert there
    assert abs(there[0].modified - time.time()) < 3600
    assert clean("1h").get("tables") is None
    done = clean()
    assert done["tables"] == {"files": len(there), "bytes": sum(entry.bytes for entry in there)}
    assert list(places.entries(f"{s3}/tables")) == []
    scripted(rule)
    assert (retry(first["run"])["requests"], asked()) == (1, QUESTIONS[:20])


def test_prefects_history_goes_from_its_file_which_shrinks_and_stays_whole(scripted: Scripted) -> None:
    scripted(rule)
    names = [whole(until)["run"] for until in range(10, 16)]
    for name in names:
        task_states(name, 1)
    clean()
    assert known(names) == 6  # just ended: the server may still be writing down what they told it
    make_older(names)
    size = _bytes(database().parent)
    told = clean(dry_run=True)["prefect"]
    # runs of other tests on this server may have become old enough meanwhile, and go with these
    assert told["counts"]["flow runs"] >= 6 == known(names)
    done = clean()["prefect"]
    assert done["counts"]["flow runs"] >= told["counts"]["flow runs"]
    assert known(names) == 0
    assert done["counts"]["artifacts"] >= told["counts"]["artifacts"]
    assert min(done["counts"]["events"], done["counts"]["logs"], done["counts"]["artifacts"]) > 6
    assert min(done["bytes"], told["bytes"], size - _bytes(database().parent)) > 0
    with closing(sqlite3.connect(database())) as left:
        assert left.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert left.execute("PRAGMA foreign_key_check").fetchall() == []
        assert left.execute(
            "SELECT count(*) FROM artifact_collection WHERE latest_id NOT IN (SELECT id FROM artifact)"
        ).fetchone() == (0,)
    assert whole(16)["requests"] == 1


def of(names: list[str]) -> str:
    return " OR ".join(f"id LIKE '{name.partition('-')[2]}%'" for name in names)


def known(names: list[str]) -> int:
    """How many of these runs are in Prefect's history."""
    with closing(sqlite3.connect(database(), timeout=60)) as history:
        return int(history.execute(f"SELECT count(*) FROM flow_run WHERE {of(names)}").fetchone()[0])


def make_older(names: list[str]) -> None:
    """As if these runs, and all that was told so far, had been an hour ago."""
    with closing(sqlite3.connect(database(), timeout=60)) as past, past:
        for table, column in (
            ("flow_run", "end_time"),
            ("log", "timestamp"),
            ("artifact", "created"),
            ("events", "occurred"),
            ("event_resources", "occurred"),
        ):
            only = of(names) if table == "flow_run" else "1"
            past.execute(
                f"UPDATE {table} SET {column} = strftime('%Y-%m-%d %H:%M:%f000', {column}, '-1 hour') WHERE {only}"
            )


@pytest.fixture
def others(scripted: Scripted) -> Iterator[tuple[Any, str]]:
    """A client of a whole Prefect server (a command's own removes no runs), and the name of a flow that has run three times
    there, with an artifact each.
    """
    from prefect import flow
    from prefect.artifacts import create_markdown_artifact
    from prefect.client.orchestration import get_client
    from prefect.testing.utilities import prefect_test_harness

    @flow(name="of-another")
    def another() -> None:
        create_markdown_artifact("words", key="of-another")

    with prefect_test_harness(server_startup_timeout=120), get_client(sync_client=True) as client:
        for _ in range(3):
            another()
        yield client, "of-another"


def test_on_a_server_of_another_the_api_removes_the_runs_of_the_named_flows_alone(
    others: tuple[Any, str], scripted: Scripted
) -> None:
    from flows.service.history.api import remove_by_api

    client, name = others
    scripted(rule)
    whole()

    def count(flow: str) -> int:
        return int(client._client.post("/flow_runs/count", json={"flows": {"name": {"any_": [flow]}}}).json())

    mine, now = count("instruction-sft"), datetime.now(UTC)
    long_ago = datetime.fromtimestamp(0, UTC)
    assert remove_by_api(client, long_ago, [name], dry=False)["counts"] == {}
    assert remove_by_api(client, now, [name], dry=True)["counts"] == {"flow runs": 3}
    assert remove_by_api(client, now, [name], dry=False)["counts"] == {"flow runs": 3, "artifacts": 3}
    assert (count(name), count("instruction-sft")) == (0, mine)


@pytest.mark.parametrize(("age", "seconds"), [("12h", 43_200), ("30d", 2_592_000), ("2w", 1_209_600), ("0h", 0)])
def test_an_age_is_hours_days_or_weeks(age: str, seconds: int) -> None:
    from flows.runs.removal.age import age_s

    assert age_s(age) == seconds


@pytest.mark.parametrize("age", ["", "30", "d", "-1d", "1.5d", "3 months", "٣d", "999999d"])
def test_what_is_no_age_is_told_with_the_way_to_write_one(age: str) -> None:
    from flows.runs.removal.age import age_s

    with pytest.raises(ConfigError, match="12h, 30d, 2w"):
        age_s(age)


@pytest.mark.slow
def test_a_home_of_fifty_nights_shrinks_and_the_next_night_costs_what_it_would_have(
    scripted: Scripted, home: Path
) -> None:
    seeds = [f"question {number}" for number in range(51 * 20)]
    model = scripted(failing(rule, lambda text: text.endswith("77")))
    names = [night(seeds[:until], max_attempts=1)["run"] for until in range(20, 50 * 20 + 1, 20)]
    names += [healed["run"] for healed in retry()["healed"]]
    task_states(names[-1], 1)
    make_older(names)
    assert len(model.requests) == 1000 + 10  # ten failed, and failed again
    kinds = {"tables": "tables", "runs": "runs", "results": "prefect"}
    before = {kind: _bytes(home / folder) for kind, folder in kinds.items()} | {"database": _bytes(database().parent)}
    done = clean()
    after = {kind: _bytes(home / folder) for kind, folder in kinds.items()} | {"database": _bytes(database().parent)}
    print(json.dumps({"before": before, "after": after, "removed": done}))
    assert after["tables"] == 0
    assert after["database"] < before["database"] / 4
    model = scripted(rule)
    assert (night(seeds)["requests"], len(model.requests)) == (20, 20)
    assert night(seeds)["requests"] == 0


def _bytes(folder: Path) -> int:
    return sum(
        {
            (s.st_dev, s.st_ino): s.st_size for path in folder.rglob("*") if path.is_file() for s in [path.stat()]
        }.values()
    )
