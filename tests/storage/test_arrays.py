"""Arrays on disk against lists and dicts in memory."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.storage.arrays import GrowingArray, SortedRuns

BATCHES = st.lists(st.lists(st.integers(0, 9), max_size=12), max_size=12)


@given(BATCHES)
def test_an_array_holds_what_was_appended(batches: list[list[int]]) -> None:
    with TemporaryDirectory() as folder:
        array, held = GrowingArray(Path(folder) / "array", np.int64), list[int]()
        for batch in batches:
            array.append(np.array(batch, np.int64))
            held += batch
            assert array.read().tolist() == held
            assert len(array) == len(held)


@given(BATCHES)
def test_rows_are_found_by_their_keys(batches: list[list[int]]) -> None:
    with TemporaryDirectory() as folder:
        runs, rows = SortedRuns(Path(folder)), defaultdict[int, list[int]](list)
        count = 0
        for batch in batches:
            runs.add(np.array(batch, np.uint64), np.arange(count, count + len(batch)))
            for key in batch:
                rows[key].append(count)
                count += 1
        wanted = [3, 9, 3, 0]
        positions, found = runs.find(np.array(wanted, np.uint64), 1000)
        assert sorted(zip(positions.tolist(), found.tolist(), strict=True)) == sorted(
            (at, row) for at, key in enumerate(wanted) for row in rows[key]
        )
        assert len(list(Path(folder).iterdir())) <= 2 * 8
        first, _ = runs.find(np.array([3], np.uint64), 1)
        assert bool(len(first)) is bool(rows[3])
