"""Deita's score of 1 to 6: the expectation over the digits, by hand; what is written, where no likelihoods are told."""

from __future__ import annotations

import math

import pytest

from tasks.errors import Unusable
from tasks.models.base import TokenLogprobs
from tasks.text.verdicts.expectation import Expectation, expected, written_score


def tokens(*said: str, **top: float) -> list[TokenLogprobs]:
    """Tokens of an answer, the digits of each with these probabilities."""
    of_digits = {digit.removeprefix("p"): math.log(share) for digit, share in top.items()}
    return [TokenLogprobs(token, -0.1, {token: -9.0} | of_digits) for token in said]


def test_the_expectation_is_the_mean_by_softmax_over_the_six_digits_alone() -> None:
    logits = {"1": 0.3, "2": -1.0, "3": 2.0, "4": 2.5, "5": 0.0, "6": -3.0, "The": 7.0}
    total = math.log(sum(math.exp(value) for value in logits.values()))
    by_hand = sum(d * math.exp(logits[str(d)]) for d in range(1, 7)) / sum(
        math.exp(logits[str(d)]) for d in range(1, 7)
    )
    assert expected({token: value - total for token, value in logits.items()}) == pytest.approx(by_hand, abs=1e-12)
    assert by_hand == pytest.approx(3.504240, abs=1e-6)


@pytest.mark.parametrize(
    ("top", "score"),
    [
        ({"4": 0.0}, 4.0),
        ({"4": math.log(0.5), " 4": math.log(0.25), "5": math.log(0.25)}, 4.25),
        ({"7": 0.0, "3": -5.0, "0": -1.0, "45": -1.0}, 3.0),
        ({"2": -math.inf, "6": -40.0}, 6.0),
        ({"yes": -0.1}, None),
        ({}, None),
    ],
)
def test_only_the_digits_of_the_scale_count(top: dict[str, float], score: float | None) -> None:
    found = expected(top)
    assert found == score if score is None else found == pytest.approx(score)


def test_the_first_token_that_says_something_counts_whatever_was_sampled() -> None:
    said = [TokenLogprobs("\n", 0.0, {"1": 0.0}), *tokens("5", p4=0.5, p5=0.5), *tokens(".", p1=1.0)]
    assert Expectation().weighed("5.", said, reasoned=False) == pytest.approx(4.5)
    off = tokens("The", p2=0.5, p3=0.5)
    assert Expectation().weighed("The score is", off, reasoned=False) == pytest.approx(2.5)


def test_after_reasoning_the_last_digit_counts() -> None:
    said = [*tokens("1", p1=1.0), *tokens("</think>"), *tokens("6", p5=0.5, p6=0.5)]
    assert Expectation().weighed("6", said, reasoned=True) == pytest.approx(5.5)


@pytest.mark.parametrize("logprobs", [None, [], [TokenLogprobs("3", -0.1, {})]], ids=["none", "empty", "no others"])
def test_without_likelihoods_it_is_what_is_written(logprobs: list[TokenLogprobs] | None) -> None:
    assert Expectation().weighed("3", logprobs, reasoned=False) == 3.0


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("4", 4),
        (" **5**", 5),
        ("3/6", 3),
        ("Score: 6", 6),
        ("Rating: 2", 2),
        ("<think>1, no</think>4", 4),
        ("[6]", 6),
        ("4.5", 4.5),
    ],
)
def test_a_written_score_is_read(text: str, score: float) -> None:
    assert written_score(text) == score


@pytest.mark.parametrize("text", ["7", "0", "", "very hard", "4-5", "4/10", "12", "N/A"])
def test_what_is_no_score_is_unusable(text: str) -> None:
    with pytest.raises(Unusable, match="rating_"):
        written_score(text)
