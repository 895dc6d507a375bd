"""What students answer by themselves, and what is found in their answers: a figure of each question.

- `right`: 1 where the check calls the answer right.
- `refusals`: 1 where the answer refuses, or speaks as an AI.
- `words`: how long the answer is. Neither longer nor shorter is better; a drift of it is to be known.

Answers are greedy, so a student's answer depends on nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

from tasks.text.filters.answer import CheckedAnswer
from tasks.text.filters.refusals import AnswerRefusals, refuses
from tasks.text.words import word_count
from tasks.train.lessons import Lesson
from tasks.train.questions import AnswerChecker

RIGHT, REFUSALS, WORDS = "right", "refusals", "words"


def student_answers(student: str, questions: Sequence[Lesson], max_new_tokens: int) -> list[str]:
    """A student's answers at temperature 0, by the engine's own batches. `student`: a folder or a model's name."""
    return asyncio.run(_answers(student, questions, max_new_tokens))


def figures_of_answers(
    measure: str, questions: Sequence[Lesson], answers: Sequence[str], check: AnswerChecker | None
) -> list[float | None]:
    """A figure of each answer; None where it cannot be told."""
    said = zip(questions, answers, strict=True)
    if measure == RIGHT:
        assert check is not None
        found = [check(question, answer) for question, answer in said]
        return [None if one is None else float(one) for one in found]
    if measure == REFUSALS:
        return [
            float(refuses(CheckedAnswer(answer, asked.last_asked), AnswerRefusals()) is not None)
            for asked, answer in said
        ]
    return [float(word_count(answer)) for _, answer in said]


async def _answers(student: str, questions: Sequence[Lesson], max_new_tokens: int) -> list[str]:
    from tasks.models.base import Message, Request, Sampling
    from tasks.models.config import ModelConfig
    from tasks.models.open import open_model

    model = open_model(ModelConfig(name=student))
    greedy = Sampling(temperature=0, max_new_tokens=max_new_tokens)
    asked = [cast(tuple[Message, ...], tuple(question.prompt)) for question in questions]
    requests = [Request(greedy, 0, turns) for turns in asked]
    try:
        return [done.text for done in await asyncio.gather(*(model.complete(request) for request in requests))]
    finally:
        await model.close()
