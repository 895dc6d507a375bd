"""The order of rows: filters and decontamination do not know of it; of duplicates it decides which of a group stays."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tasks.curate.decontaminate import Decontaminate
from tasks.curate.deduplicate import Deduplicate
from tasks.curate.filters import Filters, refuse_bad
from tasks.errors import Filtered
from tasks.text.near.jaccard import jaccard
from tasks.text.near.shingles import shingle_sets
from tasks.text.responses import normalised

WORDS = ("moon", "river", "lever", "town", "bicycle", "tea")
ASKED = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(
    lambda said: f"Tell me about the {' and the '.join(said)}"
)
CASED = st.tuples(ASKED, st.sampled_from((str, str.upper, str.title))).map(lambda one: one[1](one[0]))
BENCHMARK = "Tell me about the moon and the moon and the moon and the river"
ANSWERS = st.sampled_from(("It is so.", "I'm sorry, but I can't help with that.", "Sevilla.<|im_end|>", BENCHMARK))
ROWS = st.lists(st.tuples(CASED, ANSWERS), min_size=1, max_size=12)
SHUFFLED = st.tuples(ROWS, st.integers(0, 1000))
THRESHOLD = 0.6


def frame_of(rows: Sequence[tuple[str, str]], seed: int | None = None) -> pl.DataFrame:
    ids = [f"{at:032x}" for at in range(len(rows))]
    asked, answers = zip(*rows, strict=True)
    frame = pl.DataFrame({"row_id": ids, "instruction": asked, "response": answers})
    return frame if seed is None else frame[Random(seed).sample(range(len(rows)), len(rows))]


def kept(params: Deduplicate | Decontaminate, frame: pl.DataFrame, cut: int = 5) -> pl.DataFrame:
    """What a sieve leaves of a frame that comes in two tables."""
    with TemporaryDirectory() as folder:
        sieve = params.open(Path(folder))
        parts = [part.filter(~part["row_id"].is_in(list(sieve.sift(part)))) for part in (frame[:cut], frame[cut:])]
        sieve.close()
    return pl.concat(parts)


@given(SHUFFLED)
def test_filters_and_decontamination_keep_the_same_rows_in_any_order(
    shuffled: tuple[list[tuple[str, str]], int],
) -> None:
    rows, seed = shuffled
    with TemporaryDirectory() as folder:
        file = Path(folder, "moon.jsonl")
        file.write_text(json.dumps({"question": BENCHMARK}))
        params = Decontaminate(benchmarks=(str(file),))
        stay = [set(kept(params, frame)["row_id"]) for frame in (frame_of(rows), frame_of(rows, seed))]
    assert stay[0] == stay[1]
    good = [
        {row["row_id"] for row in frame.iter_rows(named=True) if _passes(row)}
        for frame in (frame_of(rows), frame_of(rows, seed))
    ]
    assert good[0] == good[1]


def _passes(row: dict[str, str]) -> bool:
    try:
        refuse_bad(row, Filters())
    except Filtered:
        return False
    return True


@given(SHUFFLED)
def test_of_equal_prompts_one_stays_in_any_order(shuffled: tuple[list[tuple[str, str]], int]) -> None:
    rows, seed = shuffled
    said = [kept(Deduplicate(threshold=1), frame)["instruction"] for frame in (frame_of(rows), frame_of(rows, seed))]
    kinds = [sorted(map(_words_and_pairs, one)) for one in said]
    assert kinds[0] == kinds[1] == sorted(set(map(_words_and_pairs, (asked for asked, _ in rows))))


def _words_and_pairs(asked: str) -> tuple[str, ...]:
    """What equal prompts have in common: their words and their pairs of words."""
    said = normalised(asked).split()
    return tuple(sorted({*said, *map(" ".join, pairwise(said))}))


@given(SHUFFLED)
def test_each_near_duplicate_that_goes_is_like_a_row_before_it_that_stays(
    shuffled: tuple[list[tuple[str, str]], int],
) -> None:
    """Which of a group stay depends on the order (docs/curation_duplicates.md); this does not.

    That those which stay are unlike is not certain: a sketch finds nearly all that are alike, never others.
    """
    frame = frame_of(*shuffled)
    stay = set(kept(Deduplicate(threshold=THRESHOLD), frame)["row_id"])
    texts = frame["instruction"].to_list()
    alike = _alike(texts)
    places = [at for at, row_id in enumerate(frame["row_id"]) if row_id in stay]
    for at in set(range(len(texts))) - set(places):
        assert any(alike[at][other] for other in places if other < at)


def _alike(texts: Sequence[str]) -> list[list[bool]]:
    """Whether each two texts are alike, by the whole of their shingle sets."""
    import numpy as np

    sets, count = shingle_sets(texts), len(texts)
    left, right = (side.ravel() for side in np.meshgrid(np.arange(count), np.arange(count), indexing="ij"))
    values = jaccard(sets, sets, left, right).reshape(count, count)
    alike: list[list[bool]] = (values >= THRESHOLD).tolist()
    return alike
