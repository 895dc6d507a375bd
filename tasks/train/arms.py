"""What a dataset is held against: the untouched base, the same rows with their answers shuffled, other datasets, parts of it.

All students but those of parts learn from the same number of tokens of answers, so far as their rows have so many: more data
is no better data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from tasks.models.target import Target
from tasks.storage.digest import number
from tasks.train.lessons import Lesson, Lessons

BASE, DATASET, SHUFFLED, SFT = "base", "dataset", "shuffled", "sft"
CURVE = {"1/8 of the rows": 8, "1/4 of the rows": 4, "1/2 of the rows": 2}
"""The students of a learning curve, and what the rows are divided by."""
WITHOUT, ALONE = "without", "only"


@dataclass(frozen=True)
class Arm:
    """A student to be: its name in the proof, and what it is taught; None for the base as it is.

    `after`: what it is taught before that.
    """

    name: str
    lessons: Lessons | None = None
    after: Lessons | None = None


@dataclass(frozen=True)
class ArmsAsked:
    """Which students there are beside the three of every proof. `after`: answers that are taught before pairs."""

    others: Sequence[Lessons] = ()
    after: Lessons | None = None
    curve: bool = False
    slices: Sequence[str] = ()


def arms_of(taught: Lessons, asked: ArmsAsked, rows: int | None, target: Target, seed: int) -> list[Arm]:
    """The students that a proof of `taught` trains. `rows`: how many of them at most, drawn by the seed."""
    chosen = taught.of(_drawn(taught.taught, seed)[: rows or None])
    budget = sum(_answer_tokens(chosen.taught, target))
    first = asked.after
    arms = [Arm(BASE), *([Arm(SFT, first)] if first else [])]
    arms += [Arm(DATASET, chosen, first), Arm(SHUFFLED, shuffled(chosen, seed), first)]
    arms += [Arm(name, _as_much(other, budget, target, seed), first) for name, other in _named(asked.others)]
    if asked.curve:
        arms += [Arm(name, chosen.of(chosen.taught[: len(chosen.taught) // by]), first) for name, by in CURVE.items()]
    for value in asked.slices:
        inside = [one for one in chosen.taught if one.part == value]
        outside = [one for one in chosen.taught if one.part != value]
        arms += [
            Arm(f"{WITHOUT} {value}", chosen.of(outside), first),
            Arm(f"{ALONE} {value}", chosen.of(inside), first),
        ]
    return [arm for arm in arms if arm.lessons is None or arm.lessons.taught]


def shuffled(lessons: Lessons, seed: int) -> Lessons:
    """The same prompts with the answers of others, or the same pairs of which half have their sides swapped."""
    if lessons.kind == "dpo":
        swapped = [number("swap", seed, lesson.key) % 2 == 1 for lesson in lessons.taught]
        pairs = zip(lessons.taught, swapped, strict=True)
        return lessons.of(
            [Lesson(one.prompt, one.answers[:: -1 if swap else 1], one.tools) for one, swap in pairs], SHUFFLED
        )
    order = sorted(range(len(lessons.taught)), key=lambda at: number("shuffle", seed, lessons.taught[at].key, at))
    answers = {
        order[at]: lessons.taught[order[at - 1]].answers for at in range(len(order))
    }  # of the one before: no own
    return lessons.of([Lesson(one.prompt, answers[at], one.tools) for at, one in enumerate(lessons.taught)], SHUFFLED)


def _drawn(taught: Sequence[Lesson], seed: int) -> list[Lesson]:
    """In an order of the seed's, whatever order they came in."""
    return sorted(taught, key=lambda lesson: (number("taught", seed, lesson.key), lesson.key))


def _as_much(lessons: Lessons, budget: int, target: Target, seed: int) -> Lessons:
    """So many of them that their answers have as many tokens; all, where there are not so many."""
    chosen, spent = list[Lesson](), 0
    drawn = _drawn(lessons.taught, seed)
    for lesson, tokens in zip(drawn, _answer_tokens(drawn, target), strict=True):
        if spent + tokens / 2 >= budget:
            break
        chosen.append(lesson)
        spent += tokens
    return lessons.of(chosen)


def _answer_tokens(taught: Sequence[Lesson], target: Target) -> list[int]:
    answers = ["\n".join(lesson.answers) for lesson in taught]
    return [len(one.ids) for one in target.tokens(answers)]


def _named(others: Sequence[Lessons]) -> Iterator[tuple[str, Lessons]]:
    """Each by the last part of where it lies, and by its place where two are called alike."""
    taken = {BASE, DATASET, SHUFFLED, SFT, *CURVE}
    for place, other in enumerate(others, 1):
        name = PurePath(other.name.removeprefix("hf:")).name
        name = name if name not in taken else f"{name} {place}"
        taken.add(name)
        yield name, other
