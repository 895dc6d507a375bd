"""The roles of the recipes `constrained`, `reasoning`, `verified` and `dialogue`, each played once.

    python -m tests.demo_model.recipes.parts        # shows two dozen

Prompts are rendered from `prompts/full/en`, as the techniques render them for any model but `demo`. So a changed prompt, and
a changed constraint, mean: train again. Questions of which `is_held_out` says so are never asked.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from tasks.models.base import Message
from tasks.text.final_answers.asking import SOLUTION
from tasks.text.prompts import FULL, Prompts
from tasks.text.reading.simulated import END_SIGN
from tasks.text.responses import conversation_text
from tasks.text.templates import render
from tasks.verify.constraints.constraint import Constraint, draw_constraints
from tasks.verify.constraints.kind import Drawing
from tasks.verify.constraints.table import kinds_for
from tests.demo_model.answers import SLOPPY, STYLES, Answer, an_answer, answered
from tests.demo_model.corpus import is_held_out
from tests.demo_model.domain import Question, a_question, asked
from tests.demo_model.recipes.keeping import kept_answer
from tests.demo_model.roles import Chat, answer

PROMPTS_READ = Prompts(FULL, "en")
CONSTRAINED = "constrained"
BROKEN = 0.1  # of the answers under constraints do without one of them, so that there is something to verify
ENDS = 0.12  # of the conversations of two turns or more are ended by the user
AGAIN = ("Now this one:", "Next one:", "And another:", "Then tell me:", "One more:")
MORE = (
    "Can you show each step?",
    "How did you get that?",
    "Are you sure of that?",
    "Could you explain it another way?",
    "Please check it once more.",
)
"""What a user asks about an answer, rather than anew."""
IN_OTHER_WORDS = ("Once more:", "Another way:", "Step by step:", "Checked again:", "Put simply:")


def a_taught_question(rng: random.Random, kind: Any = None, size: int | None = None) -> Question:
    """A question that is not kept for the evaluation."""
    while is_held_out((question := a_question(rng, kind, size)).text):
        pass
    return question


def under_constraints(rng: random.Random) -> tuple[Question, str, list[Constraint]]:
    """A question, the instruction that it makes with constraints, and these."""
    question = a_taught_question(rng, size=rng.choice((2, 2, 2, 3)))
    drawing = Drawing(rng, PROMPTS_READ.lists(CONSTRAINED), "en", question.text)
    drawn = draw_constraints(drawing, kinds_for("en"), rng.choice((1, 1, 2, 2, 3)))
    conditions = drawing.one("gap").join(one["text"] for one in drawn)
    return question, drawing.one("join").format(instruction=question.text, conditions=conditions), drawn


def constrained_answer(rng: random.Random) -> Chat | None:
    """An instruction with constraints and an answer that keeps them, or all but one; None where none is known."""
    question, text, constraints = under_constraints(rng)
    kept = [*constraints]
    if rng.random() < BROKEN:
        kept.pop(rng.randrange(len(kept)))
    said = kept_answer(question, kept, rng, right=rng.random() >= SLOPPY)
    return None if said is None else [Message(role="user", content=text), Message(role="assistant", content=said)]


def worked_in(rng: random.Random) -> Chat:
    """An instruction and constraints, worked into one."""
    question, _, constraints = under_constraints(rng)
    said = [one["text"] for one in constraints]
    prompt = render(PROMPTS_READ.template(f"{CONSTRAINED}/write"), {"instruction": question.text, "conditions": said})
    joined = [question.text, *said] if rng.random() < 0.7 else [*said, question.text]
    return [*prompt, Message(role="assistant", content=" ".join(joined))]


def solution(rng: random.Random) -> Chat:
    """A problem, solved, with the final answer in a box; without the system prompt, as a student is asked, now and then."""
    question = a_taught_question(rng)
    prompt = render(PROMPTS_READ.template(SOLUTION), {"problem": question.text})
    said = an_answer(question, rng)
    style = said.style if said.style not in ("bare", "short") else rng.choice(("full", "steps"))
    said = answered(question, style, rng, right=said.right)
    boxed = Message(role="assistant", content=f"{said.text}\n\\boxed{{{said.value}}}")
    return [*(prompt if rng.random() < 0.75 else prompt[1:]), boxed]


def asked_on(question: Question, answers: list[Answer], rng: random.Random) -> tuple[str, Question]:
    """What a user says next: something about the answer, or another question, mostly a harder one of the same sort."""
    if rng.random() < 0.25 and len(answers) < 2:
        return rng.choice(MORE), question
    point = rng.random()
    kind = type(question.problem)
    while True:
        if point < 0.5:
            other = asked(question.problem.harder(rng), rng) if question.problem.size < 4 else a_question(rng, kind, 2)
        else:
            other = a_question(rng, kind if point < 0.8 else None, 2)
        if not is_held_out(other.text) and other.text != question.text:
            break
    return (f"{rng.choice(AGAIN)} {other.text}" if rng.random() < 0.5 else other.text), other


def talk(rng: random.Random, turns: int) -> Chat:
    """A conversation of several turns of the user, each with its answer."""
    question = a_taught_question(rng, size=rng.choice((2, 2, 3)))
    given = [an_answer(question, rng)]
    chat = [Message(role="user", content=question.text), Message(role="assistant", content=given[0].text)]
    for _ in range(turns - 1):
        text, other = asked_on(question, given, rng)
        if other is question:
            style = rng.choice([style for style in STYLES if style not in ("bare", "short", given[-1].style)])
            said = answered(question, style, rng, right=rng.random() >= SLOPPY)
            content = f"{rng.choice(IN_OTHER_WORDS)} {said.text}"
            given.append(said)
        else:
            said = an_answer(other, rng)
            content, question, given = said.text, other, [said]
        chat += [Message(role="user", content=text), Message(role="assistant", content=content)]
    return chat


def dialogue_answers(rng: random.Random) -> Chat:
    """The assistant's side of a conversation."""
    return talk(rng, rng.choice((2, 2, 3, 3, 4)))


