import random
from typing import Any

import pytest

from tasks.judge.calibration import JudgedPair, figures_of, is_below, keeping_all
from tasks.judge.rate import Rate
from tasks.judge.rubrics import Rubrics
from tasks.judge.trust import JudgeStatistics
from tasks.judge.ultrafeedback import UltraFeedback, shown_orders
from tasks.text.responses import by_digest, make_response


def said(rating: float | None, judge: str = "j", aspect: str = "helpfulness", order: int = 0) -> dict[str, Any]:
    return {"judge": judge, "aspect": aspect, "rating": rating, "rationale": "", "order": order}


def a_pool(number: int) -> list[Any]:
    """Four responses in the order of their digests, of different lengths."""
    texts = [f"answer {number} {'x' * length}" for length in (1, 5, 12, 40)]
    return by_digest(make_response(text) for text in texts)


def figures(rating: Any, pools: int = 30, second: bool = False) -> dict[str, Any]:
    """What is told of a judge that rates by (text, place in the order shown)."""
    statistics = JudgeStatistics()
    for number in range(pools):
        pool = a_pool(number)
        for at, order in enumerate(shown_orders(pool, 7, second)):
            for place, index in enumerate(order):
                pool[index]["ratings"].append(said(rating(pool[index]["text"], place), order=at))
        statistics.add_pool(pool, 7)
    told = statistics.told()
    assert told is not None
    return told["judges"]["j"]  # type: ignore[no-any-return]


def test_a_judge_that_likes_what_stands_first_is_found_out() -> None:
    told = figures(lambda _, place: 5 - place, second=True)
    assert told["position"] == {"pairs": 30 * 6 * 2, "first_preferred": 1.0}
    assert told["orders"] == {"pairs": 30 * 6, "turned": 1.0}


def test_a_judge_that_likes_length_is_found_out_and_has_no_preferred_place() -> None:
    told = figures(lambda text, _: 1 + len(text) / 20, second=True)
    assert told["length"] == {"pairs": 30 * 6, "longer_preferred": 1.0}
    assert told["orders"]["turned"] == 0.0
    assert told["position"]["first_preferred"] == 0.5, "each pair in both orders"


def test_with_one_order_a_fair_judge_prefers_the_first_half_the_time() -> None:
    told = figures(lambda text, _: random.Random(text).random(), pools=300)
    assert told["position"]["first_preferred"] == pytest.approx(0.5, abs=0.05)
    assert told["length"]["longer_preferred"] == pytest.approx(0.5, abs=0.05)
    assert told["orders"] == {"pairs": 0, "turned": None}


def test_equal_ratings_and_ratings_of_each_alone_say_nothing_of_places() -> None:
    assert figures(lambda *_: 3)["position"] == {"pairs": 0, "first_preferred": None}
    statistics, pool = JudgeStatistics(), a_pool(1)
    for at, one in enumerate(pool):
        one["ratings"].append(said(at + 1, aspect="overall"))
    statistics.add_pool(pool, 0)
    told = statistics.told()
    assert told is not None and told["judges"]["j"]["position"]["pairs"] == 0


def test_agreement_is_told_by_aspect_of_those_that_several_judged() -> None:
    statistics = JudgeStatistics()
    for at in range(1, 6):
        agreed = [said(at, "a", "clear"), said(at, "b", "clear")]
        opposed = [said(at, "a", "safe"), said(6 - at, "b", "safe")]
        statistics.add_ratings([*agreed, *opposed, said(at, "a", "correct"), said(None, "b", "correct")])
    told = statistics.told()
    assert told is not None
    assert told["agreement"]["clear"] == {"units": 5, "interval": 1.0, "ordinal": 1.0}
    assert told["agreement"]["safe"]["interval"] < -0.5
    assert "correct" not in told["agreement"], "one judge alone agrees with nobody"
    assert told["judges"]["b"]["ratings"] == 15
    assert JudgeStatistics().told() is None


def test_permuting_the_pools_changes_no_figure() -> None:
    def told(order: list[int]) -> Any:
        statistics = JudgeStatistics()
        for number in order:
            pool = a_pool(number)
            for at, one in enumerate(pool):
                one["ratings"] += [said(1 + (number + at) % 5, "a"), said(1 + (number * at) % 5, "b")]
            statistics.add_pool(pool, 3)
        return statistics.told()

    numbers = list(range(40))
    assert told(numbers) == told(numbers[::-1]) == told(sorted(numbers, key=lambda n: n % 7))


def test_a_tie_counts_half_and_what_failed_counts_for_nothing() -> None:
    pairs = [
        JudgedPair(5, 3, 10, 20),
        JudgedPair(2, 4, 30, 20),
        JudgedPair(3, 3, 30, 20),
        JudgedPair(None, 4, 30, 20),
        JudgedPair(4, 1, 20, 20),
    ]
    told = figures_of(pairs)
    assert (told["pairs"], told["failed"], told["ties"], told["agreement"]) == (4, 1, 1, 0.625)
    assert told["low"] < 0.625 < told["high"]
    assert told["longer_preferred"] == 0.0, "10 over 20 and 20 over 30: the shorter one each time"
    assert told["longer_chosen"] == 0.75
    assert is_below(told, 0.63) and not is_below(told, 0.625)
    assert is_below(figures_of([]), 0), "a judge that judged nothing is told as well"


def test_a_judge_is_measured_without_its_limits() -> None:
    rate = keeping_all(Rate(threshold=4, criteria=({"name": "safe", "least": 5},), min_judges=2))  # type: ignore[arg-type]
    assert isinstance(rate, Rate) and (rate.threshold, rate.criteria[0].least, rate.min_judges) == (1, None, 1)
    rubrics = keeping_all(Rubrics(threshold=0.9))
    assert isinstance(rubrics, Rubrics) and (rubrics.threshold, rubrics.all_essential) == (0, False)
    assert keeping_all(UltraFeedback(min_judges=3)) == UltraFeedback()
