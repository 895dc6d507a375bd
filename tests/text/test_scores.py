from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.text.responses import Rating, Response, make_response
from tasks.text.verdicts.scores import agreement_of, scores_of


def rated(**ratings: float | None) -> Response:
    """A response with ratings named judge_aspect or judge_aspect_order."""
    said = []
    for name, rating in ratings.items():
        judge, aspect, *order = name.split("_")
        said.append(
            Rating(judge=judge, aspect=aspect, rating=rating, rationale="", order=int(order[0]) if order else 0)
        )
    return make_response("x", ratings=said)


SCORES: dict[str, tuple[list[Response], list[float | None]]] = {
    "the mean over aspects": ([rated(j_help=4, j_truth=2), rated(j_help=5, j_truth=5)], [3, 5]),
    "the mean over judges": ([rated(a_all=4, b_all=2), rated(a_all=1, b_all=1)], [3, 1]),
    "N/A is out of the mean": ([rated(j_help=4, j_honest=None), rated(j_help=2, j_honest=4)], [4, 3]),
    "only N/A is no score": ([rated(j_all=None), rated(j_all=2)], [None, 2]),
    "no rating is no score, and spoils nobody's": ([rated(), rated(j_all=2), rated(j_all=3)], [None, 2, 3]),
    "nobody rated": ([rated(), rated()], [None, None]),
    "a judge that failed on one counts for none": ([rated(a_all=4, b_all=1), rated(a_all=3)], [4, 3]),
    "unless no judge rated all": ([rated(a_all=4), rated(a_all=2, b_all=4), rated(b_all=1)], [4, 3, 1]),
    "both orders": ([rated(j_help=4, j_help_1=2), rated(j_help=5, j_help_1=5)], [3, 5]),
    "one response": ([rated(j_all=4.5)], [4.5]),
    "none": ([], []),
}


@pytest.mark.parametrize(("responses", "scores"), SCORES.values(), ids=SCORES.keys())
def test_a_score_is_the_mean_of_what_can_be_compared(responses: list[Response], scores: list[float | None]) -> None:
    assert scores_of(responses) == scores


AGREEMENTS: dict[str, tuple[list[Response], float | None]] = {
    "one order": ([rated(j_help=4), rated(j_help=2)], None),
    "one response": ([rated(j_help=4, j_help_1=4)], None),
    "the same winner": ([rated(j_help=4, j_help_1=3), rated(j_help=2, j_help_1=1)], 1.0),
    "the other winner": ([rated(j_help=4, j_help_1=2), rated(j_help=2, j_help_1=4)], 0.0),
    "a tie in both": ([rated(j_help=4, j_help_1=2), rated(j_help=4, j_help_1=2)], 1.0),
    "a tie in one": ([rated(j_help=4, j_help_1=4), rated(j_help=4, j_help_1=2)], 0.0),
    "N/A does not count": (
        [rated(j_help=4, j_help_1=None), rated(j_help=4, j_help_1=2), rated(j_help=5, j_help_1=3)],
        1.0,
    ),
    "the share over aspects": (
        [rated(j_help=4, j_help_1=4, j_truth=1, j_truth_1=5), rated(j_help=2, j_help_1=1, j_truth=2, j_truth_1=2)],
        0.5,
    ),
    "the share over pairs": (
        [rated(j_a=1, j_a_1=1), rated(j_a=2, j_a_1=3), rated(j_a=3, j_a_1=2)],
        2 / 3,
    ),
}


@pytest.mark.parametrize(("responses", "agreement"), AGREEMENTS.values(), ids=AGREEMENTS.keys())
def test_agreement_is_the_share_of_pairs_ranked_alike_in_both_orders(responses: list[Response], agreement: Any) -> None:
    assert agreement_of(responses) == agreement


some_ratings = st.fixed_dictionaries(
    {}, optional={f"{j}_{a}": st.none() | st.integers(1, 5) for j in "pq" for a in "xyz"}
)


@given(st.lists(some_ratings, max_size=5), st.randoms())
def test_scores_lie_within_a_responses_own_ratings_and_do_not_depend_on_order(ratings: list[Any], random: Any) -> None:
    responses = [rated(**named) for named in ratings]
    scores = scores_of(responses)
    for response, score in zip(responses, scores, strict=True):
        own = [said["rating"] for said in response["ratings"] if said["rating"] is not None]
        assert score is None or min(own) <= score <= max(own)
    order = list(range(len(responses)))
    random.shuffle(order)
    shuffled = [
        make_response(
            **responses[i] | {"ratings": random.sample(responses[i]["ratings"], len(responses[i]["ratings"]))}
        )
        for i in order
    ]
    assert scores_of(shuffled) == [scores[i] for i in order]
