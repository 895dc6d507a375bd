"""Attributes of rows: drawn so that any stretch of rows has the shares, also those of pairs of values, and quotas that add up."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tasks.errors import ConfigError
from tasks.text.composition.attributes import Attribute, DrawnRows, check_attributes, drawn_values, quotas_of

FIELD = Attribute(name="field", values={"cooking": 1, "law": 1, "sport": 2})
LEVEL = Attribute(name="level", values={"easy": 0.3, "hard": 0.7})
UNIT = Attribute(name="unit", values={"metric": 3, "imperial": 1}, when={"field": ("cooking", "sport")})
ALL = (FIELD, LEVEL, UNIT)


@pytest.mark.parametrize("start", [0, 7, 1234, 10**7])
def test_any_stretch_of_rows_has_the_shares_but_for_a_few(start: int) -> None:
    rows = [drawn_values(ALL, place) for place in range(start, start + 400)]
    for one in ALL:
        having = [row[one.name] for row in rows if one.name in row]
        assert len(having) == pytest.approx(300 if one is UNIT else 400, abs=5)
        for value, share in one.shares.items():
            assert having.count(value) == pytest.approx(share * len(having), abs=5)


def test_pairs_of_values_come_together_as_often_as_chance_would_have_it() -> None:
    pairs = Counter((row["field"], row["level"]) for row in (drawn_values(ALL, place) for place in range(1000)))
    for (field, level), count in pairs.items():
        assert count == pytest.approx(1000 * FIELD.shares[field] * LEVEL.shares[level], abs=12)


def test_an_attribute_is_there_where_its_condition_holds_and_nowhere_else() -> None:
    for place in range(200):
        row = drawn_values(ALL, place)
        assert ("unit" in row) == (row["field"] in ("cooking", "sport"))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6).filter(any), st.integers(0, 500))
def test_quotas_add_up_and_none_is_more_than_one_row_off(shares: list[int], rows: int) -> None:
    one = Attribute(name="a", values={str(at): share for at, share in enumerate(shares)})
    quotas = quotas_of([one], rows)["a"]
    assert sum(quotas.values()) == rows
    assert all(abs(quotas[value] - share * rows) < 1 for value, share in one.shares.items())
    assert all(quotas[value] == 0 for value, share in one.shares.items() if not share)


def test_the_quota_of_a_condition_is_of_the_rows_that_meet_it() -> None:
    assert quotas_of(ALL, 100) == {
        "field": {"cooking": 25, "law": 25, "sport": 50},
        "level": {"easy": 30, "hard": 70},
        "unit": {"metric": 56, "imperial": 19},
    }


def test_rows_are_the_same_whatever_was_asked_before() -> None:
    rows = DrawnRows(ALL)
    assert (
        rows[5]
        == rows[3:7][2]
        == {"place": 5, "attributes": [{"name": n, "value": v} for n, v in drawn_values(ALL, 5).items()]}
    )
    assert DrawnRows([Attribute(name="language", values={"vi": 1})])[0]["language"] == "vi"


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ([LEVEL, LEVEL], "two attributes have the same name: level"),
        ([UNIT, FIELD], r"unit depends on an attribute that does not stand before it: field"),
        (
            [FIELD, Attribute(name="x", values={"a": 1}, when={"field": ("cokking",)})],
            r"cokking \(did you mean cooking\?\)",
        ),
    ],
)
def test_what_does_not_go_together_is_one_line(attributes: list[Attribute], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        check_attributes(attributes)


@pytest.mark.parametrize("values", [{}, {"a": 0}, {"a": -1, "b": 2}, {"a": float("nan")}])
def test_shares_are_numbers(values: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Attribute(name="a", values=values)
