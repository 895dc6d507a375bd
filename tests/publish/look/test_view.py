"""Looking through a dataset says the same as going through its rows one by one."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.errors import ConfigError
from tasks.publish.look.near import map_of, neighbours_of
from tasks.publish.look.query import Bounds, RowQuery, query_of
from tasks.publish.look.view import PAGE_ROWS, View, open_view
from tasks.storage.row_store import RowStore
from tests.publish.report.made import pair, publish_rows, talk

WORDS = ("cat", "Ship", "İstanbul", "naïve", "猫", "x%y", "a.b")
COLUMNS = ("topic", "known")
ORDERS = ("", "score", "answer_chars", "topic")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    drawn = random.Random(7)
    return [
        talk(
            f"question {at} {drawn.choice(WORDS)}",
            f"{drawn.choice(WORDS)} " * drawn.randint(1, 5),
            score=drawn.choice([None, 1.0, 2.5, 4.0]),
            topic=drawn.choice([None, "maths", "law", ""]),
            known=drawn.choice([True, False]),
        )
        for at in range(230)
    ]


@pytest.fixture(scope="module")
def view(rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> View:
    folder = tmp_path_factory.mktemp("look")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILLROOM_HOME", str(folder / "home"))
        return open_view(publish_rows(folder / "talks", rows))


@st.composite
def filters(draw: st.DrawFn) -> RowQuery:
    values = {
        "topic": draw(st.sets(st.sampled_from(["maths", "law", "", "none of them"]), max_size=2)),
        "known": draw(st.sets(st.sampled_from(["true", "false"]), max_size=1)),
    }
    sort = draw(st.sampled_from(ORDERS))
    low, high = draw(st.sampled_from([(None, None), (2.0, None), (None, 2.5), (1.5, 3.0)]))
    return RowQuery(
        text=draw(st.sampled_from(["", "CAT", "istanbul", "猫", "X%Y", "a.b", "not there"])),
        values=tuple((name, tuple(sorted(some))) for name, some in sorted(values.items()) if some),
        bounds=(("score", Bounds(low, high)),) if (low, high) != (None, None) else (),
        sort=sort,
        descending=bool(sort) and draw(st.booleans()),
    )


def plainly(rows: list[dict[str, Any]], query: RowQuery) -> list[str]:
    """The ids that a filter leaves, by the simplest code that says so."""

    def stays(row: dict[str, Any]) -> bool:
        said = "\n".join([*(turn["content"] for turn in row["messages"]), row["topic"] or ""]).lower()
        if query.text and query.text.lower() not in said:
            return False
        for name, wanted in query.values:
            value = "" if row[name] is None else str(row[name]).lower() if name == "known" else row[name]
            if value not in wanted:
                return False
        for name, bound in query.bounds:
            if row[name] is None or not (bound.least or -9) <= row[name] <= (bound.most or 9):
                return False
        return True

    left = [row for row in rows if stays(row)]
    if query.sort:

        def of(row: dict[str, Any]) -> Any:
            return len(row["messages"][-1]["content"]) if query.sort == "answer_chars" else row[query.sort]

        there = sorted((row for row in left if of(row) is not None), key=of, reverse=query.descending)
        left = there + [row for row in left if of(row) is None]
    return [row["row_id"] for row in left]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=filters())
def test_a_filter_leaves_what_going_through_the_rows_would(
    query: RowQuery, rows: list[dict[str, Any]], view: View
) -> None:
    expected = plainly(rows, query)
    assert view.ids_of(view.places(query)) == expected
    pages = [view.page(query.on(number)) for number in range(1, len(rows) // PAGE_ROWS + 2)]
    assert [row["row_id"] for page in pages for row in page.rows] == expected
    assert pages[-1].is_whole
    assert pages[-1].found == len(expected)
    if not query.text:
        for facet in view.facets(query):
            others = plainly(rows, query.without(facet.column))
            assert sum(count for _, count in facet.values) == len(others)


def test_columns_that_there_are_not_are_told(view: View) -> None:
    for url in ("is.nope=1", "min.topic=1", "sort=messages"):
        with pytest.raises(ConfigError, match=r"cannot be|no column"):
            view.page(query_of(url))
    assert view.page(query_of("page=99")).rows == []


def test_another_publication_is_looked_at_anew(tmp_path: Path, home: Path) -> None:
    out = publish_rows(tmp_path / "d", [talk("a", "b"), talk("c", "d")])
    assert open_view(out).rows == 2
    publish_rows(out, [talk("a", "b"), talk("c", "d"), talk("e", "f")])
    assert open_view(out).rows == 3
    assert open_view(out, "rejects").rows == 0


def test_judges_who_are_apart_and_close_scores_can_be_put_first(tmp_path: Path, home: Path) -> None:
    def rated(*ratings: float) -> list[dict[str, Any]]:
        return [
            {"judge": f"j{at}", "aspect": "right", "rating": rating, "rationale": "", "order": 0}
            for at, rating in enumerate(ratings)
        ]

    one = publish_rows(
        tmp_path / "a",
        [talk("a", "b", ratings=rated(3, 3)), talk("c", "d", ratings=rated(1, 5)), talk("e", "f", ratings=rated(4))],
    )
    view = open_view(one)
    assert [row["messages"][0]["content"] for row in view.page(query_of("sort=-disagreement")).rows] == ["c", "a", "e"]
    two = publish_rows(
        tmp_path / "b",
        [
            pair("a", "b", "c", score_chosen=5.0, score_rejected=1.0),
            pair("d", "e", "f", score_chosen=3.0, score_rejected=2.5),
        ],
        kind="dpo",
    )
    assert [row["margin"] for row in open_view(two).page(query_of("sort=margin")).rows] == [0.5, 4.0]


def test_rows_that_are_alike_are_near_and_the_map_has_all_of_them(tmp_path: Path, home: Path) -> None:
    said = ["how do I bake bread at home", "which planets have rings", "how to bake a loaf of bread"]
    out = publish_rows(
        tmp_path / "d", [talk(f"{said[at % 3]} {at}", f"{said[at % 3]}, answer {at}") for at in range(60)]
    )
    view = open_view(out)
    near = neighbours_of(out, view, 1)
    assert 1 not in near.places
    assert {int(place) % 3 for place in near.places[:19]} == {1}
    assert near.similarity == sorted(near.similarity, reverse=True)
    assert near.compared == 60
    found = map_of(out, view)
    assert sorted(place for group in found.groups for place in group.places) == list(range(60))
    assert map_of(out, view) == found


def test_a_store_gives_rows_by_place_and_finds_texts_over_all_its_batches(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"at": range(30_000), "said": [f"row {at} {'odd' if at % 2 else 'even'}" for at in range(30_000)]}
    )
    store = RowStore.write(tmp_path / "s.arrow", frame.lazy())
    assert [row["at"] for row in store.take([29_999, 0, 12_345])] == [29_999, 0, 12_345]
    with pytest.raises(IndexError):
        store.take([30_000])
    order = frame["at"].to_numpy()[::-1].copy()
    found = [place for hits, _ in store.holding("odd", "said", order) for place in hits.tolist()]
    assert found == list(range(29_999, 0, -2))
