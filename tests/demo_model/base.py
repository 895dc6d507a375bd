"""The text that the students' base learns from: the demo's language without its tasks.

    python -m tests.demo_model.base        # shows a dozen

Each question has the answer of another question. So the base knows how questions are put, how answers are worded and worked
out, and the template; which answer belongs to a question stands nowhere. Some questions are put twice, in other words: what
was said before can be read and said again.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.demo_model.answers import COMMON, STYLES, answered
from tests.demo_model.corpus import is_held_out
from tests.demo_model.domain import Question, a_question
from tests.demo_model.roles import SYSTEMS, Chat

AGAIN = 0.3  # of the questions are put a second time, in other words
SAME_KIND = 0.7  # of the answers are to a question of the same kind
SYSTEM = 0.1  # of the conversations begin with a system prompt


def untaught(seed: int) -> Iterator[Chat]:
    """Conversations without end, the same for the same seed, whose answers are those of other questions."""
    rng = random.Random(seed)
    while True:
        question = a_question(rng)
        other = another(question, rng)
        text = question.text
        if rng.random() < AGAIN:
            text = f"{text} {question.reworded(rng).text}"
        if is_held_out(question.text) or is_held_out(other.text):
            continue
        said = answered(other, rng.choices(STYLES, COMMON)[0], rng)
        system: Chat = [{"role": "system", "content": rng.choice(SYSTEMS)[0]}] if rng.random() < SYSTEM else []
        yield [*system, {"role": "user", "content": text}, {"role": "assistant", "content": said.text}]


def another(question: Question, rng: random.Random) -> Question:
    """A question with an answer of its own: of the same kind or of any, never with the same answer."""
    value = question.problem.value()
    while True:
        kind = type(question.problem) if rng.random() < SAME_KIND else None
        other = a_question(rng, kind)
        if other.problem.value() != value:
            return other


if __name__ == "__main__":
    for _, chat in zip(range(12), untaught(0), strict=False):
        for turn in chat:
            print(f"<{turn['role']}> {turn['content']}")
        print("-" * 40)
