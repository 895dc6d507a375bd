"""Krippendorff's alpha against the published example, and its laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.text.verdicts.agreement import Alpha, wilson

_ = None
OBSERVERS = (  # Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section C
    (1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3),
    (_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _),
)
UNITS = [[value for value in unit if value is not None] for unit in zip(*OBSERVERS, strict=True)]


def alpha_of(units: list[list[float]]) -> Alpha:
    alpha = Alpha()
    for unit in units:
        alpha.add(unit)
    return alpha


def test_the_published_example() -> None:
    alpha = alpha_of(UNITS)
    assert alpha.units == 11, "a unit that one observer saw alone counts for nothing"
    assert alpha.interval() == pytest.approx(0.849, abs=5e-4)
    assert alpha.ordinal() == pytest.approx(0.815, abs=5e-4)


def test_two_judges_by_hand() -> None:
    # coincidences: 1-2 twice, 3-3 twice; n: 1, 1, 2 of 4; observed 2 * 1; expected 2 * (1*1*1 + 1*2*4 + 1*2*1) / 3
    assert alpha_of([[1, 2], [3, 3]]).interval() == pytest.approx(1 - 2 / (22 / 3))


def test_judges_who_agree_have_one_and_who_say_the_same_of_all_have_none() -> None:
    assert alpha_of([[1, 1], [5, 5, 5]]).interval() == alpha_of([[1, 1], [5, 5, 5]]).ordinal() == 1
    assert alpha_of([[4, 4], [4, 4]]).interval() is None
    assert alpha_of([]).ordinal() is None


units = st.lists(st.lists(st.integers(1, 5).map(float), min_size=1, max_size=4), min_size=1, max_size=12)


@given(units, st.randoms(use_true_random=False))
def test_the_order_of_units_and_of_judges_changes_nothing(given_units: list[list[float]], random: object) -> None:
    shuffled = [sorted(unit, reverse=True) for unit in reversed(given_units)]
    for kind in ("interval", "ordinal"):
        one, other = (getattr(alpha_of(some), kind)() for some in (given_units, shuffled))
        assert one == other
        assert one is None or one <= 1 + 1e-12


@given(units)
def test_another_scale_changes_no_alpha(given_units: list[list[float]]) -> None:
    one, other = alpha_of(given_units), alpha_of([[2 * value + 7 for value in unit] for unit in given_units])
    for kind in ("interval", "ordinal"):
        assert getattr(one, kind)() == pytest.approx(getattr(other, kind)(), nan_ok=True)


def test_an_interval_of_a_share_is_wide_for_few_pairs() -> None:
    low, high = wilson(30, 50)
    assert (round(low, 3), round(high, 3)) == (0.462, 0.724)
    assert wilson(0, 0) == (0, 1) and wilson(0, 10)[0] == 0 and wilson(10, 10)[1] == pytest.approx(1)
