"""Intervals hold the truth as often as they say, and leave zero out only where there is something."""

from __future__ import annotations

import random
from statistics import NormalDist

import pytest

from tasks.train.bootstrap import difference


def test_the_interval_holds_the_true_difference_19_times_in_20() -> None:
    draw, held = random.Random(5), 0
    for trial in range(200):
        base = [draw.gauss(0, 2) for _ in range(60)]
        ours = [one + draw.gauss(0.5, 1) for one in base]
        gap = difference(ours, base, seed=trial)
        held += gap.low <= 0.5 <= gap.high
    assert 180 <= held <= 198


def test_it_agrees_with_the_normal_interval_where_items_are_many() -> None:
    draw = random.Random(7)
    gaps = [draw.gauss(0.1, 1) for _ in range(2000)]
    gap = difference(gaps, [0.0] * len(gaps))
    error = NormalDist().inv_cdf(0.975) / len(gaps) ** 0.5
    assert gap.mean == pytest.approx(sum(gaps) / len(gaps))
    assert (gap.low, gap.high) == pytest.approx((gap.mean - error, gap.mean + error), abs=0.006)


def test_what_makes_an_item_hard_for_both_cancels() -> None:
    draw = random.Random(3)
    hard = [draw.gauss(0, 100) for _ in range(50)]
    gap = difference([one + 1 + draw.gauss(0, 0.1) for one in hard], hard)
    assert gap.is_shown
    assert gap.low > 0.9


def test_a_difference_as_large_as_the_visible_one_is_shown_four_times_in_five() -> None:
    draw, shown = random.Random(11), 0
    for trial in range(200):
        gap = difference([draw.gauss(2.8 / 50**0.5, 1) for _ in range(50)], [0.0] * 50, seed=trial)
        shown += gap.is_shown
    assert 140 <= shown <= 180


def test_equal_figures_show_nothing() -> None:
    gap = difference([1.0, 0.0, 1.0], [1.0, 0.0, 1.0])
    assert (gap.mean, gap.low, gap.high, gap.is_shown, gap.is_none) == (0, 0, 0, False, True)


@pytest.mark.parametrize(("ours", "theirs"), [([], []), ([1.0], [1.0, 2.0])])
def test_other_items_are_no_comparison(ours: list[float], theirs: list[float]) -> None:
    with pytest.raises(ValueError, match="items"):
        difference(ours, theirs)
