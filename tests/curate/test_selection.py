"""Selectors: Deita's is equal to its plain definition, none depends on the order of rows, and what cannot be compared goes."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.curate.selection.calibration import FEWEST, calibrated
from tasks.curate.selection.diverse import diverse
from tasks.curate.selection.drawn import drawn
from tasks.curate.selection.pool import Selection, SelectionPool, Selector
from tasks.curate.selection.targeted import targeted
from tasks.storage.digest import digest


def ids_of(count: int) -> list[str]:
    return [digest("row", at) for at in range(count)]


def crowded(count: int, dimensions: int = 24, *, groups: int = 40, noise: float = 0.35, seed: int = 0) -> np.ndarray:
    """Vectors that lie around a few centres, so that many are similar and many are not."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((groups, dimensions))
    return (centres[rng.integers(groups, size=count)] + noise * rng.standard_normal((count, dimensions))).astype(
        np.float32
    )


def plain(ids: list[str], scores: np.ndarray, vectors: np.ndarray, threshold: float, most: int) -> list[str]:
    """The definition, row by row: quadratic, in float64, with nothing left out."""
    exact = vectors.astype(np.float64)
    chosen: list[int] = []
    for at in sorted(range(len(ids)), key=lambda at: (-scores[at], ids[at])):
        if len(chosen) == most:
            break
        lengths = np.linalg.norm(exact[at]) * np.linalg.norm(exact[chosen], axis=1)
        if (exact[chosen] @ exact[at] / lengths <= threshold).all():
            chosen.append(at)
    return [ids[at] for at in chosen]


@pytest.mark.parametrize(("threshold", "most"), [(0.9, 2000), (0.9, 300), (0.6, 2000), (0.99, 1500), (0.3, 50)])
def test_the_selection_is_that_of_the_plain_definition(threshold: float, most: int) -> None:
    ids, vectors = ids_of(2000), crowded(2000)
    scores = np.random.default_rng(1).integers(1, 30, 2000).astype(np.float64)  # with many ties
    found = diverse(threshold)(SelectionPool.of(ids, scores, vectors.copy()), most)
    assert found.chosen == plain(ids, scores, vectors, threshold, most)
    assert {*found.chosen, *found.gone} == {*ids}
    assert not {*found.chosen} & {*found.gone}
    assert len(found.chosen) < 2000


def test_a_row_is_compared_with_kept_rows_alone() -> None:
    """b is like a and goes; c is like b, but not like a, and stays."""
    angles = np.radians([0, 20, 40])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    found = diverse(0.9)(SelectionPool.of(["a", "b", "c"], np.array([3.0, 2, 1]), vectors), 3)
    assert found.chosen == ["a", "c"]
    assert found.gone["b"].reason == "too_similar"
    assert found.gone["b"].detail == "a, similarity 0.940"


def test_equal_to_the_threshold_is_kept_and_copies_go_even_at_one() -> None:
    vectors = np.array([[1, 0], [0.6, 0.8], [1, 0]], dtype=np.float32)
    found = diverse(float(np.float32(0.6)))(SelectionPool.of(["a", "b", "c"], np.array([3.0, 2, 1]), vectors.copy()), 3)
    assert found.chosen == ["a", "b"]
    assert diverse(1.0)(SelectionPool.of(["a", "b", "c"], np.array([3.0, 2, 1]), vectors), 3).chosen == ["a", "b", "c"]


def test_rows_that_stay_in_any_case_turn_out_others_and_are_not_chosen() -> None:
    held = SelectionPool.of(["old", "broken"], None, np.array([[1, 0], [np.nan, 0]], dtype=np.float32))
    pool = SelectionPool.of(["a", "b"], np.array([2.0, 1]), np.array([[1, 0.01], [0, 1]], dtype=np.float32))
    found = diverse(0.9, held)(pool, 5)
    assert found.chosen == ["b"]
    assert found.gone["a"].detail.startswith("old, similarity 1.0")


def test_what_cannot_be_compared_goes_with_a_reason() -> None:
    vectors = np.array([[1, 0], [np.nan, 1], [0, 0], [np.inf, 0], [0, 1]], dtype=np.float32)
    found = diverse(0.9)(SelectionPool.of(list("abcde"), np.array([1.0, 2, 3, 4, np.nan]), vectors), 5)
    assert found.chosen == ["a"]
    assert {row: loss.reason for row, loss in found.gone.items()} == {
        "b": "embedding_not_finite",
        "c": "embedding_zero",
        "d": "embedding_not_finite",
        "e": "no_score",
    }
    assert {loss.kind for loss in found.gone.values()} == {"filtered"}


