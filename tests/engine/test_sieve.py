"""A sieve and a row filter take rows out and change none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tasks.engine.ask import Models
from tasks.engine.row import Loss, Row
from tasks.engine.sieve import after_sieve
from tasks.engine.technique import Params, row_filter
from tasks.errors import Filtered
from tasks.storage.tables import Table, write_table
from tests.engine.test_laws import instruction_lists, laws
from tests.engine.world import seeds, world


class Once:
    """A sieve that takes out each word it has met before."""

    name = "once"

    def __init__(self) -> None:
        self.met: dict[str, str] = {}

    def hold(self, frame: pl.DataFrame) -> None:
        self.met |= dict(zip(frame["word"], frame["row_id"], strict=True))

    def sift(self, frame: pl.DataFrame) -> Mapping[str, Loss]:
        gone = {}
        for row_id, word in zip(frame["row_id"], frame["word"], strict=True):
            if (first := self.met.setdefault(word, row_id)) != row_id:
                gone[row_id] = Loss("filtered", "met_before", first)
        return gone

    def close(self) -> None:
        self.met.clear()


def tables_of(words: list[str], cut: int, folder: str) -> list[Table]:
    frame = pl.DataFrame(
        {"row_id": [f"{i:032x}" for i in range(len(words))], "word": words}, schema={"row_id": str, "word": str}
    )
    parts = [frame[:cut], frame[cut:]]
    return [write_table(f"{folder}/{i}.parquet", "made", part, {}) for i, part in enumerate(parts)]


@given(st.lists(st.sampled_from("abcde")), st.integers(0, 20))
def test_each_row_stays_as_it_is_or_is_one_reject_and_where_tables_end_does_not_matter(
    words: list[str], cut: int
) -> None:
    with TemporaryDirectory() as folder:
        tables = tables_of(words, cut, folder)
        made = after_sieve(Once(), tables, folder)
        whole = pl.concat([table.read() for table in tables])
        first = whole.unique("word", keep="first", maintain_order=True)
        assert pl.concat([table.read() for table in made]).equals(first)
        rejects = [beside for table in made if (beside := table.read_beside("rejects")) is not None]
        gone = pl.concat(rejects)["row_id"].to_list() if rejects else []
        assert sorted([*gone, *first["row_id"]]) == sorted(whole["row_id"])
        assert [table.rows_in for table in made] == [table.rows for table in tables]


def test_the_same_sieve_makes_the_same_tables_and_another_verdict_another_table(tmp_path: Path) -> None:
    tables = tables_of(["a", "b", "a"], 2, str(tmp_path))
    once, again = (after_sieve(Once(), tables, str(tmp_path)) for _ in range(2))
    assert once == again
    other = Once()
    other.met["b"] = "an earlier row"
    assert after_sieve(other, tables, str(tmp_path))[0].path != once[0].path


class Short(Params):
    """`most`: characters."""

    most: int = 4


@row_filter(reads="Instructions")
async def short(row: Row, models: Models, params: Short) -> None:
    if len(row["instruction"]) > params.most:
        raise Filtered("too_long", f"{len(row['instruction'])} of {params.most}")


@laws
@given(instruction_lists)
def test_a_row_that_a_filter_keeps_is_the_row_itself(instructions: list[str]) -> None:
    frame = seeds(instructions)
    with TemporaryDirectory() as folder, world(Path(folder)) as here:
        [outcome] = here.run(instructions, lambda _: "", technique=short, params=Short()).outcomes
    stay = [len(instruction) <= 4 for instruction in instructions]
    assert outcome.rows.equals(frame.filter(pl.Series(stay, dtype=pl.Boolean)))
    assert outcome.rejects["reason"].to_list() == ["too_long"] * stay.count(False)
    assert outcome.rejects["kind"].unique().to_list() in ([], ["filtered"])
    assert outcome.provenance.is_empty()
