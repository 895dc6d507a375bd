from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.publish import processed_seeds
from tasks.publish.processed_seeds import seen_seeds, unsettled, write_seeds
from tasks.storage.digest import digest
from tasks.storage.tables import PROVENANCE, REJECTS, Table, write_table


def a_table(path: Path, ids: str, parents: dict[str, str] | None = None, refused: str = "") -> Table:
    lines: list[dict[str, Any]] = [{"row_id": row, "parents": list(of)} for row, of in (parents or {}).items()]
    beside = {
        "provenance": pl.DataFrame(lines, schema=PROVENANCE),
        "rejects": pl.DataFrame(
            [{"row_id": row, "kind": "failed", "reason": "empty"} for row in refused], schema=REJECTS
        ),
    }
    return write_table(path, path.stem, pl.DataFrame({"row_id": list(ids)}, schema={"row_id": pl.String}), beside)


@pytest.mark.parametrize(
    ("last", "refused", "surplus", "expected"),
    [
        pytest.param("PQRS", "", "", "", id="all published"),
        pytest.param("PQR", "s", "", "", id="the rest refused"),
        pytest.param("PQR", "", "", "b", id="a row pending"),
        pytest.param("PQRS", "", "S", "", id="surplus beside a row of the same seed"),
        pytest.param("PQRS", "", "RS", "b", id="nothing but surplus came of it"),
        pytest.param("PQ", "", "Q", "b", id="pending, and surplus beside a published one"),
        pytest.param("", "pqrs", "", "", id="all refused"),
    ],
)
def test_a_seed_is_done_with_when_all_that_came_of_it_is(
    last: str, refused: str, surplus: str, expected: str, tmp_path: Path
) -> None:
    """Two seeds, a and b; p and q made of a, r and s of b; rows in capitals made of these."""
    seeds = a_table(tmp_path / "seeds.parquet", "ab")
    made = a_table(tmp_path / "made.parquet", "pqrs", {"p": "a", "q": "a", "r": "b", "s": "b"})
    rows = a_table(tmp_path / "rows.parquet", last, {row: row.lower() for row in last}, refused)
    assert unsettled([seeds], [seeds, made, rows], [rows], set(surplus)) == set(expected)


def test_a_seed_that_was_refused_is_done_with_too(tmp_path: Path) -> None:
    write_seeds(tmp_path / "seeds", [a_table(tmp_path / "first.parquet", "ad", refused="cb")], {"d"}, None)
    assert pl.read_parquet(tmp_path / "seeds")["row_id"].to_list() == ["a", "b", "c"]


def test_the_seeds_of_all_nights_are_written_once_and_sorted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processed_seeds, "IDS_AT_ONCE", 20)  # several parts
    ids = [digest(number) for number in range(300)]
    nights = [
        write_table(tmp_path / f"{n}.parquet", "seeds", pl.DataFrame({"row_id": ids[100 * n : 100 * n + 100]}), {})
        for n in range(3)
    ]
    write_seeds(tmp_path / "first", nights[:1], set(), None)
    write_seeds(tmp_path / "second", nights, set(ids[-5:]), tmp_path / "first")
    assert pl.read_parquet(tmp_path / "second")["row_id"].to_list() == sorted(ids[:-5])
    with seen_seeds(tmp_path / "second", tmp_path) as seen:
        assert seen.known(ids) == [True] * 295 + [False] * 5
        assert seen.known(ids[-5:]) == [False] * 5  # asking is not seeing
