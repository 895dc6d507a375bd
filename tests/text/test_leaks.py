"""An answer that repeats the prompt's own words is no answer, for every technique and in every language."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel

from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.requests.asking import Member
from tasks.errors import Filtered, Unusable
from tasks.generate.self_instruct import SelfInstruct, self_instruct
from tasks.judge.ultrafeedback import UltraFeedback, ultrafeedback
from tasks.models.base import Sampling
from tasks.models.config import ModelConfig
from tasks.models.scripted import ScriptedModel
from tasks.text import prompts
from tasks.text.leaks import RUN, own_runs, refuse_leak, texts_in
from tasks.text.prompts import PROMPTS, Prompts
from tasks.text.words import words
from tests.rows import a_row, models_of

TEMPLATES = sorted(
    path.relative_to(PROMPTS / "demo/en").with_suffix("").as_posix() for path in PROMPTS.glob("demo/en/*/*.j2")
)
PARROTED = "One request per line, no numbers, nothing else."
GOOD = "Why do cats sleep so long?\nList three breeds of cats.\nHow old does a cat get?"
SAMPLING = Sampling()
QUERIES = {"application": "an assistant", "count": 3, "context": "cats"}


def ask(answers: Any, name: str = "self_instruct/queries", language: str = "en", **options: Any) -> Any:
    model = ScriptedModel(answers)
    models = Models(
        {"generator": [Member(model, ModelConfig(name="m"))]},
        Context(prompts=Prompts(language=language), max_attempts=1),
    )
    return asyncio.run(models.at(a_row(instruction="a")).ask(name, sampling=SAMPLING, **(QUERIES | options)))


def leak(answers: Any, *args: Any, **options: Any) -> str:
    """The words that leaked."""
    with pytest.raises(Unusable) as loss:
        ask(answers, *args, **options)
    assert loss.value.reason == "prompt_leak" and loss.value.raw is not None
    return loss.value.detail


def repeats(name: str, answer: Any, **variables: Any) -> bool:
    try:
        refuse_leak(answer, "raw", name, Prompts(), variables)
    except Unusable:
        return True
    return False


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_knows_its_own_words(name: str) -> None:
    assert own_runs(name, Prompts()), "it has no six words in a row: nothing of it could be told from an answer"
    longest = max(Prompts().fixed_texts(name), key=lambda text: len(words(text)))
    assert repeats(name, f"As I was told: {longest.upper()}!")
    assert not repeats(name, " ".join(words(longest)[: RUN - 1]))


def test_a_parroted_prompt_becomes_no_query() -> None:
    """What a real SmolLM2-135M answered."""
    with pytest.raises(Unusable) as loss:
        asyncio.run(self_instruct(a_row(instruction="cats"), models_of([PARROTED] * 3), SelfInstruct()))
    assert (loss.value.reason, loss.value.attempts, loss.value.raw) == ("prompt_leak", 3, PARROTED)


def test_the_model_is_asked_again_and_may_do_better() -> None:
    model = ScriptedModel([PARROTED, GOOD])
    rows = asyncio.run(self_instruct(a_row(instruction="cats"), models_of(model), SelfInstruct()))
    assert (len(rows), len(model.requests)) == (3, 2)


@pytest.mark.parametrize(
    ("answer", "leaked"),
    [
        ("one request per line no numbers", "one request per line no numbers"),
        ("**ONE REQUEST** – per line; “no numbers”", "one request per line no numbers"),
        ("x\nBegin each with another\nverb or question word", "begin each with another verb or"),
    ],
    ids=["bare", "dressed", "over lines"],
)
def test_case_punctuation_and_line_breaks_hide_nothing(answer: str, leaked: str) -> None:
    assert leaked in leak([answer])


@pytest.mark.parametrize(
    "answer",
    [GOOD, "One request per line, no", "Application: cats\nText: cats", "per line one request no numbers nothing"],
    ids=["an answer", "five words", "labels", "another order"],
)
def test_fewer_words_or_others_are_no_leak(answer: str) -> None:
    assert ask([answer]) == answer


def test_what_a_variable_says_may_be_repeated() -> None:
    context = f"My boss wrote: {PARROTED} What does it mean?"
    assert ask([PARROTED], context=context) == PARROTED
    assert ask([PARROTED], context=["deeply", {"held": context}]) == PARROTED


def test_words_across_a_variable_are_not_the_templates() -> None:
    assert ask(["Give 3 different requests that its"]) == "Give 3 different requests that its"


def test_a_technique_can_say_that_quoting_is_right() -> None:
    assert ask([PARROTED], quoting=True) == PARROTED


def test_a_judge_may_repeat_the_form_of_its_answer() -> None:
    answer = (
        "Response 1: rating (1 to 5) - 4, it does what the instruction asks, in the way that it asks\nResponse 2: 3"
    )
    answer = answer.replace("rating (1 to 5) - 4", "rating (1 to 5): 4")
    row = a_row(instruction="a", responses=[{"text": "b"}, {"text": "c"}])
    [child] = asyncio.run(ultrafeedback(row, models_of([answer] * 4), UltraFeedback(aspects="paper")))
    assert [len(response["ratings"]) for response in child["responses"]] == [4, 4] and not row.losses


class Two(NamedTuple):
    number: int
    text: str


@dataclass
class Held:
    text: str


class Said(BaseModel):
    items: list[str]


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (PARROTED, True),
        ([GOOD, [PARROTED]], True),
        (Two(1, PARROTED), True),
        ({"a": PARROTED}, True),
        (Held(PARROTED), True),
        (Said(items=[PARROTED]), True),
        (True, False),
        (None, False),
        (4.5, False),
        ([(PARROTED, Filtered("surplus")), (GOOD, None)], False),
        ([(PARROTED, None)], True),
        (object(), False),
    ],
    ids=[
        "text",
        "list",
        "tuple",
        "mapping",
        "dataclass",
        "model",
        "verdict",
        "none",
        "number",
        "refused already",
        "kept",
        "judged by the raw text",
    ],
)
def test_looked_at_is_what_the_parser_keeps(answer: Any, found: bool) -> None:
    assert repeats("self_instruct/queries", answer) is found


def test_a_value_that_cannot_be_looked_into_is_judged_by_the_completion() -> None:
    assert list(texts_in([object()], "raw")) == ["raw"]


def test_of_a_list_only_the_item_that_leaks_is_refused() -> None:
    row, model = a_row(instruction="cats"), ScriptedModel([f"{GOOD}\n{PARROTED}"])
    rows = asyncio.run(self_instruct(row, models_of(model, max_attempts=1), SelfInstruct()))
    assert [child["instruction"] for child in rows] == GOOD.splitlines()
    assert [(loss.kind, loss.reason, loss.raw) for loss in row.losses] == [("filtered", "prompt_leak", PARROTED)]


def test_a_list_with_nothing_left_is_asked_for_again() -> None:
    """The other item is refused by the parser: too short."""
    row, model = a_row(instruction="cats"), ScriptedModel([f"{PARROTED}\nWhy?", GOOD])
    rows = asyncio.run(self_instruct(row, models_of(model), SelfInstruct()))
    assert (len(rows), len(model.requests), row.losses) == (3, 2, [])


def test_items_that_have_their_place_are_refused_together() -> None:
    assert leak([f"{GOOD}\n{PARROTED}"], parse=lambda text: tuple(text.splitlines()))


def test_talk_about_the_list_that_the_parser_drops_is_no_leak() -> None:
    preface = "Here are different requests that its users could send, all drawn from the text below:"
    rows = asyncio.run(
        self_instruct(a_row(instruction="cats"), models_of([f"{preface}\n{GOOD}"], max_attempts=1), SelfInstruct())
    )
    assert [row["instruction"] for row in rows] == GOOD.splitlines()


def test_an_answer_held_to_a_schema_is_looked_at_too() -> None:
    leak([Said(items=[PARROTED]).model_dump_json()], schema=Said)
    assert ask(['{"items": ["Why?"]}'], schema=Said) == Said(items=["Why?"])


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Write prompts of a language of its own."""
    monkeypatch.setattr(prompts, "PROMPTS", tmp_path)

    def write(language: str, **texts: str) -> None:
        for name, text in texts.items():
            (tmp_path / "demo" / language / "t").mkdir(parents=True, exist_ok=True)
            (tmp_path / "demo" / language / "t" / f"{name}.j2").write_text(text)

    return write


