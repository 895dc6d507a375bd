"""Questions that students answer by themselves, and what says whether an answer is right.

    questions_of("questions.jsonl", None)      # rows as seeds have them, with `reference` or `constraints` where there are any

A check is the user's own function of a question and an answer, or a verifier of ours by its name: `answer` compares the final
answer with the row's `reference`, `constraints` looks whether those of the row are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tasks.errors import ConfigError, Filtered, did_you_mean
from tasks.own_code import absolute, is_own, load
from tasks.seeds.known_formats import Reading
from tasks.seeds.sources import open_source
from tasks.train.lessons import Lesson, Lessons
from tasks.verify.verifier import VERIFIERS, load_verifier

READ_AT_ONCE = 1000  # rows
READING = Reading(answers=False, pools=False, constraints=True, references="answers")
AnswerChecker = Callable[[Lesson, str], bool | None]
"""From a question and an answer to whether it is right; None where that cannot be told."""


def questions_of(spec: str, split: str | None) -> Lessons:
    """The questions of a folder, a file or `hf:NAME`, without their answers. Raises ConfigError."""
    source = open_source(spec, split=split, reading=READING)
    rows = [row for frame in source.batches(READ_AT_ONCE) for row in frame.iter_rows(named=True)]
    return Lessons(spec, "sft", [_question(row) for row in rows])


def items_as_questions(items: Lessons) -> Lessons:
    """What is held out of a dataset as questions; the answer that stands there is what a verifier compares with."""
    asked = [Lesson(one.prompt, (), one.tools, {"reference": one.answers[0]}) for one in items.taught]
    return Lessons(items.name, "sft", asked)


def check_of(name: str) -> AnswerChecker:
    """What a check's name says: a verifier of ours, or FILE.py:NAME. Raises ConfigError where there is none."""
    if not is_own(name):
        if name not in VERIFIERS:
            otherwise = f"there are {', '.join(VERIFIERS)}; your own is FILE.py:NAME"
            raise ConfigError("there is no such check", name, did_you_mean(name, VERIFIERS, otherwise))
        return _verified(name)
    own = load(absolute(name), "a check")
    if not callable(own):
        raise ConfigError("this is no check", name, "name a function of a question and an answer")

    def check(question: Lesson, answer: str) -> bool | None:
        said: bool | None = own(question.last_asked, answer)
        return said

    return check


def _verified(name: str) -> AnswerChecker:
    verify = load_verifier(name)

    def check(question: Lesson, answer: str) -> bool | None:
        try:
            return verify({"instruction": question.last_asked, **(question.row or {})}, answer).passed
        except Filtered:  # the row holds nothing to verify an answer by
            return None

    return check


def _question(row: Mapping[str, Any]) -> Lesson:
    """A question of a seed's row: its conversation where it has one, else its instruction."""
    turns = row.get("messages") or [
        *([{"role": "system", "content": row["system"]}] if row.get("system") else []),
        {"role": "user", "content": row["instruction"]},
    ]
    prompt = [{name: value for name, value in turn.items() if value is not None} for turn in turns]
    known = {name: row[name] for name in ("reference", "constraints", "language") if row.get(name) is not None}
    return Lesson(prompt, (), None, known)
