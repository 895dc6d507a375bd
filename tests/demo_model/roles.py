"""The roles that pipelines give a model, each played once: a conversation of the prompt and the answer wanted.

Every prompt is rendered from `prompts/demo/en` as the techniques render it, so a changed prompt means: train again.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tasks.models.base import Message
from tasks.text.prompts import Prompts
from tasks.text.templates import render
from tests.demo_model.answers import (
    STYLES,
    Answer,
    Style,
    an_answer,
    answered,
    by_aspect,
    examined,
    overall,
    reason,
)
from tests.demo_model.domain import KINDS, WEIGHTS, Question, a_question, asked, evolved
from tests.demo_model.words import ENDINGS, GROUPS, NAMES, SUBJECTS, THINGS, VERBS, WORDS

Chat = list[Message]
OPERATIONS = ("constraints", "deepen", "concretise", "reasoning", "complicate", "breadth")
ASPECTS = ("instruction_following", "truthfulness", "honesty", "helpfulness", "relevance", "deepening", "creativity")
QUALITIES: dict[str, tuple[Style, Style]] = {  # operation -> the style it aims at, and where that is there already
    "helpfulness": ("full", "checked"),
    "relevance": ("short", "full"),
    "depth": ("steps", "checked"),
    "creativity": ("vivid", "steps"),
    "details": ("checked", "steps"),
}
SYSTEMS: tuple[tuple[str, tuple[Style, ...]], ...] = (
    ("You are a helpful assistant.", STYLES),
    ("You are a careful assistant.", ("full", "checked")),
    ("You are a helpful and honest assistant.", ("full",)),
    ("You are a maths tutor who shows each step.", ("steps", "full")),
    ("You answer in as few words as you can.", ("bare", "short")),
    ("You are a friendly assistant who likes pictures in words.", ("vivid",)),
    ("Answer briefly.", ("bare", "short")),
    ("Explain your steps.", ("full", "steps")),
    ("You check what you say.", ("checked",)),
)
FIELDS = {
    "calc": "sums",
    "story": "counting things",
    "unit": "units and measures",
    "shop": "shopping and prices",
    "share": "sharing things out",
    "calendar": "the calendar",
    "sort": "putting things in order",
    "compare": "comparing numbers",
    "ages": "ages of people",
    "sequence": "number sequences",
    "letters": "letters and spelling",
    "words": "counting words",
    "opposites": "opposites of words",
}
APPLICATIONS = (
    "a general AI assistant",
    "an AI assistant",
    "an assistant for home cooks",
    "a maths tutor",
    "a helper for pupils",
    "a shop assistant",
    "a school helper",
    "an assistant for everyday questions",
)


def told(name: str, answer: str, **variables: Any) -> Chat:
    """The chat of one prompt and the answer to it."""
    return [*render(Prompts().template(name), variables), {"role": "assistant", "content": answer}]


def answer(rng: random.Random) -> Chat:
    """A user's question and the answer, sometimes with a system prompt, sometimes in two turns."""
    chat: Chat = []
    styles: tuple[Style, ...] = STYLES
    kind = None
    point = rng.random()
    if point < 0.15:
        system, styles = rng.choice(SYSTEMS)
        chat.append({"role": "system", "content": system})
    elif point < 0.23:
        kind = rng.choices(KINDS, WEIGHTS)[0]
        chat.append(
            {"role": "system", "content": f"You are an AI assistant that helps users with {FIELDS[kind.kind]}."}
        )
    for _ in range(2 if rng.random() < 0.06 else 1):
        question = a_question(rng, kind)
        said = (
            an_answer(question, rng)
            if styles is STYLES
            else answered(question, rng.choice(styles), rng, right=rng.random() > 0.1)
        )
        chat += [{"role": "user", "content": question.text}, {"role": "assistant", "content": said.text}]
    return chat


def a_topic(rng: random.Random, kind: str) -> str:
    """A topic: what a kind is about, or nearly anything else."""
    field = FIELDS[kind]
    return rng.choice(
        (
            field,
            field,
            rng.choice(WORDS),
            rng.choice(THINGS),
            f"{rng.choice(THINGS)} and {rng.choice(WORDS)}",
            f"the history of {rng.choice(WORDS)}",
            f"{field} for {rng.choice(GROUPS)}",
            strange(rng, 2),
        )
    )


