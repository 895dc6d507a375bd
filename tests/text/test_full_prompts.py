"""The full prompts: what each has to have, and which answers to them are right although they sound like them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import yaml

from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.requests.asking import Member
from tasks.errors import Unusable
from tasks.generate.basic_prompting import BasicPrompting, basic_prompting
from tasks.judge.critique import Critique, critique
from tasks.judge.ultrafeedback import ASPECTS, UltraFeedback, ultrafeedback
from tasks.models.base import Message
from tasks.models.config import ModelConfig
from tasks.models.scripted import ScriptedModel
from tasks.text.leaks import own_runs, refuse_leak, runs_of
from tasks.text.prompts import FULL, PROMPTS, Prompts, languages_of
from tasks.text.templates import render
from tasks.text.words import word_count
from tests.rows import a_row

FULL_EN = Prompts(FULL, "en")
NAMES = FULL_EN.names()
LANGUAGES = languages_of(FULL)
POOL: Any = [{"text": "Four, since two and two is four."}, {"text": "Five."}]


def models_of(*answers: str) -> tuple[Models, ScriptedModel]:
    model = ScriptedModel(list(answers))
    context = Context(prompts=FULL_EN, max_attempts=1)
    return Models({"generator": [Member(model, ModelConfig(name="m"))]}, context), model


def said(name: str, language: str = "en") -> list[Message]:
    technique = name.split("/", maxsplit=1)[0]
    examples = yaml.safe_load((PROMPTS / FULL / language / technique / "example.yaml").read_text(encoding="utf-8"))
    return render(Prompts(FULL, language).template(name), examples[name.split("/")[1]])


def test_every_prompt_of_the_demo_set_has_a_full_one() -> None:
    assert set(Prompts().names()) <= set(NAMES)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_a_full_prompt_says_more_than_a_terse_one_and_has_a_system_message(name: str, language: str) -> None:
    messages = said(name, language)
    assert messages[0]["role"] == "system" and word_count(messages[0]["content"]) > 80
    assert [m["role"] for m in messages[1:]] == ["user", "assistant"] * (len(messages) // 2 - 1) + ["user"]
    assert not [m for m in messages if "{{" in m["content"] or "{%" in m["content"] or not m["content"]]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("aspect", sorted({one for aspects in ASPECTS.values() for one in aspects} | {"overall"}))
def test_a_judge_has_an_anchor_for_each_rating_and_gives_its_reason_first(aspect: str, language: str) -> None:
    system, asked = said(f"ultrafeedback/{aspect}", language)
    assert [line[:4] for line in system["content"].splitlines() if line[:1].isdigit()] == [
        f"{n} - " for n in range(1, 6)
    ]
    form = asked["content"].rpartition("</response")[2]
    assert 0 < form.index("\nReason:") < form.index("\nRating:")
    assert language != "en" or "Length means nothing" in system["content"]


USUAL = (
    "What are the advantages and disadvantages of working from home?",
    "Write a short story about a lighthouse keeper who finds a letter.",
    "Explain the difference between a virus and a bacterium, and give an example of each.",
    "Translate the following sentence into French: The cat is on the mat.",
    "Summarise the text below in no more than three sentences.",
    "Give three reasons why a small shop should have a website of its own.",
    "Is the following review positive or negative? Answer with one word.",
    "What is the best way to keep lettuce fresh for a week?",
    "Compare the two tables and list all rows that differ.",
    "Write a Python function that returns the second largest number in a list.",
    "Explain step by step how to change a tyre, and say why each step is needed.",
    "How does photosynthesis work, and why do plants need it at night as well?",
    "Rewrite the e-mail so that it is polite, and keep it under 100 words.",
    "Plan a trip of four days to Rome for two adults and a child of six.",
    "The response keeps to the question and says all that matters, in the form that was wanted.",
)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("ultrafeedback/")])
def test_what_people_usually_ask_and_say_is_no_leak(name: str) -> None:
    assert not [run for text in USUAL for run in runs_of(text) if run in own_runs(name, FULL_EN)]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("ultrafeedback/")])
def test_the_rules_and_the_examples_are_a_leak(name: str, language: str) -> None:
    messages = said(name, language)
    rules = [line for line in messages[0]["content"].splitlines() if line.startswith("- ")] or ["reply with one word"]
    for text in [rules[-1], *(m["content"] for m in messages if m["role"] == "assistant")]:
        if list(runs_of(text)) and name != "evol_instruct/equal":
            with pytest.raises(Unusable, match="prompt_leak"):
                refuse_leak(text, text, name, Prompts(FULL, language), {})


CRITIQUES = {
    "words of the rubric": '1. "Five" does not do what the instruction asks: something that the person needs is missing, the sum itself. '
    "Say how it comes about.\n2. It is unclear, badly ordered, repeats itself or is padded in the last lines. Cut them.",
    "the first fault in its words": 'Something in it is false: "Five" contradicts another part of it. Put four.',
    "bold and headed": '### Faults\n\n1. **Quote:** "Five." **Wrong:** it breaks a condition that the instruction sets. **Mend:** answer with four.',
}


@pytest.mark.parametrize("text", CRITIQUES.values(), ids=CRITIQUES.keys())
def test_a_critic_may_speak_in_the_words_of_its_rubric(text: str) -> None:
    models, _ = models_of(text, "Two and two is four.")
    [row] = asyncio.run(critique(a_row(instruction="2 + 2?", response="Five."), models, Critique()))
    assert [one["critique"] for one in row["responses"]] == [text, None]


@pytest.mark.parametrize(
    "text",
    [
        "For each fault, the most harmful one first, three at most.",
        '1. "steel is lighter than water" is false: a lump of steel sinks. Say that the hollow hull is lighter.',
    ],
    ids=["the orders", "the example"],
)
def test_a_critic_may_not_repeat_its_orders_or_the_example(text: str) -> None:
    with pytest.raises(Unusable):
        asyncio.run(critique(a_row(instruction="2 + 2?", response="Five."), models_of(text)[0], Critique()))


def test_a_judge_may_speak_in_the_words_of_its_grades() -> None:
    answer = (
        "Response 1\nErrors: world\nReason: It says something of the world that is not so, and a reader would be misled in some point.\nRating: 3\n\n"
        "Response 2\nErrors: none\nReason: no error that you can find, and does everything that was asked, as it was asked.\nRating: 5"
    )
    row = a_row(instruction="2 + 2?", responses=POOL)
    [child] = asyncio.run(ultrafeedback(row, models_of(*[answer] * 4)[0], UltraFeedback(aspects="paper")))
    assert sorted(one["score"] for one in child["responses"]) == [3, 5] and not row.losses


def test_a_reference_that_the_row_brings_is_told_to_the_judges() -> None:
    for aspects, answer in (
        ("overall", "Reason: right\nRating: 5"),
        ("paper", "Response 1\nReason: a\nRating: 5\nResponse 2\nReason: b\nRating: 1"),
    ):
        for reference in ("It is 4.", None):
            models, model = models_of(*[answer] * 4)
            row = a_row(instruction="2 + 2?", responses=POOL, **({"reference": reference} if reference else {}))
            asyncio.run(ultrafeedback(row, models, UltraFeedback(aspects=aspects)))  # type: ignore[arg-type]
            texts = [request.messages[-1]["content"] for request in model.requests if request.messages]
            assert all(("<reference>\nIt is 4.\n</reference>" in text) is bool(reference) for text in texts)


def test_the_scale_of_ten_has_a_prompt_of_its_own_and_is_mapped() -> None:
    models, model = models_of("Reason: fair\nRating: 10", "Reason: bad\nRating: 1")
    [row] = asyncio.run(ultrafeedback(a_row(instruction="2 + 2?", responses=POOL), models, UltraFeedback(scale=10)))
    assert sorted(one["score"] for one in row["responses"]) == [1, 5]
    assert all("from 1 to 10" in request.messages[-1]["content"] for request in model.requests if request.messages)


def test_who_asks_and_how_differs_from_row_to_row() -> None:
    models, model = models_of(*["Why does bread rise?"] * 60)
    for number in range(60):
        asyncio.run(basic_prompting(a_row(topic="bread", number=number), models, BasicPrompting()))
    asked = {request.messages[-1]["content"] for request in model.requests if request.messages}
    assert len(asked) > 50, "60 rows of one topic are told 60 ways, but for chance"