@pytest.mark.parametrize(
    ("language", "text", "leaked", "kept"),
    [
        (
            "zh-leak",
            "每行一个请求，不要编号，不要写别的。\n\n文本：{{ context }}",
            "好的：每行一个请求，不要编号，不要写别的。",
            "每行一个请求，不要编号，写吧。",
        ),
        (
            "ja-leak",
            "一行に一つの質問だけを書いてください。{{ context }}",
            "一行に一つの質問だけを書く",
            "一行に一つの質問だけ",
        ),
        ("th-leak", "เขียนคำถามเดียวต่อบรรทัด {{ context }}", "เขียนคำถามเดียว", "เขียน ดี"),
        (
            "ru-leak",
            "Пиши по одной просьбе в каждой строке. {{ context }}",
            "ПИШИ по одной просьбе, в каждой…",
            "Пиши по одной просьбе в строке",
        ),
        (
            "ar-leak",
            "اكتب طلبا واحدا في كل سطر فقط {{ context }}",
            "اكتب طلبا واحدا في كل سطر",
            "اكتب طلبا واحدا في كل مرة",
        ),
    ],
    ids=["Chinese", "Japanese", "Thai", "Russian", "Arabic"],
)
def test_in_every_language(language: str, text: str, leaked: str, kept: str, written: Callable[..., None]) -> None:
    written(language, queries=text)
    assert leak([leaked], "t/queries", language)
    assert ask([kept], "t/queries", language) == kept


def test_blocks_and_included_templates_are_the_templates_own_words_too(written: Callable[..., None]) -> None:
    written(
        "included",
        whole='{% block system %}You write requests for other people here.{% endblock %}{% block user %}{% include "t/rest.j2" %}'
        "{{ context }}{% endblock %}",
        rest="Be as brief as you can possibly be.",
    )
    assert leak(["You write requests for other people."], "t/whole", "included")
    assert leak(["I shall be as brief as you can."], "t/whole", "included")
