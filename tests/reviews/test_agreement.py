"""Figures of agreement, against cases that are worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.reviews.agreement import FEWEST_JUDGED, cohen_kappa, figures_of_reviews
from tasks.reviews.decisions import Numbered, decision_of
from tasks.reviews.queue import ReviewQueue, drawn_order, left_side
from tasks.reviews.standing import standing

PAIRS = st.lists(st.tuples(st.integers(1, 5).map(float), st.integers(1, 5).map(float)), min_size=1, max_size=30)


def test_kappa_is_that_of_the_textbook() -> None:
    both = [(1.0, 1.0)] * 20 + [(1.0, 0.0)] * 5 + [(0.0, 1.0)] * 10 + [(0.0, 0.0)] * 15
    assert cohen_kappa(both) == 0.4  # observed 0.7, by chance 0.5
    assert cohen_kappa([(1.0, 1.0), (5.0, 5.0)], squared=True) == 1
    assert cohen_kappa([(1.0, 5.0), (5.0, 1.0)], squared=True) == -1
    assert cohen_kappa([(1.0, 1.0)]) is None
    assert cohen_kappa([]) is None


@given(PAIRS, st.booleans())
def test_kappa_does_not_mind_who_is_who_and_is_1_for_equals(pairs: list[tuple[float, float]], squared: bool) -> None:
    found = cohen_kappa(pairs, squared=squared)
    assert found == pytest.approx(cohen_kappa([(b, a) for a, b in pairs], squared=squared))
    assert found is None or found <= 1
    same = cohen_kappa([(a, a) for a, _ in pairs], squared=squared)
    assert same in (1, None)


def made(*told: dict[str, Any]) -> list[Numbered]:
    return [Numbered(at, decision_of({"said": "s", **one})) for at, one in enumerate(told, 1)]


def test_pairs_are_compared_with_the_judge_by_the_side_that_was_shown() -> None:
    rows = {str(at): {"score_chosen": 4.0, "score_rejected": 1.0} for at in range(FEWEST_JUDGED)}
    told = [
        {
            "reviewer": "anna",
            "about": about,
            "decision": "prefer",
            "preferred": "chosen",
            "left": "chosen" if int(about) % 2 else "rejected",
        }
        for about in rows
    ]
    figures = figures_of_reviews(standing(made(*told)), rows)
    assert (figures.kappa["side"], figures.pairs["side"]) == (1, FEWEST_JUDGED), "she always means the judge's"
    against = figures_of_reviews(standing(made(*({**one, "preferred": "rejected"} for one in told))), rows)
    assert against.kappa["side"] == -1
    few = figures_of_reviews(standing(made(*told[:-1])), rows)
    assert few.kappa["side"] is None


def test_reviewers_who_agree_have_an_alpha_of_1() -> None:
    told = [
        {"reviewer": name, "about": about, "decision": decision}
        for name in ("anna", "ben")
        for about, decision in (("1", "accept"), ("2", "reject"), ("3", "accept"))
    ]
    figures = figures_of_reviews(standing(made(*told)), {})
    assert figures.alpha["verdict"] == 1
    assert figures.counts == {name: {"accept": 2, "reject": 1} for name in ("anna", "ben")}


def test_a_row_waits_for_those_who_have_not_decided_until_enough_have() -> None:
    stand = standing(
        made(
            {"reviewer": "anna", "about": "1", "decision": "accept"},
            {"reviewer": "ben", "about": "1", "decision": "skip"},
            {"reviewer": "ben", "about": "2", "decision": "accept"},
        )
    )
    assert [row for row in "123" if ReviewQueue().waits("anna", stand)(row)] == ["2", "3"]
    assert [row for row in "123" if ReviewQueue(overlap=1).waits("anna", stand)(row)] == ["3"]
    assert [row for row in "123" if ReviewQueue(overlap=2).waits("cora", stand)(row)] == ["2", "3"]


def test_orders_are_drawn_from_ids_alone_and_sides_evenly() -> None:
    ids = [str(at) for at in range(400)]
    order = [ids[at] for at in drawn_order(ids)]
    assert order == [ids[::-1][at] for at in drawn_order(ids[::-1])]
    assert order != ids
    left = sum(left_side(one, "anna") == "chosen" for one in ids)
    assert 150 < left < 250
    assert any(left_side(one, "anna") != left_side(one, "ben") for one in ids)