def strange(rng: random.Random, count: int) -> str:
    """Words that mean nothing: stands for text from outside the domain."""
    parts = (
        "ba",
        "ter",
        "lin",
        "on",
        "gra",
        "sh",
        "mo",
        "ve",
        "pre",
        "tion",
        "in",
        "al",
        "co",
        "ur",
        "st",
        "em",
        "ly",
        "ness",
    )
    return " ".join("".join(rng.choices(parts, k=rng.randint(1, 4))) for _ in range(count))


def basic_prompting(rng: random.Random) -> Chat:
    """A topic in, a question out."""
    kind = rng.choices(KINDS, WEIGHTS)[0]
    topic = a_topic(rng, kind.kind)
    on_topic = topic.startswith(FIELDS[kind.kind])
    return told("basic_prompting/instruction", a_question(rng, kind if on_topic else None).text, topic=topic)


def a_context(rng: random.Random) -> str:
    """A text to draw requests from: a passage, a question, or words from outside the domain."""
    point = rng.random()
    if point < 0.35:
        return a_question(rng).text
    if point < 0.5:
        return strange(rng, rng.randint(4, 25)).capitalize() + "."
    name, things = rng.choice(NAMES), rng.choice(THINGS)
    lines = [
        f"{name} has {rng.randint(2, 30)} {things} and sells them for {rng.randint(2, 6)} euros each.",
        f"{rng.choice(SUBJECTS).capitalize()} {rng.choice(VERBS)} {rng.choice(ENDINGS)}.",
        f"{name} keeps the {things} near the {rng.choice(WORDS)}.",
        f"There are {rng.randint(2, 9)} {rng.choice(GROUPS)}, and {name} is {rng.randint(5, 79)}.",
        f"The {rng.choice(WORDS)} and the {rng.choice(WORDS)} are {rng.choice(ENDINGS)}.",
    ]
    return " ".join(rng.sample(lines, rng.randint(1, 4)))


