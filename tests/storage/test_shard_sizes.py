"""Shards grow with their position by a rule that nothing but the position enters into."""

from __future__ import annotations

from itertools import accumulate, islice
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.runs.candidates import BlankRows, SeedRows
from tasks.engine.process import Settings
from tasks.seeds.sources import open_source
from tasks.storage.shard_sizes import shard_count, shard_end, shard_sizes
from tasks.storage.tables import Table, write_table

GROWING = [32, 64, 96, 128, 192, 256, 320, 384, 512, 640]


def settings_in(folder: Path) -> Settings:
    return Settings(run="sft-1", home=folder, ledger="", tables=str(folder / "tables"))


def ends(tables: list[Table]) -> list[int]:
    return list(accumulate(table.rows_in for table in tables))


def test_shards_are_small_at_first_and_grow_up_to_the_most() -> None:
    sizes = list(islice(shard_sizes(0, 1000), 22))
    assert sizes == [32] * 4 + [64] * 4 + [128] * 4 + [256] * 4 + [512] * 4 + [1000] * 2
    assert list(islice(shard_sizes(0, 40), 6)) == [32] * 4 + [40] * 2
    assert list(islice(shard_sizes(0, 1), 3)) == [1] * 3


@given(position=st.integers(0, 10**6), most=st.integers(1, 10**5))
def test_a_shard_ends_in_one_place_wherever_in_it_one_begins(position: int, most: int) -> None:
    end = shard_end(position, most)
    assert position < end <= position + most
    assert shard_end(end - 1, most) == end < shard_end(end, most)


@given(rows=st.integers(0, 20_000), most=st.integers(1, 3000))
def test_the_number_of_shards_is_counted(rows: int, most: int) -> None:
    borders = list(accumulate(islice(shard_sizes(0, most), shard_count(rows, most))))
    assert (borders or [0])[-1] >= rows > ([-1, 0, *borders][-2] if rows else -1)


@pytest.mark.parametrize("waves", [[None], [40, None], [1, 31, 300, None]], ids=str)
def test_the_borders_of_shards_are_the_same_however_many_are_taken_at_once(
    waves: list[int | None], tmp_path: Path
) -> None:
    questions = open_source([f"question {i}" for i in range(700)])
    rows = SeedRows(questions, settings_in(tmp_path), 1000, None)
    taken = [table for wave in waves for table in rows.take(wave)]
    rows.close()
    assert set(GROWING) < set(ends(taken)) and ends(taken)[-1] == 700
    assert len(taken) <= len(GROWING) + len(waves)
    blank = BlankRows("about", settings_in(tmp_path), 1000, first=5)
    assert set(GROWING) < set(ends([table for wave in waves for table in blank.take(700 if wave is None else wave)]))


def test_appended_seeds_leave_the_shards_before_them_as_they_are(tmp_path: Path) -> None:
    questions = [f"question {i}" for i in range(400)]
    tables = [
        SeedRows(open_source(some), settings_in(tmp_path), 1000, None).take(None)
        for some in (questions[:390], questions)
    ]
    assert tables[1][:8] == tables[0][:8]
    assert [len(some) for some in tables] == [9, 9]


def test_what_a_table_step_has_made_is_split_into_growing_shards(tmp_path: Path) -> None:
    table = write_table(tmp_path / "whole.parquet", "step", pl.DataFrame({"n": range(150)}), {})
    parts = table.split(1000)
    assert [part.rows for part in parts] == [32, 32, 32, 32, 22]
    assert pl.concat([part.read() for part in parts])["n"].to_list() == list(range(150))
    nothing = write_table(tmp_path / "nothing.parquet", "step", pl.DataFrame({"n": []}), {})
    assert [part.rows for part in nothing.split(1000)] == [0]
