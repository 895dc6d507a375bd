"""The second built-in model: what its text is made of, that the recipes ask in its words, and that it plays its roles."""

from __future__ import annotations

import asyncio
import json
import random
from itertools import islice
from typing import Any

import pytest

from tasks.curate.verified_scores import VerifiedScores, verified_scores
from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.requests.asking import Member
from tasks.engine.row import Row
from tasks.errors import RowLoss
from tasks.generate.constraints import Constraints, constraints
from tasks.generate.model_pool import ModelPool, model_pool
from tasks.generate.rejection_sampling import RejectionSampling, rejection_sampling
from tasks.generate.talks.carry_on import CarryOn, carry_on
from tasks.generate.text_generation import TextGeneration, text_generation
from tasks.generate.verified_generation import VerifiedGeneration, verified_generation
from tasks.models.base import Request
from tasks.models.config import ModelConfig
from tasks.models.local.local import load_local
from tasks.models.open import BUILT_IN, BUILT_IN_SEEDS
from tasks.models.scripted import ScriptedModel
from tasks.text.final_answers.compare import check_answer
from tasks.text.prompts import FULL, Prompts
from tasks.text.reading.simulated import assistants_turn, users_turn
from tasks.verify.constraints.constraint import finding_of
from tests.demo_model.checker import question_of
from tests.demo_model.corpus import is_held_out
from tests.demo_model.domain import a_question
from tests.demo_model.questions import problems
from tests.demo_model.recipes import parts
from tests.demo_model.recipes.keeping import in_words, kept_answer
from tests.demo_model.recipes.vocabulary import added_words, recipes_digest
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


# --- the weights that are shipped

WEIGHTS = BUILT_IN["demo-2"]
SEEDS = [json.loads(line) for line in BUILT_IN_SEEDS["demo-2"].read_text().splitlines()]


def test_the_weights_were_trained_on_the_prompts_of_now() -> None:
    known = json.loads((WEIGHTS / "training.json").read_text())
    assert known["prompts"] == recipes_digest(), "a prompt has changed: make demo-model"
    assert known["tokens"] > 0, "a run that was not brought to its end"


def test_a_text_that_is_a_token_is_read_as_one() -> None:
    from transformers import AutoTokenizer

    new, old = (AutoTokenizer.from_pretrained(BUILT_IN[name]) for name in ("demo-2", "demo"))
    cut = [text for text in added_words() if len(old.encode(f" {text}", add_special_tokens=False)) > 1]
    assert cut and all(len(new.encode(text, add_special_tokens=False)) == 1 for text in cut)
    question = "Maria has 12 apples. Maria buys 5 more. How many apples does Maria have now?"
    assert new.encode(question) == old.encode(question), "what demo learned is said in its tokens"


def test_its_seeds_are_problems_that_training_never_asked() -> None:
    assert problems(60, 2, references=True) == SEEDS
    assert all(is_held_out(one["instruction"]) for one in SEEDS)


@pytest.fixture(scope="module")
def models() -> Any:
    model = load_local(ModelConfig(name=str(WEIGHTS)), name="demo-2")
    member = Member(model, ModelConfig(max_new_tokens=300))
    yield Models({"generator": [member]}, Context(prompts=Prompts(FULL, "en")))
    asyncio.run(model.close())


def through(models: Models, rows: list[Row], *steps: tuple[Any, Any]) -> list[Row]:
    """What comes out of these techniques, one after the other."""

    async def of(row: Row, step: Any, params: Any) -> list[Row]:
        try:
            return await step(row, models, params)  # type: ignore[no-any-return]
        except RowLoss:
            return []

    async def all_of() -> list[Row]:
        for_now = rows
        for step, params in steps:
            found = await asyncio.gather(*(of(row, step, params) for row in for_now))
            for_now = [child for children in found for child in children]
        return for_now

    return asyncio.run(all_of())


def test_it_keeps_constraints(models: Models) -> None:
    rows = through(
        models,
        [a_row(**seed) for seed in SEEDS[:12]],
        (constraints, Constraints(most=2)),
        (verified_generation, VerifiedGeneration()),
    )
    assert len(rows) >= 6
    assert all(finding_of(one, row["response"]).passed for row in rows for one in row["constraints"])


def test_it_solves_and_boxes_its_answer(models: Models) -> None:
    rows = through(models, [a_row(**seed) for seed in SEEDS[:12]], (rejection_sampling, RejectionSampling(samples=2)))
    assert len(rows) >= 6
    assert all("\\boxed{" in row["response"] for row in rows)


def test_it_answers_in_several_ways_of_which_some_pass(models: Models) -> None:
    rows = through(
        models,
        [a_row(**seed) for seed in SEEDS[:12]],
        (constraints, Constraints()),
        (model_pool, ModelPool(responses=4)),
        (verified_scores, VerifiedScores()),
    )
    assert len(rows) >= 3
    assert all({one["score"] for one in row["responses"]} == {0.0, 1.0} for row in rows)


def test_it_holds_both_sides_of_a_conversation(models: Models) -> None:
    rows = through(
        models,
        [a_row(**seed) for seed in SEEDS[:12]],
        (text_generation, TextGeneration()),
        (carry_on, CarryOn(draw_turns=False)),
    )
    assert len(rows) >= 6
    for row in rows:
        *before, last = (turn["role"] for turn in row["messages"])
        assert (before, last) == (["user", "assistant"] * (len(before) // 2), "user")
    assert max(len(row["messages"]) for row in rows) == 5