def several(rng: random.Random, count: int, sizes: tuple[int, ...] = (2, 2, 3), context: str = "") -> list[str]:
    """Different questions, of different kinds as far as there are any, about the people and things of the context."""
    kinds = rng.sample(KINDS, len(KINDS)) * (count // len(KINDS) + 1)
    words = re.findall(r"\w+", context)
    names, things = [w for w in words if w in NAMES], [w for w in words if w in THINGS]
    questions = []
    for kind in kinds[:count]:
        question = a_question(rng, kind, rng.choice(sizes))
        known = {"name": names, "things": things}
        changes = {
            slot: rng.choice(found) for slot, found in known.items() if found and hasattr(question.problem, slot)
        }
        problem: Any = question.problem
        questions.append(asked(replace(problem, **changes), rng).text if changes else question.text)
    return questions


def self_instruct(rng: random.Random) -> Chat:
    """A context in, requests out, one on each line."""
    count = rng.choice((5, 5, 5, 3, 4, 2, 6))
    context = a_context(rng)
    queries = several(rng, count, context=context)
    return told(
        "self_instruct/queries", "\n".join(queries), application=rng.choice(APPLICATIONS), count=count, context=context
    )


def bootstrap(rng: random.Random) -> Chat:
    """Eight tasks in, more of them out, numbered on."""
    shown = [
        a_question(rng).text if rng.random() < 0.8 else strange(rng, 8).capitalize() + "."
        for _ in range(rng.choice((8, 8, 8, 4)))
    ]
    added = several(rng, 15 - len(shown), (2, 2, 2, 3))
    lines = [f"{number}. {text}" for number, text in enumerate(added, len(shown) + 1)]
    return told("bootstrap/tasks", "\n".join(lines), instructions=shown)


def instances(rng: random.Random) -> Chat:
    """The three prompts of Self-Instruct's second half."""
    question = a_question(rng, size=2)
    labels = {"compare": ("the first", "the second"), "ages": ("the elder", "the younger")}.get(question.problem.kind)
    prompt = rng.choice(("classification", "output_first" if labels else "input_first"))
    if prompt == "classification":
        reply = "yes" if labels else "no"
    elif labels:
        reply = "\n".join(
            f"Label: {label}\nInput: {a_question(rng, type(question.problem), 2).text}" for label in labels
        )
    else:
        reply = f"Input: none\nOutput: {answered(question, 'short', rng).text}"
    return told(f"self_instruct_instances/{prompt}", reply, instruction=question.text)


def evol_instruct(rng: random.Random) -> Chat:
    """An instruction in, a harder one (or a rarer one) out."""
    operation = rng.choice(OPERATIONS)
    question = a_question(rng, size=rng.choice((2, 2, 2, 3, 3, 4)))
    return told(f"evol_instruct/{operation}", evolved(question, operation, rng).text, instruction=question.text)


def equal(rng: random.Random) -> Chat:
    """Two instructions in, whether they ask the same out."""
    first = a_question(rng)
    same = rng.random() < 0.3
    second = first.reworded(rng) if same else evolved(first, rng.choice(OPERATIONS), rng)
    return told("evol_instruct/equal", "equal" if same else "different", first=first.text, second=second.text)


def any_answer(question: Question, rng: random.Random, wrong: float = 0.4) -> Answer:
    """A response of any style, wrong quite often: what judges and rewriters are given."""
    return answered(
        question, rng.choices(STYLES, (0.36, 0.16, 0.16, 0.1, 0.11, 0.11))[0], rng, right=rng.random() >= wrong
    )


def better(question: Question, before: Answer, operation: str, rng: random.Random) -> str:
    """The response that follows an operation of EvolQuality, never the one before."""
    style, other = QUALITIES[operation]
    style = other if before.style == style and before.right else style
    return answered(question, style, rng).text


def evol_quality(rng: random.Random) -> Chat:
    """A response in, a better one out."""
    question, operation = a_question(rng), rng.choice(list(QUALITIES))
    before = any_answer(question, rng, 0.3)
    text = better(question, before, operation, rng)
    return told(f"evol_quality/{operation}", text, instruction=question.text, response=before.text)


def judge_overall(rng: random.Random) -> Chat:
    """A response in, a rating with its reason out; the judge works the answer out first."""
    question = a_question(rng)
    given = any_answer(question, rng)
    said = (
        f"{examined(question, [given])}\nRating: {overall(given)}\nReason: {reason(given, question.problem.value())}."
    )
    return told("ultrafeedback/overall", said, instruction=question.text, response=given.text)


def judge_aspects(rng: random.Random) -> Chat:
    """Several responses in, a rating of each by one aspect out."""
    question, aspect = a_question(rng, size=rng.choice((2, 2, 3, 3, 4))), rng.choice(ASPECTS)
    given = [any_answer(question, rng) for _ in range(rng.choice((2, 2, 3, 3, 4, 4, 4, 5, 1)))]
    gold = question.problem.value()
    lines = [f"Response {i}: {by_aspect(one, aspect)} - {reason(one, gold, aspect)}" for i, one in enumerate(given, 1)]
    said = "\n".join((examined(question, given), *lines))
    return told(f"ultrafeedback/{aspect}", said, instruction=question.text, responses=[one.text for one in given])


def criticism(question: Question, given: Answer) -> str:
    """What is wrong or missing, and how to mend it."""
    gold, working = question.problem.value(), ". ".join(question.problem.working())
    working = working.replace(" / ", " divided by ")  # 20 / 5 reads like a score, which a critique must not give
    if not given.right:
        return f"{working}. It is {gold}, not {given.value}. Mend the answer and show the steps."
    if given.style in ("bare", "short"):
        return f"{working}. So {given.value} is right, but the steps are missing. Show how it is found."
    return f"{working}. So {given.value} is right. A check at the end would help."


def critique(rng: random.Random) -> Chat:
    """A response in, what would make it better out."""
    question = a_question(rng)
    given = any_answer(question, rng)
    return told("critique/critique", criticism(question, given), instruction=question.text, response=given.text)


def rewrite(rng: random.Random) -> Chat:
    """A response and its critique in, the mended response out."""
    question = a_question(rng)
    given = any_answer(question, rng)
    explained = given.right and given.style not in ("bare", "short")
    style: Style = ("steps" if given.style == "checked" else "checked") if explained else "full"
    return told(
        "critique/rewrite",
        answered(question, style, rng).text,
        instruction=question.text,
        response=given.text,
        critique=criticism(question, given),
    )


ROLES: tuple[tuple[Callable[[random.Random], Chat], float], ...] = (
    (answer, 0.39),
    (judge_overall, 0.12),
    (judge_aspects, 0.07),
    (evol_instruct, 0.13),
    (equal, 0.025),
    (evol_quality, 0.10),
    (critique, 0.04),
    (rewrite, 0.03),
    (self_instruct, 0.04),
    (basic_prompting, 0.03),
    (bootstrap, 0.012),
    (instances, 0.015),
)
