"""What texts are compared by is what it is said to be, for any text and any number of them at once."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.text.near.hashed import batches_of, hashed, word_runs
from tasks.text.near.jaccard import jaccard
from tasks.text.near.minhash import FOUND, band_keys, bands_for
from tasks.text.near.shingles import figures, shingle_sets
from tasks.text.responses import normalised
from tasks.text.words import words

SENTENCES = st.lists(
    st.sampled_from(["the", "cat", "and", "a", "dog", "é", "猫", "犬", "run", "don't", "!", "…", "7", ""]), max_size=12
).map(" ".join)
TEXTS = st.lists(SENTENCES | st.text(max_size=20), max_size=8)


def shingles_of(text: str) -> set[tuple[str, ...]]:
    said = words(text)
    return {(word,) for word in said} | set(pairwise(said))


def shared(one: str, other: str) -> float:
    ours, theirs = shingles_of(one), shingles_of(other)
    return len(ours & theirs) / max(1, len(ours | theirs))


@given(TEXTS)
def test_words_are_numbers_and_runs_stay_within_their_text(texts: list[str]) -> None:
    said, plain = hashed(texts), [words(text) for text in texts]
    assert said.counts.tolist() == list(map(len, plain))
    flat = [word for one in plain for word in one]
    assert len(set(flat)) == len(set(said.words.tolist()))
    for length, numbers, begins in word_runs(said, (1, 3)):
        runs = [tuple(one[at : at + length]) for one in plain for at in range(len(one) - length + 1)]
        assert len(numbers) == len(begins) == len(runs)
        assert len(set(zip(runs, numbers.tolist(), strict=True))) == len(set(runs)) == len(set(numbers.tolist()))


@given(TEXTS)
def test_the_jaccard_of_sets_is_that_of_their_shingles(texts: list[str]) -> None:
    sets = shingle_sets(texts)
    left, right = (grid.ravel() for grid in np.indices((len(texts), len(texts))))
    expected = [shared(texts[i], texts[j]) for i, j in zip(left, right, strict=True)]
    assert jaccard(sets, sets, left, right).tolist() == pytest.approx(expected)


@given(TEXTS, st.integers(1, 5), st.integers(1, 40))
def test_batches_hold_all_texts_in_order(texts: list[str], most: int, most_chars: int) -> None:
    made = list(batches_of(enumerate(texts), most, most_chars))
    assert [pair for names, held in made for pair in zip(names, held, strict=True)] == list(enumerate(texts))
    assert all(len(held) <= most and (len(held) == 1 or sum(map(len, held)) <= most_chars) for _, held in made)


@pytest.mark.parametrize("threshold", [0.5, 0.65, 0.8, 0.9])
def test_a_pair_at_the_threshold_is_a_candidate_as_often_as_is_said(threshold: float) -> None:
    size, pairs = 60, 2000
    draw, bands = np.random.default_rng(7), bands_for(threshold)
    both = round(2 * size * threshold / (1 + threshold))  # shingles in common of two sets of `size`
    texts = draw.integers(0, 1 << 62, (pairs, 2 * size - both)).astype(str)
    ours, theirs = ([_set(row) for row in part] for part in (texts[:, :size], texts[:, -size:]))
    found = (band_keys(_sets(ours), bands) == band_keys(_sets(theirs), bands)).any(axis=1).mean()
    assert found == pytest.approx(1 - (1 - threshold**bands.rows) ** bands.count, abs=0.015)
    assert found > FOUND - 0.015


def _set(marks: np.ndarray) -> np.ndarray:
    return np.unique(marks.astype(np.uint64).astype(np.uint32))


def _sets(sets: list[np.ndarray]):  # type: ignore[no-untyped-def]
    from tasks.text.near.hashed import ends_of
    from tasks.text.near.shingles import ShingleSets

    return ShingleSets(np.concatenate(sets), ends_of(list(map(len, sets))))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("What is 2 - 3?", "What is 2 + 3?", False),
        ("What is 12 * 3?", "what is 12*3", True),
        ("Name 3 colours.", "Name 4 colours.", False),
        ("Add 1/4 of it, then 5.", "ADD 1/4 of it; then 5!", True),
        ("Is a < b?", "Is a > b?", False),
        ("Pay $1,200.50 by 5:30", "pay 1,200.50 by 5:30!", True),
        ("Give ２ eggs", "Give 2 eggs", True),
        ("a well-known text", "a well known text", True),
        ("Sort a list in C", "Sort a list in C#.", False),
        ("# A title\n\n## A part #tag", "A title. A part, tag", True),
    ],
)
def test_figures_tell_texts_of_the_same_words_apart(one: str, other: str, same: bool) -> None:
    assert (figures(normalised(one)) == figures(normalised(other))) is same