SELECTORS: dict[str, Selector] = {
    "deita": diverse(0.8),
    "random": drawn(7),
    "rds": targeted(SelectionPool.of(ids_of(5), None, crowded(5, seed=3))),
}


@pytest.mark.parametrize("selector", SELECTORS.values(), ids=SELECTORS)
@settings(max_examples=15)
@given(order=st.permutations(range(60)), most=st.integers(1, 60))
def test_the_order_of_rows_changes_nothing(selector: Selector, order: list[int], most: int) -> None:
    ids, vectors = ids_of(60), crowded(60, groups=12)
    scores = np.arange(60).astype(np.float64) % 4

    def of(places: list[int]) -> Selection:
        return selector(SelectionPool.of([ids[at] for at in places], scores[places], vectors[places]), most)

    first, other = of(list(range(60))), of(order)
    assert first == other
    assert len(first.chosen) <= most
    assert {*first.chosen} | first.gone.keys() == {*ids}


def test_random_draws_another_set_with_another_seed() -> None:
    pool = SelectionPool.of(ids_of(100))
    assert drawn(1)(pool, 10).chosen == drawn(1)(pool, 10).chosen != drawn(2)(pool, 10).chosen
    assert {loss.reason for loss in drawn(1)(pool, 10).gone.values()} == {"not_selected"}


def test_target_rows_take_turns_each_with_its_own_nearest() -> None:
    """Two targets at right angles: without turns the five rows near the first would be chosen before any near the second."""
    angles = np.radians([0, 1, 2, 3, 4, 80, 70])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    target = SelectionPool.of(["x", "y", "nothing"], None, np.array([[1, 0], [0, 1], [0, 0]], dtype=np.float32))
    found = targeted(target)(SelectionPool.of(list("abcdefg"), None, vectors), 4)
    assert found.chosen == ["a", "f", "b", "g"]
    assert found.gone["c"].detail == "similarity 0.999 to the target"


def test_a_ranking_is_followed_as_far_as_it_takes() -> None:
    pool = SelectionPool.of(ids_of(300), None, crowded(300))
    same = np.repeat(crowded(1, seed=9), 40, axis=0)  # forty targets that all want the same rows
    assert len(targeted(SelectionPool.of(ids_of(40), None, same))(pool, 200).chosen) == 200


def test_a_threshold_is_above_unrelated_rows_and_below_copies_for_any_embedder() -> None:
    rng = np.random.default_rng(0)
    for shift in (0.0, 3.0):  # unrelated rows at a similarity of 0, and at one of 0.9
        vectors = (rng.standard_normal((400, 64)) + shift).astype(np.float32)
        vectors[1] = vectors[0] + 0.01 * rng.standard_normal(64)
        pool = SelectionPool.of(ids_of(400), np.ones(400), vectors)
        found = calibrated(pool, seed=0)
        assert found is not None
        assert found.median < found.high < found.threshold < 1
        gone = diverse(found.threshold)(pool, 400).gone
        assert len(gone) == 1
        assert {*gone} < {pool.ids[0], pool.ids[1]}


def test_few_rows_are_not_calibrated_on_and_order_changes_no_threshold() -> None:
    vectors = crowded(200)
    assert calibrated(SelectionPool.of(ids_of(FEWEST - 1), None, vectors[: FEWEST - 1].copy()), 0) is None
    ids = ids_of(200)
    one = calibrated(SelectionPool.of(ids, None, vectors.copy()), 0)
    other = calibrated(SelectionPool.of(ids[::-1], None, vectors[::-1].copy()), 0)
    assert one == other


def test_memory_stays_within_the_vectors_and_a_block() -> None:
    count, dimensions = 20_000, 64
    vectors = crowded(count, dimensions, groups=2000, noise=1.0)
    tracemalloc.start()
    pool = SelectionPool.of(ids_of(count), np.arange(count).astype(np.float64), vectors)
    chosen = diverse(0.95)(pool, count).chosen
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(chosen) > 10_000
    assert peak < 80e6  # a matrix of all with all would have 1,600 MB
