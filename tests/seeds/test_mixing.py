"""Several datasets read as one: whose turn it is, in which form, and how many rows each gives."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import ConfigError
from tasks.seeds.mixing.mixture import mixture_reader
from tasks.seeds.mixing.parts import MixturePart, check_parts, shares_of
from tasks.seeds.whole_records import open_records

QA = [{"question": f"q{n}", "answer": f"a{n}", "topic": "birds"} for n in range(6)]
TALKS = [
    {"messages": [{"role": "user", "content": f"u{n}"}, {"role": "assistant", "content": f"s{n}"}], "score": n / 2}
    for n in range(3)
]
PAIRS = [{"prompt": "p", "chosen": "c", "rejected": "r"}]


def records_of(*parts: MixturePart, start: int = 0) -> list[dict[str, Any]]:
    return [dict(record) for _, record in mixture_reader(parts).records(start, None)]  # type: ignore[arg-type]


@given(weights=st.lists(st.floats(0.01, 100), min_size=1, max_size=6), rows=st.integers(1, 10_000))
def test_shares_add_up_and_none_is_a_row_off(weights: list[float], rows: int) -> None:
    parts = [MixturePart(source="x", name=str(at), weight=weight) for at, weight in enumerate(weights)]
    shares = shares_of(parts, rows)
    assert sum(shares.values()) == rows
    exact = {str(at): weight * rows / sum(weights) for at, weight in enumerate(weights)}
    assert all(abs(shares[name] - exact[name]) < 1 + 1e-6 for name in exact)


def test_of_equal_remainders_the_earlier_part_gets_the_row() -> None:
    parts = [MixturePart(source="x", name="a", weight=3), MixturePart(source="x", name="b", weight=1)]
    assert shares_of(parts, 30) == {"a": 23, "b": 7}


def test_records_come_in_turn_by_weight_and_say_where_from() -> None:
    made = records_of(MixturePart(source=QA, name="qa", weight=2), MixturePart(source=TALKS, name="talks"))
    assert [one["source"] for one in made] == [
        "qa",
        "talks",
        "qa",
        "qa",
        "talks",
        "qa",
        "qa",
        "talks",
        "qa",
    ] or Counter(one["source"] for one in made[:6]) == {"qa": 4, "talks": 2}
    first = next(one for one in made if one["source"] == "qa")
    assert first["messages"] == [{"role": "user", "content": "q0"}, {"role": "assistant", "content": "a0"}]
    assert next(one for one in made if one["source"] == "talks") == TALKS[0] | {"source": "talks"}
    assert Counter(one["source"] for one in made) == {"qa": 6, "talks": 3}


def test_reading_goes_on_where_it_stopped() -> None:
    parts = (MixturePart(source=QA, name="qa", weight=2), MixturePart(source=TALKS, name="talks"))
    assert records_of(*parts)[4:] == records_of(*parts, start=4)
    whole = open_records(mixture_reader(parts))
    frames = [batch.frame for batch in whole.read(4)]
    assert [frame.height for frame in frames] == [4, 4, 1]
    assert frames[0]["record"].struct.field("source").to_list()[0] == "qa"


def test_a_fault_names_its_place_in_its_own_file() -> None:
    reader = mixture_reader([MixturePart(source=QA, name="qa"), MixturePart(source=TALKS, name="talks")])
    assert reader.at(1) == "the list of seeds item 1"
    assert (
        reader.content()
        == mixture_reader([MixturePart(source=QA, name="qa"), MixturePart(source=TALKS, name="talks")]).content()
    )
    assert (
        reader.content()
        != mixture_reader([MixturePart(source=QA, name="qa"), MixturePart(source=TALKS, name="other")]).content()
    )


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([MixturePart(source=QA, name="a"), MixturePart(source=PAIRS, name="b")], "a: conversations, b: pairs"),
        ([MixturePart(source=[{"prompt": "p", "responses": ["a", "b"]}], name="a")], "pools of responses"),
        (
            [MixturePart(source=[{"question": "q", "answer": "a", "source": "w"}])],
            "a part has a column source of its own",
        ),
        ([MixturePart(source="nowhere.jsonl")], "no such file"),
    ],
    ids=["pairs beside conversations", "pools", "a column of the name", "not there"],
)
def test_what_cannot_be_mixed_is_told_in_one_line(parts: list[MixturePart], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        mixture_reader(parts)


def test_two_parts_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="one name: a"):
        check_parts([MixturePart(source="x/a.jsonl"), MixturePart(source="y/a.parquet")])
