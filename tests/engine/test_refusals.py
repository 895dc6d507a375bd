"""Refusals that are not a row's fault: they end the run at once, or the request is said in another way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from tasks.errors import PermanentError
from tasks.models.base import Sampling
from tasks.models.endpoint.refusals import ALIKE
from tests.engine.served import run_served
from tests.models.server import Behaviour, answer, body, chat, serving, status

CASES = json.loads((Path(__file__).parents[1] / "data" / "cases" / "endpoint_refusals.json").read_text())
CREDIT, PARAMETER, NOBODY_FORESAW = (body(orjson.dumps(case["body"]), code=case["status"]) for case in CASES)
WORDS = [case["body"]["error"]["message"] for case in CASES]
IN_FLIGHT = 8


def questions(count: int) -> list[str]:
    return [f"question {number}" for number in range(count)]


def refusing(name: str, refusal: Behaviour) -> Behaviour:
    """Refuse every request that has a parameter; answer all others with what they were asked."""

    async def behave(request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        if name in asked:
            return await refusal(request)
        return web.json_response(answer(f"An answer to {asked['messages'][-1]['content']}."))

    return behave


def test_an_account_without_credit_ends_the_run_at_once(tmp_path: Path) -> None:
    with serving(CREDIT) as server:
        run = run_served(server.name, tmp_path, questions(100), max_in_flight=IN_FLIGHT)
        assert 0 < len(server.bodies) <= IN_FLIGHT
    assert isinstance(run.error, PermanentError)
    assert "no credit left" in str(run.error)
    assert WORDS[0] in str(run.error)


def test_a_parameter_that_is_not_taken_is_left_out_and_told_once(tmp_path: Path) -> None:
    with serving(refusing("temperature", PARAMETER)) as server:
        run = run_served(server.name, tmp_path, questions(40), max_in_flight=IN_FLIGHT)
        refused = [sent for sent in server.bodies if "temperature" in sent]
        assert 0 < len(refused) <= IN_FLIGHT
        assert len(server.bodies) == 40 + len(refused)
    assert run.responses == [f"An answer to question {number}." for number in range(40)]
    assert [line for line in run.told if "`temperature`" in line and WORDS[1] in line] == run.told
    assert len(run.told) == 1


@pytest.mark.parametrize(
    "in_flight", [1, 64]
)  # with one, others get their keys before it is learnt, and are sent after it
def test_the_key_says_what_was_left_out_and_the_next_run_asks_for_nothing(tmp_path: Path, in_flight: int) -> None:
    with serving(refusing("temperature", PARAMETER)) as server:
        first = run_served(server.name, tmp_path, questions(10), max_in_flight=in_flight)
        asked = len(server.bodies)
        again = run_served(server.name, tmp_path, questions(10))
        assert len(server.bodies) == asked
        assert (again.context.accounting.tally.requests, again.context.accounting.tally.ledger_hits) == (0, 10)
    assert again.responses == first.responses
    assert again.outcome is not None
    sampled = {json.loads(text)["left_out"][0] for text in again.outcome.provenance["sampling"].to_list()}
    assert sampled == {"temperature"}
    assert len(again.told) == 1


def test_the_answers_of_a_server_that_takes_it_are_others(tmp_path: Path) -> None:
    with serving(chat("as it was asked")) as server:
        first = run_served(server.name, tmp_path, questions(3))
        server.behaviours = [refusing("temperature", PARAMETER)]
        again = run_served(server.name, tmp_path, questions(6))
    assert again.responses == [*first.responses, *(f"An answer to question {number}." for number in (3, 4, 5))]


TAKEN_ILL: dict[str, tuple[str, dict[str, Any]]] = {
    "OpenAI, unknown": (
        "temperature",
        {
            "error": {
                "message": "Unsupported parameter: 'temperature' is not supported with this model.",
                "param": "temperature",
            }
        },
    ),
    "OpenAI, unrecognized": (
        "presence_penalty",
        {"error": {"message": "Unrecognized request argument supplied: presence_penalty"}},
    ),
    "transformers serve": ("seed", {"detail": "Unexpected fields in the request: {'seed'}"}),
    "FastAPI": (
        "seed",
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]},
    ),
    "Groq": ("presence_penalty", {"error": {"message": "property 'presence_penalty' is unsupported"}}),
    "one of two": (
        "top_p",
        {"error": {"message": "`temperature` and `top_p` cannot both be specified for this model."}},
    ),
    "deprecated": ("top_p", {"error": {"message": "`top_p` is deprecated for this model."}}),
}


@pytest.mark.parametrize(("name", "words"), TAKEN_ILL.values(), ids=TAKEN_ILL.keys())
def test_servers_say_in_many_words_that_they_do_not_take_a_parameter(
    name: str, words: dict[str, Any], tmp_path: Path
) -> None:
    from tasks.generate.text_generation import TextGeneration

    sampling = Sampling(top_p=0.9, presence_penalty=0.1)
    with serving(refusing(name, body(orjson.dumps(words), code=400))) as server:
        run = run_served(server.name, tmp_path, questions(2), params=TextGeneration(sampling=sampling))
        assert all(
            kept in sent for sent in server.bodies[-1:] for kept in ("seed", "temperature", "top_p") if kept != name
        )
    assert run.responses == [f"An answer to question {number}." for number in range(2)]


def test_a_value_that_is_disliked_is_no_parameter_that_is_not_taken(tmp_path: Path) -> None:
    with serving(status(400, "temperature must be at most 1"), chat()) as server:
        run = run_served(server.name, tmp_path, questions(2), max_in_flight=1)
        assert all("temperature" in sent for sent in server.bodies)
    assert run.reasons == ["bad_request"]


def test_twenty_refusals_alike_and_no_answer_end_the_run_with_the_servers_words(tmp_path: Path) -> None:
    with serving(NOBODY_FORESAW) as server:
        run = run_served(server.name, tmp_path, questions(500), max_in_flight=IN_FLIGHT)
        assert ALIKE <= len(server.bodies) < ALIKE + IN_FLIGHT
    assert isinstance(run.error, PermanentError)
    assert WORDS[2] in str(run.error)
    assert "\n" not in str(run.error)


@pytest.mark.parametrize("rows", [1, 5])
def test_a_smaller_run_that_is_refused_as_a_whole_ends_in_the_same_way(rows: int, tmp_path: Path) -> None:
    with serving(NOBODY_FORESAW) as server:
        run = run_served(server.name, tmp_path, questions(rows))
        assert len(server.bodies) == rows
    assert isinstance(run.error, PermanentError)
    assert WORDS[2] in str(run.error)


def numbered(refused: Callable[[int], str | None]) -> Behaviour:
    """Refuse requests by their number with these words, answer where there are none."""
    number = -1

    async def behave(request: web.Request) -> web.StreamResponse:
        nonlocal number
        number += 1
        words = refused(number)
        return await (chat() if words is None else status(400, words))(request)

    return behave


MIXED: dict[str, tuple[Callable[[int], str | None], int]] = {
    "one answer": (lambda number: None if number == 3 else "always the same", 39),
    "each in its own words": (lambda number: f"the word {'abcdefgh'[number % 8] * 3} is not liked", 40),
    "too long, each": (lambda _: "maximum context length is 8", 40),
    "too long, one in ten": (lambda number: "maximum context length is 8" if number % 10 == 9 else "the same", 40),
}


@pytest.mark.parametrize(("refused", "rejected"), MIXED.values(), ids=MIXED.keys())
def test_refusals_of_rows_stay_those_of_rows(
    refused: Callable[[int], str | None], rejected: int, tmp_path: Path
) -> None:
    with serving(numbered(refused)) as server:
        run = run_served(server.name, tmp_path, questions(40), max_in_flight=1)
    assert len(run.reasons) == rejected


def test_numbers_and_ids_in_a_refusal_do_not_make_it_another(tmp_path: Path) -> None:
    with serving(numbered(lambda number: f"request {number:032x} of {number} tokens has no field x")) as server:
        run = run_served(server.name, tmp_path, questions(100), max_in_flight=1)
        assert len(server.bodies) == ALIKE
    assert isinstance(run.error, PermanentError)


def test_a_shard_of_a_longer_step_waits_for_the_others(tmp_path: Path) -> None:
    with serving(NOBODY_FORESAW) as server:
        run = run_served(server.name, tmp_path, questions(3), shards=2)
    assert run.reasons == ["bad_request"] * 3


def test_a_key_that_is_refused_again_and_again_in_the_middle_ends_the_run(tmp_path: Path) -> None:
    with serving(*[chat()] * 5, status(403, "not any more")) as server:
        run = run_served(server.name, tmp_path, questions(100), max_in_flight=1)
        assert len(server.bodies) == 5 + ALIKE
    assert isinstance(run.error, PermanentError)
    assert len(run.on_record) == 5
