"""Tables on disk: whole or not there, the same bytes for the same rows."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tasks.column_types import RESPONSE
from tasks.errors import ConfigError
from tasks.storage.files import write_atomically
from tasks.storage.tables import REJECTS, ROW_GROUP, column_of, encoded, sidecar, write_stream, write_table

ROWS = pl.DataFrame({"row_id": ["a", "b", "c"], "n": [1, 2, 3]})


def test_a_table_comes_back_with_its_counts(tmp_path: Path) -> None:
    rejects = pl.DataFrame(
        [("d", "failed", "empty", "", "t", 3, "", "{}"), ("e", "filtered", "tie", "", "t", 0, None, "{}")],
        schema=REJECTS,
        orient="row",
    )
    table = write_table(tmp_path / "t" / "k.parquet", "t", ROWS, {"rejects": rejects}, rows_in=5, token="x")
    assert (table.rows, table.rows_in, table.failed, table.rejects) == (3, 5, 1, {"empty": 1, "tie": 1})
    assert sidecar(tmp_path / "t" / "k.parquet") == table
    assert table.read().equals(ROWS)
    beside = table.read_beside("rejects")
    assert beside is not None
    assert beside.equals(rejects)
    assert table.read_beside("losses") is None


def test_a_table_without_its_file_or_its_sidecar_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "k.parquet"
    write_table(path, "t", ROWS, {})
    path.unlink()
    assert sidecar(path) is None
    write_table(path, "t", ROWS, {})
    path.with_suffix(".json").unlink()
    assert sidecar(path) is None


def test_rewriting_a_table_without_rejects_removes_the_old_ones(tmp_path: Path) -> None:
    rejects = pl.DataFrame([("d", "failed", "empty", "", "t", 3, "", "{}")], schema=REJECTS, orient="row")
    write_table(tmp_path / "k.parquet", "t", ROWS, {"rejects": rejects})
    assert write_table(tmp_path / "k.parquet", "t", ROWS, {}).read_beside("rejects") is None


def test_bytes_depend_on_the_rows_and_not_on_how_they_were_put_together() -> None:
    pieces = pl.concat([ROWS[:1], ROWS[1:]], rechunk=False)
    assert encoded(pieces) == encoded(ROWS)
    assert encoded(ROWS) != encoded(ROWS[:2])


@pytest.mark.parametrize("pieces", [1, 7, 1000])
def test_a_stream_writes_the_same_file_however_it_is_cut(pieces: int, tmp_path: Path) -> None:
    frame = pl.DataFrame({"n": range(2 * ROW_GROUP + 17)})
    size = -(-frame.height // pieces)
    cut = (frame[start : start + size] for start in range(0, frame.height, size))
    assert write_stream(tmp_path / "cut.parquet", cut) == frame.height
    write_stream(tmp_path / "whole.parquet", [frame])
    assert (tmp_path / "cut.parquet").read_bytes() == (tmp_path / "whole.parquet").read_bytes()


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    (tmp_path / "blocked").write_bytes(b"")
    with pytest.raises(ConfigError, match="cannot write"):
        write_atomically(tmp_path / "blocked" / "file", b"new")

    def broken() -> object:
        yield pl.DataFrame({"n": [1]})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_stream(path, broken())  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["blocked", "file"]


def test_nested_columns_keep_their_type_and_their_nulls() -> None:
    dtype = pl.List(RESPONSE)
    column = column_of("responses", [[{"text": "a", "score": None}], [], None], dtype)
    assert column.dtype == dtype
    assert column.null_count() == 1
    with pytest.raises(TypeError):
        column_of("n", [1, "two"], pl.Int64)
