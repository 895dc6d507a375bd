"""A judge whose verdict hangs on the place gives ties; one that knows better gives wins; equal answers are never shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.judges.judged_wins import verdict_of, win_figures
from tasks.engine.process import process
from tasks.models.base import Request
from tasks.models.config import ModelConfig
from tasks.models.scripted import ScriptedModel
from tasks.train.lessons import Lesson
from tests.train.test_lessons import turns

QUESTIONS = [Lesson(turns(f"What is {n} + {n}?"), ()) for n in range(4)]
OURS = [f"It is {2 * n}." for n in range(4)]
THEIRS = [f"It is {2 * n + 1}." for n in range(3)] + [OURS[3]]


def shown(request: Request) -> list[str]:
    return re.findall(r"Response \d: (It is .*)", "\n".join(turn["content"] for turn in request.messages or ()))


def prefers_even(request: Request) -> str:
    even = [int(re.findall(r"\d+", text)[0]) % 2 == 0 for text in shown(request)]
    return "\n".join(f"Response {at}: rating {5 if good else 1} - so" for at, good in enumerate(even, 1))


def prefers_the_first(request: Request) -> str:
    return "\n".join(f"Response {at}: rating {6 - at} - stands there" for at in range(1, len(shown(request)) + 1))


@pytest.mark.parametrize(
    ("judge", "wins"), [(prefers_even, [1.0, 1.0, 1.0, 0.5]), (prefers_the_first, [0.5, 0.5, 0.5, 0.5])]
)
def test_only_what_both_orders_say_is_a_win(judge: Callable[[Request], str], wins: list[float], home: Path) -> None:
    home.mkdir()
    model = ScriptedModel(judge, name="test")
    process.adopt(ModelConfig(name="test"), model)
    assert win_figures("test", QUESTIONS, OURS, THEIRS) == wins
    assert len(model.requests) == 3 * 4 * 2  # pairs, aspects, orders; the equal one is not shown
    assert win_figures("test", QUESTIONS, THEIRS, OURS) == [1 - one for one in wins]
    process.close()


def test_an_order_without_a_rating_is_no_verdict() -> None:
    rated = [
        {"text": text, "ratings": [{"order": 0, "rating": 4.0}, {"order": 1, "rating": second}]}
        for text, second in (("a", 4.0), ("b", None))
    ]
    assert verdict_of(rated, "a", "b") is None
