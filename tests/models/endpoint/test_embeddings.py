"""Embeddings at an endpoint: many texts in one call, each of them a request, a ledger entry and a line of provenance."""

from __future__ import annotations

import asyncio
import base64
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from aiohttp import web

from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.loop import run_in_loop
from tasks.engine.requests.asking import Member
from tasks.errors import Interrupted, PermanentError, RequestRefused
from tasks.ledger.ledger import Ledger
from tasks.models.base import Completion, Request, Sampling
from tasks.models.config import ModelConfig
from tasks.models.endpoint.endpoint import open_endpoint
from tasks.models.scripted import ScriptedModel
from tests.models.asking import ask, asked, opened
from tests.models.server import Behaviour, body, chat, reset, serving, status
from tests.rows import a_row

Change = Callable[[dict[str, Any]], Any]


def numbers_of(text: str) -> list[float]:
    """A vector that tells texts apart."""
    return [float(len(text)), float(sum(text.encode())), 0.5]


def embedding(change: Change | None = None, *, longest: int = 10**6, most: int = 10**6) -> Behaviour:
    """Embed, as a server should; `change` spoils the answer. Refuses texts that are too long, and too many at once."""

    async def behave(request: web.Request) -> web.StreamResponse:
        texts = (await request.json())["input"]
        if len(texts) > most:
            return await status(422, f"batch size {len(texts)} > maximum allowed batch size {most}")(request)
        if any(len(text) > longest for text in texts):
            return await status(400, "This model's maximum context length is 8 tokens")(request)
        data = [{"object": "embedding", "index": i, "embedding": numbers_of(t)} for i, t in enumerate(texts)]
        answer = {"object": "list", "data": data, "usage": {"prompt_tokens": 10, "total_tokens": 10}}
        changed = answer if change is None else change(answer) or answer
        return await body(orjson.dumps(changed))(request)

    return behave


def texts(count: int) -> list[Request]:
    return [Request(Sampling(), 0, embed="x" * (number + 1), order=number) for number in range(count)]


def vectors(completions: list[Any]) -> list[list[float]]:
    return [np.frombuffer(c.embedding, "<f4").tolist() for c in completions]


# One call for many.


def test_texts_that_are_ready_together_go_out_as_one_call_and_come_back_each_to_its_own() -> None:
    with serving(embedding()) as server:
        requests = texts(5)
        completions = ask(server, *requests)
        assert server.paths == ["/v1/embeddings"]
        assert server.bodies == [{"model": "a-model", "input": [r.embed for r in requests]}]
    assert vectors(completions) == [numbers_of(r.embed or "") for r in requests]
    assert sum(c.prompt_tokens for c in completions) == 10
    assert completions[4].prompt_tokens > completions[0].prompt_tokens


@pytest.mark.parametrize(("most", "sizes"), [(64, [64, 36]), (10, [10] * 10), (1, [1] * 100)])
def test_a_call_has_at_most_as_many_texts_as_the_config_says(most: int, sizes: list[int]) -> None:
    with serving(embedding()) as server:
        ask(server, *texts(100), embeddings_in_one=most)
        assert sorted((len(sent["input"]) for sent in server.bodies), reverse=True) == sizes


def test_no_more_calls_are_under_way_than_the_window_has_room_for_and_what_waits_goes_out_together() -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.02)
        return await embedding()(request)

    async def work(model: Any) -> None:
        asks = []
        for request in texts(60):
            asks.append(asyncio.create_task(model.complete(request)))
            await asyncio.sleep(0)  # one after the other becomes ready
        await asyncio.gather(*asks)
        await model.close()

    with serving(slow) as server:
        asyncio.run(work(opened(server.name, max_in_flight=2)))
        assert server.peak <= 2
        assert len(server.bodies) < 10


def unnumbered(answer: dict[str, Any]) -> None:
    for one in answer["data"]:
        del one["index"]


def as_base64(answer: dict[str, Any]) -> None:
    for one in answer["data"]:
        one["embedding"] = base64.b64encode(struct.pack("<3f", *one["embedding"])).decode()