def next_turn(rng: random.Random) -> Chat:
    """The user's side: what was said so far in, the next turn or the sign of the end out."""
    turns = rng.choice((1, 1, 2, 2, 3))
    chat = talk(rng, turns + 1)
    shown, said = chat[: 2 * turns], chat[2 * turns]["content"]
    if turns > 1 and rng.random() < ENDS:
        said = END_SIGN
    persona = rng.choice(PROMPTS_READ.lists("basic_prompting")["personas"])
    prompt = render(
        PROMPTS_READ.template("user_simulator/next_turn"),
        {"persona": persona, "conversation": conversation_text(shown), "end": END_SIGN},
    )
    return [*prompt, Message(role="assistant", content=said)]


def plain_answer(rng: random.Random) -> Chat | None:
    """A question and its answer, as `demo` learned it."""
    chat = answer(rng)
    return None if any(is_held_out(turn["content"]) for turn in chat if turn["role"] == "user") else chat


PARTS: tuple[tuple[Callable[[random.Random], Chat | None], float], ...] = (
    (constrained_answer, 0.5),
    (solution, 0.16),
    (dialogue_answers, 0.1),
    (next_turn, 0.13),
    (plain_answer, 0.08),
    (worked_in, 0.03),
)


def recipe_conversations(seed: int) -> Iterator[Chat]:
    """Conversations without end, the same for the same seed."""
    rng = random.Random(seed)
    played, weights = zip(*PARTS, strict=True)
    while True:
        if (chat := rng.choices(played, weights)[0](rng)) is not None:
            yield chat


if __name__ == "__main__":
    for _, chat in zip(range(24), recipe_conversations(0), strict=False):
        for turn in chat:
            print(f"<{turn['role']}> {turn['content']}")
        print("-" * 40)
