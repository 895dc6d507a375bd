"""What is found in buckets is what is found on one disk, to the last figure, whatever the number of buckets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tasks.curate import near_index
from tasks.curate.deduplicate import Deduplicate
from tasks.curate.held_texts import TextsHere, TextsInBuckets
from tasks.curate.near_index import NearIndex
from tasks.storage import arrays
from tests.benchmarks.curation import made_texts, seed_texts
from tests.benchmarks.seeded import copies_of
from tests.curate.test_duplicates import SOCKS, frame_of, reasons


class BucketsHere:
    """So many buckets in this process."""

    def __init__(self, folder: Path, count: int) -> None:
        self.count, self.is_closed = count, False
        self._buckets = []
        for at in range(count):
            (folder / str(at)).mkdir(parents=True)
            self._buckets.append(TextsHere(folder / str(at)))

    def ask(self, method: str, questions: Sequence[tuple[Any, ...]]) -> list[Any]:
        return [getattr(one, method)(*asked) for one, asked in zip(self._buckets, questions, strict=True)]

    def close(self) -> None:
        self.is_closed = True


def texts_of_all_kinds() -> list[tuple[str, str]]:
    """People's texts with copies of each kind, rows of a program, crowds that share a phrase, and texts of nothing."""
    seeds = seed_texts()
    crowd = [f"Tell me in one short sentence about the lovely old village of {name}" for name in map(str, range(400))]
    texts = [*seeds, *(copy.text for copy in copies_of(seeds)), *made_texts(3000), *crowd, "", "!", "?!", "", "月" * 30]
    Random(3).shuffle(texts)
    return [(str(at), text) for at, text in enumerate(texts)]


@pytest.mark.parametrize("contained", [False, True], ids=["alike", "contained"])
@pytest.mark.parametrize("count", [1, 3, 8])
def test_buckets_find_what_one_disk_finds(
    count: int, contained: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_index, "AT_ONCE", 300)  # many runs, some merged
    monkeypatch.setattr(near_index, "MOST_ALIKE", 5)  # what a crowd hides depends on the runs: it has to be the same
    monkeypatch.setattr(arrays, "MOST_MERGED", 20_000)
    texts, found = texts_of_all_kinds(), []
    for held in (None, TextsInBuckets(BucketsHere(tmp_path / "buckets", count))):
        folder = tmp_path / ("here" if held is None else "ids")
        folder.mkdir()
        index = NearIndex(folder, 0.6, same_figures=False, contained=contained, held=held)
        index.hold(texts[:200])
        found.append([match for at in range(0, len(texts), 700) for match in index.add(texts[at : at + 700])])
    assert found[0] == found[1]
    assert sum(match is not None for match in found[0]) > 500
    assert any(match and match.contained is not None for match in found[0]) == contained


def test_a_sieve_closes_its_buckets(tmp_path: Path) -> None:
    buckets = BucketsHere(tmp_path / "buckets", 2)
    sieve = Deduplicate().open(tmp_path, buckets)
    assert reasons(sieve, frame_of(SOCKS, SOCKS.upper())) == [(1, "duplicate", f"{0:032x}")]
    sieve.close()
    assert buckets.is_closed
    assert [path.name for path in tmp_path.iterdir()] == ["buckets"]
