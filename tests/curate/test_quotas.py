"""Rows by quota: the first that fit stay, table by table, until each value has its share."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tasks.curate.quotas import Quotas
from tasks.text.composition.attributes import Attribute, drawn_values

LEVEL = Attribute(name="level", values={"easy": 3, "hard": 7})
FIELD = Attribute(name="field", values={"a": 1, "b": 1})
UNIT = Attribute(name="unit", values={"m": 1, "ft": 1}, when={"field": ("a",)})
ALL = (LEVEL, FIELD, UNIT)


def frame(places: list[int]) -> pl.DataFrame:
    rows = [
        {
            "row_id": f"{place:032x}",
            "attributes": [{"name": n, "value": v} for n, v in drawn_values(ALL, place).items()],
        }
        for place in places
    ]
    return pl.DataFrame(
        rows, schema={"row_id": pl.String, "attributes": pl.List(pl.Struct({"name": pl.String, "value": pl.String}))}
    )


@given(st.integers(1, 40), st.sets(st.integers(0, 400), max_size=200), st.integers(1, 60))
def test_whatever_is_lost_the_rows_that_stay_have_the_shares(rows: int, lost: set[int], at_once: int) -> None:
    sieve = Quotas(attributes=ALL, rows=rows).open(Path())
    left = [place for place in range(1500) if place not in lost]
    stayed: list[int] = []
    for start in range(0, len(left), at_once):
        part = left[start : start + at_once]
        gone = sieve.sift(frame(part))
        assert all(loss.kind == "filtered" and loss.reason == "quota_full" for loss in gone.values())
        stayed += [place for place in part if f"{place:032x}" not in gone]
    assert len(stayed) == rows
    values = Counter(value for place in stayed for value in drawn_values(ALL, place).items())
    assert abs(values["level", "hard"] - 0.7 * rows) < 1 and abs(values["field", "a"] - 0.5 * rows) < 1
    assert abs(values["unit", "m"] - values["unit", "ft"]) <= 1
