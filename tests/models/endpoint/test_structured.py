"""Answers held to a JSON schema: what is sent, what is read, and what a server without it is told."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from aiohttp import web
from pydantic import BaseModel, Field

from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.loop import run_in_loop
from tasks.engine.requests.asking import Member
from tasks.errors import ConfigError, RequestRefused, Unusable
from tasks.models.base import Sampling
from tasks.models.config import ModelConfig
from tasks.models.local.local import load_local
from tasks.models.open import DEMO_WEIGHTS
from tasks.models.scripted import ScriptedModel
from tasks.notices import heard
from tasks.text.verdicts.structured import structure_of
from tests.models.asking import opened
from tests.models.server import Behaviour, chat, serving, status
from tests.rows import a_row

TEMPLATE = "self_instruct/instructions"


class Verdict(BaseModel):
    """What a judge says."""

    score: int = Field(ge=1, le=5)
    better: Literal["a", "b"] = "a"
    parts: list[Part] = []


class Part(BaseModel):
    words: str | None = None


Verdict.model_rebuild()
GOOD = '{"score": 4, "better": "b", "parts": [{"words": null}]}'


def models(model: Any, structured: Literal["schema", "parse"] = "schema", attempts: int = 3) -> Models:
    config = ModelConfig(name="m", structured=structured)
    return Models({"generator": [Member(model, config)]}, Context(max_attempts=attempts))


def ask(model: Any, schema: Any = Verdict, **options: Any) -> Any:
    """What became of an ask, and the row that asked."""
    row = a_row(instruction="What is it?")
    bound = models(model, **options).at(row)
    message = [{"role": "user", "content": "Judge."}]

    async def work() -> Any:
        try:
            return await bound.chat(message, name="judging", sampling=Sampling(), schema=schema)  # type: ignore[arg-type]
        finally:
            await model.close()

    return run_in_loop(work()), row


def test_the_schema_goes_out_strict_and_the_answer_comes_back_as_the_model() -> None:
    with serving(chat(GOOD)) as server:
        verdict, _ = ask(opened(server.name))
        sent = server.bodies[0]["response_format"]
    assert verdict == Verdict(score=4, better="b", parts=[Part()])
    assert (sent["type"], sent["json_schema"]["name"], sent["json_schema"]["strict"]) == ("json_schema", "answer", True)
    schema = sent["json_schema"]["schema"]
    assert schema["required"] == ["score", "better", "parts"]
    assert schema["properties"]["better"]["enum"] == ["a", "b"]
    for part in (schema, schema["$defs"]["Part"]):
        assert part["additionalProperties"] is False


def test_a_json_schema_goes_out_as_it_stands_and_the_answer_is_checked_by_it() -> None:
    plain = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    with serving(chat('{"n": "one"}'), chat('{"n": 1}')) as server:
        value, _ = ask(opened(server.name), plain)
        assert server.bodies[0]["response_format"]["json_schema"]["schema"] == plain
        assert len(server.bodies) == 2
    assert value == {"n": 1}


def test_what_is_no_schema_is_the_callers_mistake() -> None:
    with pytest.raises(ConfigError, match="not a JSON schema"):
        structure_of({"type": "objekt"})


UNUSABLE = {
    "words": ("It is four.", "no_json"),
    "nothing": ("", "no_json"),
    "words beside it": (f"Here it is: {GOOD}", "no_json"),
    "cut off": (GOOD[:-1], "no_json"),
    "another form": ("[4]", "not_the_schema"),
    "out of bounds": ('{"score": 9}', "not_the_schema"),
    "another word": ('{"score": 4, "better": "c"}', "not_the_schema"),
    "NaN": ('{"score": NaN}', "no_json"),
}


@pytest.mark.parametrize(("text", "reason"), UNUSABLE.values(), ids=UNUSABLE.keys())
def test_an_answer_that_does_not_fit_is_asked_for_again_and_then_unusable(text: str, reason: str) -> None:
    model = ScriptedModel(lambda _: text)
    with pytest.raises(Unusable) as caught:
        ask(model)
    assert (caught.value.reason, caught.value.attempts, caught.value.raw) == (reason, 3, text)
    assert len({request.seed for request in model.requests}) == 3


@pytest.mark.parametrize("text", [GOOD, f" {GOOD}\n", f"```json\n{GOOD}\n```", f"Sure!\n```\n{GOOD}\n```\nThat is it."])
def test_json_is_read_bare_or_out_of_its_fence(text: str) -> None:
    verdict, _ = ask(ScriptedModel([text]))
    assert verdict.score == 4


def test_whole_numbers_of_any_length_are_read_as_they_are_under_a_json_schema() -> None:
    numbers = [2**53 + 1, 2**64, -(3**60), 10**25 + 7, 1e300, 4]
    read = structure_of({"type": "array"}).parse(json.dumps(numbers))
    assert read == numbers and [type(number) for number in read] == [int, int, int, int, float, int]


def test_the_schema_is_part_of_the_key_and_a_request_without_one_keeps_its_own() -> None:
    asked = [ask(ScriptedModel(lambda _: GOOD), schema)[1].calls[0].prompt_digest for schema in (Verdict, OnlyAScore)]
    unheld = ask(ScriptedModel([GOOD]), structured="parse")[1].calls[0].prompt_digest
    row = a_row(instruction="What is it?")
    bound = models(ScriptedModel(["text"])).at(row)
    run_in_loop(bound.chat([{"role": "user", "content": "Judge."}], name="judging", sampling=Sampling()))
    assert len({*asked, unheld}) == 3
    assert unheld == row.calls[0].prompt_digest == "433c416a6859adbc7f2b6b83aebb8704"  # paid for under this name


class OnlyAScore(BaseModel):
    score: int


NOT_THERE: dict[str, Behaviour] = {
    "openai": status(
        400, "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model."
    ),
    "a field unknown": status(422, "Unexpected fields in the request: {'response_format'}"),
    "a grammar": status(400, "failed to parse grammar"),
    "llama-cpp-python": status(
        500, "1 validation error: {'type': 'literal_error', 'loc': ('body', 'response_format', 'type')}"
    ),
}


NO_FORMAT_AT_ALL = {"a field unknown"}


def formats(bodies: list[dict[str, Any]]) -> list[str | None]:
    """How each request has its answer held: the type, "+ schema" where `json_object` comes with one."""
    sent = [body.get("response_format", {}) for body in bodies]
    return [f"{one['type']} + schema" if "schema" in one else one.get("type") for one in sent]


@pytest.mark.parametrize("name", NOT_THERE)
def test_a_server_that_cannot_hold_answers_to_a_schema_is_asked_without_and_its_answers_are_checked(name: str) -> None:
    told: list[str] = []
    tried = ["json_schema"] if name in NO_FORMAT_AT_ALL else ["json_schema", "json_object + schema", "json_object"]
    refusals = [NOT_THERE[name]] * len(tried)
    with serving(*refusals, chat('{"score": 9}'), chat(GOOD)) as server, heard(told.append):
        verdict, row = ask(opened(server.name))
        assert formats(server.bodies) == [*tried, None, None]
    assert verdict.score == 4
    assert row.calls[0].attempts == 2
    assert row.calls[0].prompt_digest == ask(ScriptedModel([GOOD]), structured="parse")[1].calls[0].prompt_digest
    assert ["does not hold answers to a JSON schema" in line for line in told] == [True]


def takes(*types: str) -> Behaviour:
    """A server that takes these forms alone, as `formats` names them; each behaviour answers every request."""

    async def behave(request: web.Request) -> web.StreamResponse:
        (asked,) = formats([await request.json()])
        if asked in (*types, None):
            return await chat(GOOD)(request)
        return await status(400, "This response_format type is unavailable now")(request)

    return behave


def test_a_schema_goes_out_as_json_object_where_no_json_schema_is_taken_and_under_the_same_key() -> None:
    told: list[str] = []
    with serving(takes("json_object", "json_object + schema")) as server, heard(told.append):
        verdict, row = ask(opened(server.name))
        assert formats(server.bodies) == ["json_schema", "json_object + schema"]
        assert (
            server.bodies[1]["response_format"]["schema"]
            == server.bodies[0]["response_format"]["json_schema"]["schema"]
        )
    assert verdict.score == 4
    assert row.calls[0].prompt_digest == ask(ScriptedModel([GOOD]))[1].calls[0].prompt_digest
    assert ["takes a JSON schema as `json_object` alone" in line for line in told] == [True]


def test_an_answer_is_held_to_json_where_no_schema_is_taken_and_the_key_says_so() -> None:
    told: list[str] = []
    with serving(takes("json_object")) as server, heard(told.append):
        verdict, row = ask(opened(server.name))
        assert formats(server.bodies) == ["json_schema", "json_object + schema", "json_object"]
    assert verdict.score == 4
    others = [ask(ScriptedModel([GOOD]), structured=how)[1].calls[0].prompt_digest for how in ("schema", "parse")]
    assert len({row.calls[0].prompt_digest, *others}) == 3
    assert ["are held to `json_object` alone" in line for line in told] == [True]


def test_what_may_be_no_object_is_not_held_to_being_one() -> None:
    numbers = {"type": "array", "items": {"type": "integer"}}
    with serving(takes("json_object")) as server, heard([].append):
        server.behaviours = [takes("json_object"), takes("json_object"), chat("[1, 2]")]
        value, _ = ask(opened(server.name), numbers)
        assert formats(server.bodies) == ["json_schema", "json_object + schema", None]
    assert value == [1, 2]


def test_a_response_format_of_the_users_own_is_sent_on_and_its_refusal_ends_the_row() -> None:
    own = '{"response_format": {"type": "json_schema", "json_schema": {"name": "mine", "schema": {}}}}'
    with serving(takes("json_object")) as server, pytest.raises(RequestRefused, match="unavailable now"):
        ask(opened(server.name, extra_body=own))


def test_a_400_about_something_else_is_the_rows_own() -> None:
    with (
        serving(status(400, "the prompt is empty"), chat(GOOD)) as server,
        pytest.raises(RequestRefused, match="bad_request: HTTP 400: the prompt is empty"),
    ):
        ask(opened(server.name))


def test_with_structured_parse_nothing_is_sent_and_everything_is_checked() -> None:
    with serving(chat("four"), chat(GOOD)) as server:
        verdict, _ = ask(opened(server.name), structured="parse")
        assert len(server.bodies) == 2
        assert all("response_format" not in sent for sent in server.bodies)
    assert verdict.score == 4


def test_a_local_model_says_what_to_set_instead_of_passing_over_the_schema() -> None:
    model = load_local(ModelConfig(name=str(DEMO_WEIGHTS)), name="demo")
    with pytest.raises(ConfigError, match="`structured: parse`"):
        ask(model)


def test_ask_takes_a_schema_too() -> None:
    bound = models(ScriptedModel([GOOD])).at(a_row(instruction="x"))
    verdict = run_in_loop(bound.ask("evol_instruct/equal", sampling=Sampling(), schema=Verdict, first="a", second="b"))
    assert verdict.score == 4
    assert json.loads(structure_of(Verdict).schema)["title"] == "Verdict"
