"""Of a group of duplicates the best-scored row stays, in whatever order the rows come, and never none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tasks.curate.deduplicate import Deduplicate
from tasks.curate.ranked_prompts import RankedPrompts, ranked_prompts
from tests.curate.test_duplicates import SOCKS, frame_of
from tests.curate.test_order import ASKED, THRESHOLD, _alike

SCORES = st.one_of(st.none(), st.integers(0, 3).map(float), st.just(float("nan")))
BEST = Deduplicate(threshold=THRESHOLD, best_by="score")


def ranked(
    frames: Sequence[pl.DataFrame], params: Deduplicate = BEST, held: Sequence[pl.DataFrame] = ()
) -> RankedPrompts:
    with TemporaryDirectory() as folder:
        found = ranked_prompts(params, frames, held, Path(folder))
        assert list(Path(folder).iterdir()) == []
    return found


def scored(rows: Sequence[tuple[str, float | None]]) -> pl.DataFrame:
    return frame_of(*(asked for asked, _ in rows)).with_columns(score=pl.Series([s for _, s in rows], dtype=pl.Float64))


@given(st.tuples(st.lists(st.tuples(ASKED, SCORES), min_size=1, max_size=12), st.integers(0, 1000)))
def test_the_same_rows_stay_in_any_order(drawn: tuple[list[tuple[str, float | None]], int]) -> None:
    rows, seed = drawn
    frame = scored(rows)
    other = frame[Random(seed).sample(range(len(rows)), len(rows))]
    found = [ranked([frame]), ranked([other[:3], other[3:]])]
    assert list(found[0].ranks) == list(found[1].ranks)
    assert found[0].gone == found[1].gone
    assert {*found[0].ranks, *found[0].gone} == {*frame["row_id"]}


@given(st.lists(st.tuples(ASKED, SCORES), min_size=1, max_size=12))
def test_a_row_goes_for_a_better_one_that_stays_and_is_like_it(rows: list[tuple[str, float | None]]) -> None:
    found, frame = ranked([scored(rows)]), scored(rows)
    places = {row_id: at for at, row_id in enumerate(frame["row_id"])}
    alike = _alike([asked for asked, _ in rows])

    def rank(at: int) -> tuple[float, str]:
        score = rows[at][1]
        return (-score if score is not None and score == score else float("inf"), frame["row_id"][at])

    for row_id, loss in found.gone.items():
        better = loss.detail[:32]
        assert better in found.ranks
        assert alike[places[row_id]][places[better]]
        assert rank(places[better]) < rank(places[row_id])


def test_the_best_is_named_and_rows_without_a_score_come_last() -> None:
    rows = scored([(SOCKS, None), (SOCKS.upper(), 2.0), (f"{SOCKS}!", 5.0), ("Name a town.", float("nan"))])
    found = ranked([rows], Deduplicate(threshold=0.7, best_by="score"))
    assert {int(row_id, 16): (loss.reason, loss.detail) for row_id, loss in found.gone.items()} == {
        0: ("near_duplicate", f"{2:032x}, Jaccard 1.00"),
        1: ("near_duplicate", f"{2:032x}, Jaccard 1.00"),
    }
    assert [int(name, 16) for name in found.ranks] == [2, 3]


def test_without_a_column_the_first_stays_and_rows_of_the_dataset_turn_out_better_ones() -> None:
    rows = scored([(SOCKS, 1.0), (SOCKS.upper(), 9.0), ("Name a town.", 1.0)])
    assert [int(name, 16) for name in ranked([rows], Deduplicate(similarity=0.9)).ranks] == [0, 2]
    held = frame_of("Name a town.", first=8)
    found = ranked([rows], Deduplicate(best_by="score"), [held])
    assert [int(name, 16) for name in found.ranks] == [1]
    assert found.gone[f"{2:032x}"].reason == "duplicate_of_earlier"
    again = ranked([rows], Deduplicate(best_by="score"), [rows])
    assert (len(again.ranks), again.gone) == (3, {})


def test_rows_of_one_prompt_stay_together_by_the_best_of_them() -> None:
    rows = scored([(SOCKS, 1.0), (SOCKS, 7.0), (SOCKS.upper(), 5.0), (SOCKS.upper(), None)])
    found = ranked([rows], Deduplicate(threshold=0.7, best_by="score", together=True))
    assert {int(row_id, 16): loss.detail[:32] for row_id, loss in found.gone.items()} == dict.fromkeys(
        (2, 3), f"{0:032x}"
    )
    assert {name: list(rows) for name, rows in found.members.items()} == {f"{0:032x}": [f"{0:032x}", f"{1:032x}"]}


def test_the_score_of_a_record_is_looked_up_in_it() -> None:
    rows = scored([(SOCKS, 1.0), (SOCKS.upper(), 2.0)])
    records = rows.select("row_id", "instruction", "response", pl.struct("score").alias("record"))
    assert [int(name, 16) for name in ranked([records], Deduplicate(best_by="score")).ranks] == [1]
    with pytest.raises(KeyError, match="score"):
        ranked([rows.drop("score")])


@pytest.mark.parametrize("told", [{"similarity": 0}, {"similarity": 1.1}, {"similarity": "high"}, {"best_by": ""}])
def test_a_similarity_that_is_none_is_refused(told: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Deduplicate.model_validate(told)
