"""What is said of parts of a dataset: slices, and how a figure moves with the rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.errors import ConfigError
from tasks.models.target import open_target
from tasks.train.arms import ArmsAsked, arms_of
from tasks.train.lessons import Lesson, Lessons, lessons_of
from tasks.train.proof import measure_told, slope_of
from tasks.train.slices import largest_slices, parts_of
from tests.train.test_lessons import file_of, talks, turns


def test_words_are_slices_and_numbers_are_bands_of_equal_size() -> None:
    assert parts_of(["maths", None, "tea"]) == ["maths", "(none)", "tea"]
    assert parts_of([1, 2, 2]) == ["1", "2", "2"]
    bands = parts_of([float(n) for n in range(100)])
    assert sorted(bands.count(name) for name in set(bands)) == [25, 25, 25, 25]
    assert bands == sorted(bands, key=lambda name: float(name.split()[0]))


def test_at_most_eight_slices_and_none_that_is_tiny() -> None:
    parts = [f"topic {n}" for n in range(12) for _ in range(20 + n)] + ["rare"] * 19
    assert largest_slices(parts) == [f"topic {n}" for n in range(11, 3, -1)]


def test_a_slice_is_taught_alone_and_left_out_and_a_curve_has_nested_rows(tmp_path: Path) -> None:
    rows = [row | {"topic": ("tea", "sums")[at % 2]} for at, row in enumerate(talks(64))]
    ours = lessons_of(file_of(tmp_path, rows), None, "topic")
    asked = ArmsAsked(curve=True, slices=["tea", "sums"])
    arms = {
        arm.name: {one.key for one in arm.lessons.taught}
        for arm in arms_of(ours, asked, None, open_target("demo"), 0)
        if arm.lessons
    }
    assert arms["only tea"] == arms["without sums"]
    assert arms["only tea"] | arms["only sums"] == arms["dataset"]
    assert [len(arms[f"1/{by} of the rows"]) for by in (8, 4, 2)] == [8, 16, 32]
    assert arms["1/8 of the rows"] < arms["1/4 of the rows"] < arms["1/2 of the rows"] < arms["dataset"]


def test_pairs_come_after_answers() -> None:
    pairs = Lessons("p", "dpo", [Lesson(turns(str(n)), ("good", "bad")) for n in range(30)])
    answers = Lessons("a", "sft", [Lesson(turns("x"), ("y",))])
    arms = {arm.name: arm for arm in arms_of(pairs, ArmsAsked(after=answers), None, open_target("demo"), 0)}
    assert list(arms) == ["base", "sft", "dataset", "shuffled"]
    assert (arms["sft"].lessons, arms["sft"].after) == (answers, None)
    assert arms["dataset"].after is arms["shuffled"].after is answers


def test_a_column_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such column to slice by"):
        lessons_of(file_of(tmp_path, talks(3)), None, "topci")


def test_a_doubling_brings_what_the_figures_gain_by_it() -> None:
    rows = {"base": 9.0, "dataset": 2.0, "1/8 of the rows": 3.5, "1/4 of the rows": 3.0, "1/2 of the rows": 2.5}
    figures = {name: [figure + item for item in range(30)] for name, figure in rows.items()}
    slope = slope_of(figures)
    assert slope is not None
    assert (slope.mean, slope.low, slope.high) == pytest.approx((-0.5, -0.5, -0.5))
    told = measure_told("loss", figures)
    assert told["findings"][-1].startswith("loss: each doubling of the rows brought -0.500")
    assert slope_of({name: figures[name] for name in ("base", "dataset")}) is None


@pytest.mark.parametrize(
    ("measure", "without", "said"),
    [
        ("loss", 1.0, "worse than without tea by +1.000 [+1.000, +1.000], 30 items: it harms"),
        ("right", 1.0, "better than without tea by +1.000 [+1.000, +1.000], 30 items: it helps"),
        ("words", 1.0, "more than without tea by +1.000"),
        ("loss", 2.0, "as without tea in each of 30 items"),
    ],
)
def test_what_a_slice_does_is_said(measure: str, without: float, said: str) -> None:
    told = measure_told(measure, {"dataset": [2.0] * 30, "without tea": [without] * 30})
    assert said in told["findings"][0]


def test_figures_that_differ_now_and_then_show_no_difference_and_say_which_they_would_show() -> None:
    told = measure_told("right", {"dataset": [1.0] * 30, "base": [1.0] * 29 + [0.0]})
    assert "no difference from the base that so many items could show" in told["findings"][0]
    assert "visible from 0.0" in told["findings"][0]