GOOD: dict[str, Change | None] = {
    "as it should be": None,
    "in another order": lambda answer: answer["data"].reverse(),
    "without numbers": unnumbered,
    "base64": as_base64,
    "without usage": lambda answer: answer.pop("usage") and None,
}


@pytest.mark.parametrize("change", GOOD.values(), ids=GOOD.keys())
def test_every_way_to_write_embeddings_is_read(change: Change | None) -> None:
    with serving(embedding(change)) as server:
        assert vectors(ask(server, *texts(3))) == [numbers_of("x" * n) for n in (1, 2, 3)]
        assert len(server.bodies) == 1


def set_first(value: Any) -> Change:
    def change(answer: dict[str, Any]) -> None:
        answer["data"][0]["embedding"] = value

    return change


BAD: dict[str, Change] = {
    "one too few": lambda answer: answer["data"].pop() and None,
    "one too many": lambda answer: answer["data"].append(answer["data"][0]),
    "an index twice": lambda answer: answer["data"][0].update(index=1),
    "an index too high": lambda answer: answer["data"][-1].update(index=7),
    "one without an index": lambda answer: answer["data"][0].pop("index") and None,
    "not finite as float32": set_first([1e300, 0.0, 0.0]),
    "empty": set_first([]),
    "null": set_first(None),
    "another length": set_first([1.0]),
    "no base64": set_first("?!"),
    "base64 of something else": set_first("AAAA"),
    "no data": lambda _: {"object": "list"},
    "an error with 200": lambda _: {"error": {"message": "worker died"}},
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD.keys())
def test_a_senseless_answer_is_a_fault_and_the_call_is_made_again(change: Change) -> None:
    with serving(embedding(change), embedding()) as server:
        assert vectors(ask(server, *texts(3))) == [numbers_of("x" * n) for n in (1, 2, 3)]
        assert len(server.bodies) == 2
        assert server.bodies[0] == server.bodies[1]


def test_infinity_and_nan_are_faults_however_they_are_written() -> None:
    nan = body(b'{"data": [{"index": 0, "embedding": [NaN, 1.0, 2.0]}]}')
    coded = set_first(base64.b64encode(struct.pack("<3f", 1, float("inf"), 2)).decode())
    with serving(nan, embedding(coded), embedding()) as server:
        assert vectors(ask(server, *texts(1))) == [numbers_of("x")]
        assert len(server.bodies) == 3


def test_a_vector_of_another_length_than_those_before_is_a_fault() -> None:
    with serving(embedding(), embedding(set_first([1.0, 2.0])), embedding()) as server:
        model = opened(server.name)

        async def one_by_one() -> list[Any]:
            answers = [await model.complete(request) for request in texts(2)]
            await model.close()
            return answers

        assert len(vectors(asyncio.run(one_by_one()))[1]) == 3
        assert len(server.bodies) == 3


# What is refused.


def test_a_text_that_is_too_long_costs_its_own_row_and_no_other() -> None:
    with serving(embedding(longest=19)) as server:
        results = ask(server, *texts(20))
    assert [r.reason for r in results if isinstance(r, RequestRefused)] == ["context_too_long"]
    assert isinstance(results[19], RequestRefused)
    assert vectors(results[:19]) == [numbers_of("x" * n) for n in range(1, 20)]


def test_a_server_that_takes_fewer_texts_than_we_send_is_sent_fewer_from_then_on() -> None:
    with serving(embedding(most=8)) as server:
        model = opened(server.name, embeddings_in_one=16)

        async def twice() -> list[Any]:
            first = await asyncio.gather(*map(model.complete, texts(16)))
            return [*first, *await asked(model, *texts(16))]

        assert all(isinstance(r, Completion) for r in asyncio.run(twice()))
        assert [len(sent["input"]) for sent in server.bodies] == [16, 8, 8, 8, 8]


@pytest.mark.parametrize("trouble", [status(429), status(500), reset], ids=["429", "500", "reset"])
def test_what_passes_is_survived(trouble: Behaviour) -> None:
    with serving(trouble, embedding()) as server:
        assert len(vectors(ask(server, *texts(3)))) == 3
        assert len(server.bodies) == 2


