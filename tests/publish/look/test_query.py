"""A filter is a URL, and a URL is a filter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import ConfigError
from tasks.publish.look.query import TABLE_PARTS, Bounds, RowQuery, query_of

NAMES = st.text(min_size=1, max_size=8)
NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False)
BOUNDS = st.builds(Bounds, NUMBERS, NUMBERS).filter(lambda one: one != Bounds())
VALUES = st.dictionaries(NAMES, st.sets(st.text(max_size=6), min_size=1, max_size=3), max_size=3)


@st.composite
def queries(draw: st.DrawFn) -> RowQuery:
    sort = draw(st.just("") | NAMES.filter(lambda name: name[0] not in "+- "))
    return RowQuery(
        table=draw(st.sampled_from(TABLE_PARTS)),
        text=draw(st.text(max_size=12)),
        values=tuple((name, tuple(sorted(some))) for name, some in sorted(draw(VALUES).items())),
        bounds=tuple(sorted(draw(st.dictionaries(NAMES, BOUNDS, max_size=3)).items())),
        group=draw(st.none() | st.integers(0, 20)),
        near=draw(st.text("0123456789abcdef", max_size=32)),
        sort=sort,
        descending=bool(sort) and draw(st.booleans()),
        page=draw(st.integers(1, 10**9)),
    )


@given(queries())
def test_a_filter_comes_back_from_its_url(query: RowQuery) -> None:
    assert query_of(query.url) == query
    assert query_of(query_of(query.url).url).url == query.url


@given(queries(), NAMES, st.text(max_size=5))
def test_a_value_chosen_twice_is_not_chosen(query: RowQuery, column: str, value: str) -> None:
    once = query.toggled(column, value)
    assert once.wants(column, value) is not query.wants(column, value)
    assert once.toggled(column, value).values == query.values


@given(st.text(max_size=40))
def test_any_url_is_a_filter_or_a_mistake_told_in_one_line(url: str) -> None:
    try:
        query = query_of(url)
    except ConfigError as error:
        assert "\n" not in str(error) or "\n" in url
    else:
        assert query_of(query.url) == query


def test_empty_fields_of_a_form_say_nothing() -> None:
    assert query_of("text=&table=&sort=&min.score=&max.score=&page=&group=&near=") == RowQuery()


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("nope=1", "no part of a filter"),
        ("is.=1", "no part of a filter"),
        ("table=files", "no part of a dataset"),
        ("min.score=high", "no number"),
        ("max.score=inf", "no number"),
        ("page=0", "a whole number from 1 on"),
        ("page=99999999999", "a whole number"),
        ("group=-1", "a whole number from 0 on"),
    ],
)
def test_what_is_no_filter_is_told(url: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        query_of(url)
