"""The second built-in model: what its text is made of, and that the recipes ask in its words."""

from __future__ import annotations

import asyncio
import random
from itertools import islice
from typing import Any

from tasks.errors import RowLoss
from tasks.generate.constraints import Constraints, constraints
from tasks.generate.rejection_sampling import RejectionSampling, rejection_sampling
from tasks.generate.talks.carry_on import CarryOn, carry_on
from tasks.models.base import Request
from tasks.models.scripted import ScriptedModel
from tasks.text.final_answers.compare import check_answer
from tasks.text.prompts import FULL, Prompts
from tasks.text.reading.simulated import assistants_turn, users_turn
from tasks.verify.constraints.constraint import finding_of
from tests.demo_model.checker import question_of
from tests.demo_model.corpus import is_held_out
from tests.demo_model.domain import a_question
from tests.demo_model.recipes import parts
from tests.demo_model.recipes.keeping import in_words, kept_answer
from tests.demo_model.roles import Chat
from tests.rows import a_row, models_of


def test_an_answer_keeps_the_constraints_that_it_is_written_for() -> None:
    rng, kept = random.Random(0), 0
    for _ in range(200):
        question, _, drawn = parts.under_constraints(rng)
        said = kept_answer(question, drawn, rng)
        kept += said is not None
        assert said is None or all(finding_of(one, said).passed for one in drawn)
    assert kept >= 190


def test_a_solution_has_its_final_answer_in_a_box() -> None:
    rng, right = random.Random(0), 0
    for _ in range(100):
        *_, asked, said = parts.solution(rng)
        question = question_of(asked["content"].split("\n\n")[0])
        assert question is not None
        check = check_answer({"reference": question.problem.value()}, said["content"], "en")
        assert check.reason in ("", "wrong_answer", "answer_not_compared")
        right += check.passed
    assert 75 <= right < 100, "most are right, some are not: the recipes have something to check"


def test_turns_of_both_sides_are_what_the_parsers_take() -> None:
    rng = random.Random(0)
    for _ in range(60):
        *_, asked, said = parts.next_turn(rng)
        shown = turns_in(asked["content"])
        assert users_turn(said["content"], shown) != ""
        chat = parts.talk(rng, 3)
        for at in range(1, len(chat), 2):
            if not any(turn["content"] == chat[at]["content"] for turn in chat[:at]):  # a bare 12 may come twice
                assert assistants_turn(chat[at]["content"], chat[:at])


def turns_in(prompt: str) -> Chat:
    """The turns of a conversation that a prompt shows as text."""
    inside = prompt.split("<conversation>\n")[1].split("\n</conversation>")[0]
    return [{"role": line.split(": ")[0], "content": line.split(": ", 1)[1]} for line in inside.splitlines()]  # type: ignore[typeddict-item]


def test_no_question_of_the_corpus_is_held_out_and_a_seed_says_all() -> None:
    first, again = ([*islice(parts.recipe_conversations(5), 300)] for _ in range(2))
    assert first == again != [*islice(parts.recipe_conversations(6), 300)]
    for chat in first:
        for turn in chat:
            texts = (turn["content"], *turn["content"].split("\n\n"))
            assert turn["role"] != "user" or not any(question_of(text) and is_held_out(text) for text in texts)


def test_numbers_are_spelled() -> None:
    assert [in_words(n) for n in (0, 20, 21, 90, 99, 100)] == [
        "zero",
        "twenty",
        "twenty-one",
        "ninety",
        "ninety-nine",
        "100",
    ]


def test_the_recipes_ask_in_the_words_of_the_corpus() -> None:
    """Real requests of the techniques, on a scripted model, against what the corpus renders."""
    question = a_question(random.Random(3))

    def said(request: Request) -> str:
        return "[END]" if request.messages and "<conversation>" in request.messages[-1]["content"] else "12."

    model = ScriptedModel(said)
    models = models_of(model, prompts=Prompts(FULL, "en"))
    problem = a_row(instruction=question.text, reference="12", response="12.")
    asyncio.run(ended(rejection_sampling(problem, models, RejectionSampling(samples=1))))
    asyncio.run(ended(carry_on(problem, models, CarryOn())))
    solving, talking = (request.messages for request in model.requests)
    rng = random.Random(0)
    taught = {chat[0]["content"] for chat in (parts.solution(rng) for _ in range(20)) if len(chat) == 3}
    assert solving and {solving[0]["content"]} == taught
    asked = "Think step by step, and write the final answer in the last line inside \\boxed{}."
    assert solving[1]["content"] == f"{question.text}\n\n{asked}"
    assert parts.solution(rng)[-2]["content"].endswith(f"\n\n{asked}")
    *system, user = parts.next_turn(rng)[:-1]
    assert talking and talking[0] == system[0]
    assert talking[1]["content"].split("\n\n")[2] == user["content"].split("\n\n")[2]
    drawn = asyncio.run(constraints(a_row(instruction=question.text), models, Constraints()))[0]
    assert question.text in drawn["instruction"] and "\n\n" in drawn["instruction"]


async def ended(work: Any) -> None:
    """Wait for a technique, whatever comes of it."""
    try:
        await work
    except RowLoss:
        return
