from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import ConfigError
from tasks.publish.merge import Places, columns_of_both, merged, places_of
from tasks.storage import tables
from tasks.storage.tables import write_stream

COLUMNS = {"row_id": pl.String, "by": pl.String}


def merge_of(folder: Path) -> tuple[Places, pl.DataFrame]:
    earlier, own = folder / "earlier", folder / "own"
    places = places_of([earlier], [own])
    count = Places(dict(places.before), dict(places.behind), list(places.at_end))
    return count, pl.concat(merged([earlier], [own], places, columns_of_both(earlier, own)))


def joined(folder: Path, earlier: str, own: str) -> str:
    for name, letters in (("earlier", earlier), ("own", own)):
        write_stream(
            folder / name, [pl.DataFrame({"row_id": list(letters), "by": [name] * len(letters)}, schema=COLUMNS)]
        )
    places, frame = merge_of(folder)
    assert places.rows == 0 or frame.filter(by="own").height == frame.height - len(earlier)
    assert frame.filter(by="earlier")["row_id"].to_list() == list(earlier)
    return "".join(frame["row_id"])


@pytest.mark.parametrize(
    ("earlier", "own", "expected"),
    [
        pytest.param("abc", "xyz", "abcxyz", id="a new night stands at the end"),
        pytest.param("abcxz", "xyz", "abcxyz", id="a healed row behind the one it follows"),
        pytest.param("abcz", "xyz", "abcxyz", id="or before the one that follows it"),
        pytest.param("abcxzde", "wxyzv", "abcwxyzvde", id="all places at once, with a later night behind"),
        pytest.param("abc", "abc", "abc", id="nothing new"),
        pytest.param("acb", "abxc", "acbx", id="the dataset has them in another order"),
    ],
)
def test_new_rows_join_at_their_places(earlier: str, own: str, expected: str, tmp_path: Path) -> None:
    assert joined(tmp_path, earlier, own) == expected


letters = st.lists(st.sampled_from("abcdefghijklmnop"), unique=True, max_size=12)


@settings(max_examples=60, deadline=None)
@given(whole=letters, failed=st.sets(st.sampled_from("abcdefghijklmnop")), later=st.integers(0, 3))
def test_healing_gives_the_order_of_a_run_in_which_nothing_failed(
    whole: list[str], failed: set[str], later: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("nights")
    group, tables.ROW_GROUP = tables.ROW_GROUP, 3  # several frames
    survivors, nights = "".join(row for row in whole if row not in failed), "XYZ"[:later]
    try:
        found = joined(folder, f"0{survivors}{nights}", "".join(whole))
    finally:
        tables.ROW_GROUP = group
    if survivors or not nights:
        assert found == f"0{''.join(whole)}{nights}"
    assert sorted(found) == sorted(f"0{''.join(whole)}{nights}")


def test_rows_of_two_nights_may_differ_in_a_column_that_one_lacks(tmp_path: Path) -> None:
    write_stream(tmp_path / "earlier", [pl.DataFrame({"row_id": ["a"]})])
    write_stream(tmp_path / "own", [pl.DataFrame({"row_id": ["b"], "operations": [["deepen"]]})])
    frame = merge_of(tmp_path)[1]
    assert frame.to_dicts() == [{"row_id": "a", "operations": None}, {"row_id": "b", "operations": ["deepen"]}]


def test_rows_of_another_shape_cannot_join(tmp_path: Path) -> None:
    write_stream(tmp_path / "earlier", [pl.DataFrame({"row_id": ["a"], "messages": ["x"]})])
    write_stream(tmp_path / "own", [pl.DataFrame({"prompt": ["b"], "label": [True]})])
    with pytest.raises(ConfigError, match="other columns"):
        merge_of(tmp_path)
