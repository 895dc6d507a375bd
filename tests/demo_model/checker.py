"""Says whether an answer to one of the demo's questions is right, and how hard the question is.

    verdict("What is 7 + 5?", "7 + 5 = 12. The answer is 12.")     # "right"

It reads question and answer as text, in any phrasing of the domain, and works the answer out itself. For the report,
for tests, and as what `stillroom prove` checks and `stillroom dpo --recipe verified` verifies answers by.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from tasks.errors import Filtered
from tasks.verify.verifier import Verification
from tests.demo_model.domain import CONSTRAINTS, KINDS, Question
from tests.demo_model.orders import Ages
from tests.demo_model.problem import Problem, pattern
from tests.demo_model.spellings import OTHER
from tests.demo_model.words import DAYS, MONTHS, SPOKEN, number_in, unlisted

Verdict = Literal["right", "wrong", "not checkable"]
ASIDES = re.compile(r"\b(?:You can )?check\b[^.!]*[.!]?", re.IGNORECASE)
NUMBERS = re.compile(rf"\d+|\b(?:{'|'.join(SPOKEN)})\b", re.IGNORECASE)


def question_of(text: str) -> Question | None:
    """The question that a text asks, None where it is none of the domain's."""
    text, constraints = _parted(" ".join(text.split()))
    for kind in KINDS:
        for form in kind.forms:
            if (found := pattern(form).fullmatch(text)) and (problem := kind.read(found.groupdict())) is not None:
                return Question(text, problem, constraints)
    return None


def _parted(text: str) -> tuple[str, tuple[str, ...]]:
    """The text without the constraints at its end, and these."""
    constraints: list[str] = []
    while found := next((one for one in CONSTRAINTS if text.endswith(f" {one}")), None):
        constraints.insert(0, found)
        text = text.removesuffix(found).rstrip()
    return text, tuple(constraints)


def verdict(question: str, answer: str) -> Verdict:
    """Whether the answer is right: what it says last is what counts, and a check after that does not."""
    asked = question_of(question)
    if asked is None:
        return "not checkable"
    said = said_in(answer, asked.problem)
    if said is None:
        return "wrong"
    return "right" if said == _plain(asked.problem.value()) else "wrong"


def is_right(question: str, answer: str) -> bool | None:
    """The verdict as a check of `stillroom prove` says it: None where the question is none of the domain's."""
    return {"right": True, "wrong": False}.get(verdict(question, answer))


def verify_right(row: Mapping[str, Any], answer: str) -> Verification:
    """The verdict as a verifier of `stillroom dpo --recipe verified` says it. Raises Filtered for other questions."""
    right = is_right(row["instruction"], answer)
    if right is None:
        raise Filtered("not_checkable", row["instruction"])
    return Verification(right, "right" if right else "wrong", "" if right else "wrong_answer")


def difficulty(question: str) -> int | None:
    """Operands and steps of a question, and one for each constraint; None where it is not checkable."""
    asked = question_of(question)
    return None if asked is None else asked.difficulty


def said_in(answer: str, problem: Problem) -> list[str] | None:
    """What an answer says the answer is, as lower-case items; None where it says nothing of the right sort."""
    right = _plain(problem.value())
    text = " ".join(ASIDES.sub("", answer).split())
    if len(right) > 1:
        return _last_list(text, len(right))
    if right[0].isdigit():
        numbers = NUMBERS.findall(text)
        return [str(number_in(numbers[-1]))] if numbers else None
    names = _names(problem)
    words = [word for word in re.findall(r"[A-Za-z]+", text.lower()) if word in names]
    return [words[-1]] if words else None


def _plain(value: str) -> list[str]:
    return [item.lower() for item in unlisted(value)]


def _names(problem: Problem) -> set[str]:
    """The words that may be the answer, where that is one word."""
    if isinstance(problem, Ages):
        return {name.lower() for name, _ in problem.people}
    if problem.kind == "opposites":
        return set(OTHER)
    return {name.lower() for name in (*DAYS, *MONTHS)}


def _last_list(text: str, count: int) -> list[str] | None:
    """The last list of a text: the items after the last `is` or colon of its last sentence."""
    sentences = [part.strip() for part in re.split(r"[.!?](?:\s|$)", text) if part.strip()]
    if not sentences:
        return None
    items = unlisted(re.split(r":|\bis\b|\bare\b", sentences[-1])[-1].lower())
    return items[-count:] or None
