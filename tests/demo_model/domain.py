"""The domain: all kinds of problem, the constraints that may stand after a question, and questions made of both."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

from tests.demo_model.orders import Ages, Calendar, Compare, Sequence, Sort
from tests.demo_model.problem import Problem, phrased
from tests.demo_model.spellings import Letters, Opposites, WordCount
from tests.demo_model.sums import Calc, Share, Shop, Story, Unit

KINDS: tuple[Any, ...] = (
    Calc,
    Story,
    Unit,
    Shop,
    Share,
    Calendar,
    Sort,
    Compare,
    Ages,
    Sequence,
    Letters,
    WordCount,
    Opposites,
)
WEIGHTS = (1.6, 1.6, 1.0, 0.9, 0.8, 1.2, 1.0, 0.8, 0.8, 0.8, 0.7, 0.7, 0.9)
CONSTRAINTS = (
    "Show each step.",
    "Answer in a full sentence.",
    "Say how you got there.",
    "Explain it to a child.",
    "Check your answer.",
    "Keep the answer short.",
    "Give the working too.",
    "Answer in plain words.",
)
SIZES, SIZE_WEIGHTS = (2, 3, 4, 5), (0.58, 0.29, 0.1, 0.03)


@dataclass(frozen=True)
class Question:
    """A problem as somebody asks it."""

    text: str
    problem: Problem
    constraints: tuple[str, ...] = ()

    @property
    def difficulty(self) -> int:
        """Operands and steps of the problem, and one for each constraint."""
        return self.problem.size + len(self.constraints)

    def reworded(self, rng: random.Random) -> Question:
        """The same question in other words."""
        return asked(self.problem, rng, self.constraints)


def asked(problem: Problem, rng: random.Random, constraints: tuple[str, ...] = ()) -> Question:
    """The question that states this problem."""
    return Question(" ".join((phrased(problem, rng), *constraints)), problem, constraints)


def a_question(rng: random.Random, kind: Any = None, size: int | None = None) -> Question:
    """A question of any kind and grade."""
    kind = kind or rng.choices(KINDS, WEIGHTS)[0]
    size = size or rng.choices(SIZES, SIZE_WEIGHTS)[0]
    constraints = (rng.choice(CONSTRAINTS),) if rng.random() < 0.1 else ()
    return asked(kind.make(rng, size), rng, constraints)


def evolved(question: Question, operation: str, rng: random.Random) -> Question:
    """The question that an operation of Evol-Instruct makes of this one."""
    problem, constraints = question.problem, question.constraints
    if operation == "breadth":
        return a_question(rng, type(problem), problem.size)
    if operation == "constraints" and len(constraints) < 3:
        more = rng.choice([one for one in CONSTRAINTS if one not in constraints])
        return replace(question, text=f"{question.text} {more}", constraints=(*constraints, more))
    harder = problem.harder(rng)
    if operation == "complicate" and rng.random() < 0.5:
        harder = harder.harder(rng)
    return _in_the_same_words(question, harder, rng)


def _in_the_same_words(question: Question, harder: Problem, rng: random.Random) -> Question:
    """A harder problem, mostly in the words of the easier one: an evolution keeps what was there."""
    tries = [asked(harder, rng, question.constraints) for _ in range(24)]
    return max(tries, key=lambda one: len(_common_start(one.text, question.text)))


def _common_start(one: str, other: str) -> str:
    for i, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return one[:i]
    return min(one, other, key=len)
