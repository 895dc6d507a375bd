"""More stop texts than a server takes: the surest are sent, the others are applied to the answer here."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.loop import run_in_loop
from tasks.engine.requests.asking import Member
from tasks.generate.magpie import Magpie, magpie, stopping
from tasks.models.base import Sampling
from tasks.models.config import ModelConfig
from tasks.notices import heard
from tests.models.answers.templates import TEMPLATES, with_template
from tests.models.asking import ask, asked, opened, question
from tests.models.server import Behaviour, body, serving
from tests.rows import a_row

SIX = Sampling(max_new_tokens=64, stop=("one", "two", "three", "four", "five", "six"))
VLLM = "1 validation error: {'type': 'too_long', 'loc': 'body.stop', 'msg': 'List should have at most 4 items after validation, not 6'}"
OPENAI = (
    "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length 6 instead."
)


def taking(most: int, words: str, text: str, *, ids: bool = True) -> Behaviour:
    """Refuse more stop texts than this; answer with a text up to the first of those that were sent, as servers do."""

    async def behave(request: web.Request) -> web.StreamResponse:
        sent = await request.json()
        stop = sent.get("stop", [])
        if len(stop) > most:
            return await body(orjson.dumps({"error": {"message": words}}), code=400)(request)
        if "stop_token_ids" in sent and not ids:
            return await body(
                orjson.dumps({"error": {"message": "Unrecognized request argument: stop_token_ids"}}), code=400
            )(request)
        cut = text[: min([at for s in stop if (at := text.find(s)) >= 0], default=len(text))]
        choice = {"text": cut, "message": {"content": cut}, "finish_reason": "stop" if cut != text else "length"}
        return web.json_response({"choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": 64}})

    return behave


@pytest.mark.parametrize(
    ("words", "most"),
    [
        (VLLM, 4),
        (OPENAI, 4),
        ("Maximum number of stop sequences is 5", 5),
        ("`stop` is limited to 2 entries", 2),
        ("Unsupported parameter: 'stop' is not supported with this model.", 0),
    ],
    ids=["vLLM", "OpenAI", "five", "two", "none"],
)
def test_as_many_as_the_server_takes_are_sent_and_the_others_applied_here(words: str, most: int) -> None:
    told: list[str] = []
    with serving(taking(most, words, "zero six 1 five")) as server, heard(told.append):
        model = opened(server.name, max_in_flight=1)
        answers = asyncio.run(asked(model, question(0, SIX), question(1, SIX), question(2, Sampling(stop=("six",)))))
        assert [list(sent.get("stop", [])) for sent in server.bodies][:3] == [
            list(SIX.stop),
            *[list(SIX.stop[:most])] * 2,
        ]
    assert [(answer.text, answer.finish_reason) for answer in answers] == [("zero ", "stop")] * 3
    assert [f"takes {most} stop texts" in line for line in told] == [True]


def test_all_that_were_on_their_way_when_it_was_learnt_are_sent_again() -> None:
    with serving(taking(4, VLLM, "zero six")) as server:
        answers = ask(server, *(question(number, SIX) for number in range(30)), max_in_flight=16)
        assert len(server.bodies) <= 30 + 16
    assert [answer.text for answer in answers] == ["zero "] * 30


def saved(name: str, folder: Path) -> str:
    """A tokenizer with a family's template, which knows the tokens that its turns stop at."""
    tokenizer = with_template(TEMPLATES[name]["chat_template"], name)
    stops = stopping(Magpie(), tokenizer).stop
    tokenizer.add_special_tokens({"additional_special_tokens": [stop for stop in stops if stop.strip()]})
    tokenizer.save_pretrained(folder)
    return str(folder)


FAMILIES = [
    name
    for name in TEMPLATES
    if name.lower().startswith(("gpt-oss", "openai-gpt-oss", "kimi-k3", "moonshotai-kimi-k3"))
]


@pytest.mark.parametrize("ids", [True, False], ids=["stop_token_ids", "stop texts alone"])
@pytest.mark.parametrize("name", FAMILIES)
def test_magpie_makes_as_many_rows_as_asked_on_a_server_that_takes_four_stop_texts(
    name: str, ids: bool, tmp_path: Path
) -> None:
    tokenizer = saved(name, tmp_path)
    with serving(taking(4, VLLM, "What is a river?\nIt is water.", ids=ids)) as server:
        model = opened(server.name, tokenizer=tokenizer)
        models = Models({"generator": [Member(model, ModelConfig(name=server.name, tokenizer=tokenizer))]}, Context())

        async def work() -> list[Any]:
            return await asyncio.gather(*(magpie(a_row(number=n), models, Magpie()) for n in range(32)))

        try:
            rows = run_in_loop(work())
        finally:
            run_in_loop(model.close())
        assert any(len(sent["stop"]) > 4 for sent in server.bodies), "the family has more than four"
        last = server.bodies[-1]
    assert [row["instruction"] for [row] in rows] == ["What is a river?"] * 32
    assert len(last["stop"]) == 4
    assert ("stop_token_ids" in last) == ids
    assert not ids or len(last["stop_token_ids"]) >= 4
