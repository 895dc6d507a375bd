from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.publish import changes
from tasks.publish.changes import Changes, changes_between
from tasks.storage.tables import write_stream


def rows(*pairs: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "row_id": [row_id for row_id, _ in pairs],
            "messages": [[{"role": "user", "content": text}] for _, text in pairs],
        },
        schema_overrides={
            "row_id": pl.String,
            "messages": pl.List(pl.Struct({"role": pl.String, "content": pl.String})),
        },
    )


def between(folder: Path, before: pl.DataFrame, after: pl.DataFrame) -> Changes | None:
    for name, frame in (("before", before), ("after", after)):
        write_stream(folder / name, [frame])
    found = changes_between([folder / "before"], [folder / "after"], folder)
    assert sorted(path.name for path in folder.iterdir()) == ["after", "before"]
    return found


ABC = rows(("a", "1"), ("b", "2"), ("c", "3"))


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        pytest.param(ABC, None, id="the same"),
        pytest.param(rows(("a", "1"), ("b", "2"), ("x", "9"), ("c", "3")), Changes(added=1), id="one in between"),
        pytest.param(rows(("a", "1"), ("b", "other"), ("c", "3")), Changes(changed=1), id="one says something else"),
        pytest.param(rows(("c", "3")), Changes(gone=2), id="two gone"),
        pytest.param(rows(("b", "2"), ("a", "1"), ("c", "3")), Changes(), id="another order"),
        pytest.param(rows(), Changes(gone=3), id="all gone"),
        pytest.param(ABC.with_columns(operations=pl.lit(None, pl.String)), Changes(changed=3), id="a new column"),
    ],
)
def test_what_changed_is_told_by_id_and_content(after: pl.DataFrame, expected: Changes | None, tmp_path: Path) -> None:
    assert between(tmp_path, ABC, after) == expected


def test_of_a_first_version_every_row_is_added(tmp_path: Path) -> None:
    write_stream(tmp_path / "after", [ABC])
    assert changes_between(None, [tmp_path / "after"], tmp_path) == Changes(added=3)


def test_rows_without_an_id_are_known_by_what_they_say(tmp_path: Path) -> None:
    before = pl.DataFrame({"prompt": ["a", "a", "b"], "label": [True, True, True]})
    after = pl.DataFrame({"prompt": ["a", "b", "b"], "label": [True, True, False]})
    assert between(tmp_path, before, after) == Changes(added=1, gone=1)


versions = st.lists(st.tuples(st.integers(0, 40).map(str), st.integers(0, 2).map(str)), max_size=40)


@settings(max_examples=60, deadline=None)
@given(before=versions, after=versions, unique=st.booleans())
def test_the_counts_are_those_of_plain_sets(
    before: Any, after: Any, unique: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if unique:
        before, after = list(dict(before).items()), list(dict(after).items())
    folder = tmp_path_factory.mktemp("versions")
    shares, changes.ROWS_AT_ONCE = changes.ROWS_AT_ONCE, 7  # so that there are several shares
    try:
        found = between(folder, rows(*before), rows(*after))
    finally:
        changes.ROWS_AT_ONCE = shares
    assert (found is None) == (before == after)
    if found is not None:
        old, new = Counter(row_id for row_id, _ in before), Counter(row_id for row_id, _ in after)
        assert (found.added, found.gone) == ((new - old).total(), (old - new).total())
        if unique:
            assert found.changed == sum(dict(before)[key] != dict(after)[key] for key in old.keys() & new.keys())
