"""Tables in any place that fsspec opens: the same bytes as on disk, whole or not there, for all processes alike."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import polars as pl
import pytest

from tasks.errors import ConfigError
from tasks.storage import places
from tasks.storage.home import tables_root
from tasks.storage.tables import REJECTS, encoded, sidecar, write_table

ROWS = pl.DataFrame({"row_id": ["a", "b", "c"], "n": [1, 2, 3]})
REJECT = pl.DataFrame([("d", "failed", "empty", "", "t", 3, "", "{}")], schema=REJECTS, orient="row")


@pytest.fixture(params=["path", "file", "memory", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A place for tables, as a user names it by STILLROOM_TABLES."""
    kinds = {"path": str(tmp_path), "file": f"file://{tmp_path}", "memory": f"memory://{uuid4().hex}"}
    url = kinds.get(request.param) or f"{request.getfixturevalue('s3')}/tables/"
    monkeypatch.setenv("STILLROOM_TABLES", url)
    return tables_root()


def test_a_table_comes_back_with_its_counts_and_what_lies_beside_it(folder: str) -> None:
    place = f"{folder}/t/k.parquet"
    table = write_table(place, "t", ROWS, {"rejects": REJECT}, rows_in=4, token="x")
    assert (table.rows, table.rows_in, table.failed, table.rejects) == (3, 4, 1, {"empty": 1})
    assert sidecar(place) == table
    assert table.read().equals(ROWS)
    assert table.read(["n"]).columns == ["n"]
    beside = table.read_beside("rejects")
    assert beside is not None
    assert beside.equals(REJECT)
    assert table.read_beside("losses") is None
    assert [part.read()["n"].to_list() for part in table.split(2)] == [[1, 2], [3]]


def test_the_bytes_and_the_fingerprint_are_those_of_a_table_on_disk(folder: str, tmp_path: Path) -> None:
    table = write_table(f"{folder}/k.parquet", "t", ROWS, {})
    on_disk = write_table(tmp_path / "disk" / "k.parquet", "t", ROWS, {})
    assert table.fingerprint == on_disk.fingerprint
    assert places.read(table.path) == Path(on_disk.path).read_bytes() == encoded(ROWS)


@pytest.mark.parametrize("gone", ["k.parquet", "k.json"])
def test_a_table_without_its_file_or_its_sidecar_is_not_there(folder: str, gone: str) -> None:
    assert sidecar(f"{folder}/k.parquet") is None
    write_table(f"{folder}/k.parquet", "t", ROWS, {})
    places.remove(f"{folder}/{gone}")
    assert sidecar(f"{folder}/k.parquet") is None
    places.remove(f"{folder}/{gone}")  # what is not there is removed already


def test_the_sidecar_is_written_last(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    write = places.write
    monkeypatch.setattr(places, "write", lambda place, data: (written.append(place), write(place, data)))
    write_table(f"{folder}/k.parquet", "t", ROWS, {"rejects": REJECT})
    assert [place.removeprefix(f"{folder}/") for place in written] == ["k.rejects.parquet", "k.parquet", "k.json"]


def test_rewriting_a_table_without_rejects_removes_the_old_ones(folder: str) -> None:
    write_table(f"{folder}/k.parquet", "t", ROWS, {"rejects": REJECT})
    assert write_table(f"{folder}/k.parquet", "t", ROWS, {}).read_beside("rejects") is None


def test_the_files_of_a_folder_are_listed_as_they_are_now(folder: str) -> None:
    assert places.files_in(f"{folder}/reports") == []
    for name in ("b", "a"):
        places.write(f"{folder}/reports/{name}", b"1")
        assert f"{folder}/reports/{name}" in places.files_in(f"{folder}/reports")
    places.write(f"{folder}/reports/deeper/c", b"1")
    assert places.files_in(f"{folder}/reports") == [f"{folder}/reports/a", f"{folder}/reports/b"]


@pytest.mark.parametrize("folder", ["file", "s3"], indirect=True)
def test_another_process_reads_what_this_one_wrote(folder: str) -> None:
    table = write_table(f"{folder}/k.parquet", "t", ROWS, {"rejects": REJECT})
    code = (
        "import sys; from tasks.storage.tables import Table; table = Table.model_validate_json(sys.argv[1]);"
        "print(table.read()['n'].to_list(), table.read_beside('rejects').height)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, table.model_dump_json()],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert told.stdout == "[1, 2, 3] 1\n", told.stderr


@pytest.mark.parametrize(
    ("url", "message"),
    [
        pytest.param("nowhere://bucket", "not a place that can be opened: nowhere://bucket", id="unknown"),
        pytest.param("gs://bucket", "a package is missing to open this: gs://bucket .*gcsfs", id="not installed"),
        pytest.param("sftp://me:secret@host/x", "a password in a URL .*sftp://...@host", id="password"),
    ],
)
def test_a_url_that_cannot_be_used_is_told_in_one_line(url: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)  # as if it were not installed
    monkeypatch.setenv("STILLROOM_TABLES", url)
    with pytest.raises(ConfigError, match=message) as raised:
        tables_root()
    assert "secret" not in str(raised.value)


def test_a_bucket_that_is_not_there_is_told_and_not_made(s3: str) -> None:
    with pytest.raises(ConfigError, match=r"cannot write: s3://elsewhere/t.*see that the bucket exists"):
        places.check_writable("s3://elsewhere/t")
    with pytest.raises(ConfigError):
        write_table("s3://elsewhere/t/k.parquet", "t", ROWS, {})
    places.check_writable(f"{s3}/t")


def test_a_store_that_does_not_answer_is_told_before_anything_is_paid_for(
    s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(ConfigError, match=r"cannot write: s3://still/t.*127.0.0.1:9") as raised:
        places.check_writable("s3://still/t")
    assert "a-very-secret-key" not in str(raised.value)
