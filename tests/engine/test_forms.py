"""A judge asked in text, held to a schema, or with the beginning of its answer given: one verdict, read by one parser."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any, Literal

import orjson
import pytest

from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.requests.asking import Member
from tasks.errors import PermanentError, Unusable
from tasks.judge.ultrafeedback import UltraFeedback, ultrafeedback
from tasks.models.base import Message, Request, Sampling
from tasks.models.config import ModelConfig
from tasks.models.endpoint.learnt import Learnt
from tasks.models.endpoint.providers.openai import chat_body
from tasks.models.scripted import ScriptedModel
from tasks.text.prompts import FULL, Prompts
from tasks.text.verdicts.forms import TEXT, Form, fields_of_each, whole_number, whole_number_or_none
from tasks.text.verdicts.ratings import overall_of, ratings_of
from tests.models.tiny import GREEDY, ask, raw, save_tiny_model, tiny_tokenizer
from tests.rows import a_row
from tests.text.languages.ratings import READ as READ_ELSEWHERE
from tests.text.test_ratings import READ

How = Literal["text", "schema", "prefill"]
POOL: Any = [{"text": "Four, since two and two is four."}, {"text": "Five."}]
FORM = Form(overall_of, {"reason": TEXT, "rating": whole_number(5)}, "Reason:")


def judged(answers: Any, how: How, language: str = "en", **params: Any) -> tuple[Any, list[Request]]:
    model = ScriptedModel(answers)
    roles = {"generator": [Member(model, ModelConfig(name="m", verdicts=how))]}
    models = Models(roles, Context(prompts=Prompts(FULL, language), max_attempts=1))
    [row] = asyncio.run(ultrafeedback(a_row(instruction="2 + 2?", responses=POOL), models, UltraFeedback(**params)))
    ratings = [(one["rating"], one["rationale"]) for said in row["responses"] for one in said["ratings"]]
    return ratings, model.requests


OVERALL: dict[How, str] = {
    "text": "Reason: it is so\nRating: 4",
    "schema": '{"reason": "it is so", "rating": 4}',
    "prefill": " it is so\nRating: 4",
}
ASPECT: dict[How, str] = {
    "text": "Response 1\nReason: it is so\nRating: 4\n\nResponse 2\nReason: no\nRating: 1",
    "schema": '{"Response 1": {"reason": "it is so", "rating": 4}, "Response 2": {"reason": "no", "rating": 1}}',
    "prefill": "Reason: it is so\nRating: 4\n\nResponse 2\nReason: no\nRating: 1",
}


@pytest.mark.parametrize("language", ["en", "vi", "zh", "ja"])
@pytest.mark.parametrize("how", OVERALL)
def test_an_overall_verdict_is_the_same_however_it_is_asked_for(how: How, language: str) -> None:
    ratings, requests = judged(lambda _: OVERALL[how], how, language)
    assert ratings == [(4, "it is so")] * 2
    assert {(r.schema is not None, r.prefill) for r in requests} == {
        (how == "schema", "Reason:" if how == "prefill" else None)
    }
    said = requests[0].messages
    assert said is not None and said[-1]["role"] == "user"
    assert said[-1]["content"].endswith('JSON: {"reason":"...","rating":"..."}') is (how == "schema")


@pytest.mark.parametrize("how", ASPECT)
def test_verdicts_by_aspect_are_the_same_however_they_are_asked_for(how: How) -> None:
    ratings, requests = judged(lambda _: ASPECT[how], how, aspects="paper")
    assert sorted(set(ratings)) == [(1, "no"), (4, "it is so")] and len(ratings) == 8
    if how == "schema":
        schema = json.loads(requests[0].schema or "")
        assert list(schema["properties"]) == schema["required"] == ["Response 1", "Response 2"]
        assert schema["properties"]["Response 1"]["properties"]["rating"]["enum"] == [1, 2, 3, 4, 5, "N/A"]


def test_a_judge_that_begins_anew_is_read_all_the_same() -> None:
    for how, text in (("prefill", OVERALL["text"]), ("schema", OVERALL["text"]), ("prefill", OVERALL["schema"])):
        assert judged(lambda _, text=text: text, how)[0] == [(4, "it is so")] * 2  # type: ignore[arg-type,misc]


@pytest.mark.parametrize("table", [READ, READ_ELSEWHERE], ids=["en", "vi, zh, ja"])
def test_ugly_answers_are_read_alike_after_a_beginning(table: dict[str, Any]) -> None:
    for name, (text, rating, _) in table.items():
        assert FORM(text).rating == rating, name
        if (
            "JSON" not in name and "table" not in name and "thought" not in name
        ):  # these begin an answer, and go on none
            assert FORM.begun(text).rating == rating, name


def test_what_is_no_verdict_is_none_in_any_form() -> None:
    for form in (FORM, FORM.begun):
        for text in ("", "It is fine.", "Rating: 47", '{"reason": "so"}'):
            with pytest.raises(Unusable):
                form(text)


def test_the_forms_have_keys_of_their_own_and_text_keeps_the_one_it_had() -> None:
    def asked(how: How) -> str:
        return judged(lambda _: OVERALL[how], how)[1][0]

    text, schema, prefill = (asked(how) for how in OVERALL)
    assert text.messages == prefill.messages != schema.messages  # type: ignore[attr-defined]
    from tasks.engine.requests.attempts import Ask

    asks = [
        Ask("words", Sampling(), 1, 0),
        Ask("words", Sampling(), 1, 0, schema="{}"),
        Ask("words", Sampling(), 1, 0, prefill="{"),
    ]
    assert len({one.digest for one in asks}) == 3 and asks[0].digest == "words"


def test_a_server_is_given_the_beginning_as_the_message_to_go_on_from() -> None:
    messages: tuple[Message, ...] = ({"role": "user", "content": "Judge."},)
    body = orjson.loads(chat_body("m", Request(Sampling(), 1, messages, prefill="Reason:"), Learnt()))
    assert body["messages"] == [{"role": "user", "content": "Judge."}, {"role": "assistant", "content": "Reason:"}]
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)
    plain = orjson.loads(chat_body("m", Request(Sampling(), 1, messages), Learnt()))
    assert plain["messages"] == body["messages"][:1] and "continue_final_message" not in plain


def test_a_local_model_goes_on_from_the_beginning(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "tiny")
    messages: tuple[Message, ...] = ({"role": "user", "content": "Judge."},)
    shown = str(tiny_tokenizer().apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True))
    [begun, same, other] = ask(
        folder,
        [
            Request(GREEDY, 1, messages, prefill="Reason:"),
            raw(f"{shown}Reason:", seed=1),
            Request(GREEDY, 1, messages),
        ],
    )
    assert begun.prompt_tokens == same.prompt_tokens > other.prompt_tokens
    assert begun.text.strip() == same.text.strip()


def test_a_local_model_cannot_be_held_to_a_schema_and_says_what_to_do(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "tiny")
    with pytest.raises(PermanentError, match="verdicts: prefill"):
        ask(folder, [Request(GREEDY, 1, ({"role": "user", "content": "Judge."},), schema=FORM.schema)])


def test_a_schema_names_its_fields_in_order_and_takes_no_others() -> None:
    form = Form(
        partial(ratings_of, count=2),
        fields_of_each("Response", 2, {"reason": TEXT, "rating": whole_number_or_none(5)}),
        "",
    )
    schema = json.loads(form.schema)
    assert schema["additionalProperties"] is False
    assert list(schema["properties"]["Response 2"]["properties"]) == ["reason", "rating"]
