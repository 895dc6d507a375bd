"""How questions are answered: in several styles, rightly or with a slip; and what a fair judge says of that."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

from tests.demo_model.domain import Question

Style = Literal["bare", "short", "full", "steps", "checked", "vivid"]
STYLES: tuple[Style, ...] = ("full", "short", "bare", "steps", "checked", "vivid")
COMMON = (0.55, 0.14, 0.13, 0.06, 0.06, 0.06)
SLOPPY = 0.13  # of the answers that the model learns from are wrong, so that there is something to judge
IMAGES = (
    "Picture it on a long shelf:",
    "Think of a row of lamps, lit one by one:",
    "Imagine walking it step by step:",
    "See it as beads on a string:",
    "It is like climbing stairs:",
    "Lay it out like cards on a table:",
)
CHECKS = (
    "Check: going back over it gives the same.",
    "Check: the steps, done once more, agree.",
    "Check: it fits with what was asked.",
    "Check: nothing was left out.",
)
RATINGS: dict[Style, int] = {"full": 5, "steps": 5, "checked": 5, "vivid": 5, "short": 4, "bare": 3}
WANTED: dict[str, Style] = {
    "Show each step.": "steps",
    "Answer in a full sentence.": "short",
    "Say how you got there.": "full",
    "Explain it to a child.": "vivid",
    "Check your answer.": "checked",
    "Keep the answer short.": "short",
    "Give the working too.": "full",
}
ORDINALS = ("First", "Then", "Next", "After that", "Last")


@dataclass(frozen=True)
class Answer:
    """A response to a question. `value` is what it says the answer is."""

    text: str
    value: str
    right: bool
    style: Style


def answered(question: Question, style: Style, rng: random.Random, *, right: bool = True) -> Answer:
    """The question answered in a style, with a slip in the last step unless `right`."""
    problem = question.problem
    gold = problem.value()
    value = gold
    while not right and value == gold:
        value = problem.slips(rng)
    lines = problem.working()
    if value != gold:
        lines[-1] = value.join(lines[-1].rsplit(gold, 1))
    return Answer(_worded(style, lines, problem.sentence(value), value, rng), value, right, style)


def _worded(style: Style, lines: list[str], sentence: str, value: str, rng: random.Random) -> str:
    working = ". ".join(lines)
    if style == "bare":
        return f"{value}."
    if style == "short":
        return sentence
    if style == "steps":
        said = [f"{ORDINALS[min(i, 4)]}, {line}." for i, line in enumerate(lines)]
        return f"{' '.join(said)} {sentence}"
    full = f"{working}. {sentence}"
    if style == "checked":
        return f"{full} {rng.choice(CHECKS)}"
    return f"{rng.choice(IMAGES)} {full}" if style == "vivid" else full


def an_answer(question: Question, rng: random.Random, *, wrong: float = SLOPPY) -> Answer:
    """An answer in a common style, or in one that the question's constraint asks for; wrong now and then."""
    wanted = [style for one in question.constraints if (style := WANTED.get(one)) and rng.random() < 0.7]
    style = wanted[-1] if wanted else rng.choices(STYLES, COMMON)[0]
    return answered(question, style, rng, right=rng.random() >= wrong)


def overall(answer: Answer) -> int:
    """The fair overall rating: right and explained 5, right 4, right but bare 3; wrong 2, wrong and bare 1."""
    return RATINGS[answer.style] if answer.right else (1 if answer.style in ("bare", "short") else 2)


def by_aspect(answer: Answer, aspect: str) -> int:
    """The fair rating by one aspect."""
    style, right = answer.style, answer.right
    if aspect in ("truthfulness", "honesty"):
        return 5 if right else 1
    if aspect == "relevance":
        return 5 if right else 2
    if aspect in ("helpfulness", "instruction_following"):
        return overall(answer)
    if aspect == "deepening":
        return {"bare": 1, "short": 2, "full": 4, "steps": 5, "checked": 5, "vivid": 4}[style] if right else 1
    return {"vivid": 5, "steps": 3, "checked": 3, "full": 3, "short": 2, "bare": 1}[style] if right else 1


def reason(answer: Answer, gold: str, aspect: str = "overall") -> str:
    """Why, in a few words."""
    if not answer.right:
        return f"it says {answer.value}, not {gold}"
    if answer.style == "vivid" and aspect in ("creativity", "overall"):
        return "right, with an image"
    return {"bare": "right but bare", "short": "right, no steps"}.get(answer.style, "right, with the steps")


def examined(question: Question, answers: list[Answer]) -> str:
    """How a judge works before it rates: the right answer with its steps, then what each response says."""
    said = "; ".join(f"{answer.value} {'yes' if answer.right else 'no'}" for answer in answers)
    return f"{'. '.join(question.problem.working())}. It is {question.problem.value()}: {said}."