def test_a_permanent_fault_reaches_everybody_who_waits() -> None:
    with serving(status(401)) as server:
        results = ask(server, *texts(100), embeddings_in_one=10, max_in_flight=2)
        assert all(isinstance(r, PermanentError) for r in results)


def test_a_text_that_the_run_may_not_pay_for_is_left_out_of_the_call() -> None:
    def stop() -> None:
        raise Interrupted

    with serving(embedding()) as server:
        one, other = texts(2)
        results = ask(server, one, Request(Sampling(), 0, embed="y", admit=stop), other)
        assert isinstance(results[1], Interrupted)
        assert vectors([results[0], results[2]]) == [numbers_of("x"), numbers_of("xx")]
        assert server.bodies == [{"model": "a-model", "input": ["x", "xx"]}]


def test_a_cancelled_text_holds_up_nobody() -> None:
    with serving(embedding()) as server:

        async def work() -> list[Any]:
            model = opened(server.name)
            one, other = (asyncio.create_task(model.complete(request)) for request in texts(2))
            await asyncio.sleep(0)
            one.cancel()
            results = await asyncio.gather(one, other, return_exceptions=True)
            await model.close()
            return results

        results = asyncio.run(work())
        assert isinstance(results[0], asyncio.CancelledError)
        assert vectors(results[1:]) == [numbers_of("xx")]


# `models.embed`.


def embedder(model: Any, context: Context) -> Models:
    member = Member(model, ModelConfig(name="m"))
    return Models({"generator": [Member(ScriptedModel([]), ModelConfig())], "embedder": [member]}, context)


def test_an_embedding_is_paid_for_once_whichever_row_asks_and_has_a_line_of_provenance(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    model, context = ScriptedModel(lambda request: numbers_of(request.embed or "")), Context(ledger)
    rows = [a_row(instruction=text) for text in ("one", "other")]

    async def work() -> list[Any]:
        return [
            await embedder(model, context).at(row).embed(text)
            for row in rows
            for text in ("same words", row["instruction"])
        ]

    found = run_in_loop(work())
    run_in_loop(ledger.close())
    assert [vector.tolist() for vector in found] == [
        numbers_of(t) for t in ("same words", "one", "same words", "other")
    ]
    assert found[0].dtype == np.float32
    assert [request.embed for request in model.requests] == ["same words", "one", "other"]
    call = rows[0].calls[0]
    assert (call.role, call.template, call.model, call.prompt_tokens, call.attempts) == (
        "embedder",
        "embedding",
        "scripted",
        2,
        1,
    )


def test_an_embedding_comes_back_from_the_ledger_bit_by_bit(tmp_path: Path) -> None:
    vector = [0.1, -1e-38, 3.4e38, 1 / 3]
    seen = []
    for _ in range(2):
        ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
        model = ScriptedModel([vector])
        seen.append(run_in_loop(embedder(model, Context(ledger)).at(a_row(instruction="x")).embed("x")))
        run_in_loop(ledger.close())
        if len(seen) == 2:
            assert model.requests == []
    assert seen[0].tobytes() == seen[1].tobytes() == struct.pack("<4f", *vector)


def test_a_model_whose_embeddings_have_changed_their_length_ends_the_run() -> None:
    model = ScriptedModel([[1.0, 2.0], [1.0]])
    models = embedder(model, Context()).at(a_row(instruction="x"))
    run_in_loop(models.embed("a"))
    with pytest.raises(PermanentError, match=r"scripted: 2 and 1 \(give it a `revision`\)"):
        run_in_loop(models.embed("b"))


def test_a_model_that_answers_with_text_embeds_nothing() -> None:
    with pytest.raises(PermanentError, match="no embedding"):
        run_in_loop(embedder(ScriptedModel(["words"]), Context()).at(a_row(instruction="x")).embed("a"))


def test_a_server_without_embeddings_is_told_in_one_line() -> None:
    with serving(status(404, "Not Found"), chat()) as server:
        model = open_endpoint(ModelConfig(name=server.name))
        (error,) = asyncio.run(asked(model, *texts(1)))
    assert isinstance(error, PermanentError)
    assert "/embeddings" in str(error)
