"""The ledger by itself, on SQLite and on PostgreSQL: what it keeps, and who waits for whom."""

from __future__ import annotations

import asyncio

import pytest

from tasks.engine.context import Context
from tasks.engine.loop import run_in_loop
from tasks.engine.requests.pending import PendingRequest
from tasks.errors import Interrupted
from tasks.ledger.ledger import Ledger
from tasks.models.base import Completion, Request, Sampling, TokenLogprobs
from tasks.models.config import ModelConfig
from tasks.models.scripted import ScriptedModel
from tasks.storage.digest import digest
from tests.rows import a_row

REQUEST = Request(Sampling(), seed=1, prompt="Once")


def bill(context: Context | None = None) -> PendingRequest:
    """Who pays: a run that has no limits, where nothing else is said."""
    return PendingRequest(context or Context(), a_row(), ModelConfig())


def test_a_completion_comes_back_as_it_was_paid_for(ledger_url: str) -> None:
    whole = Completion(
        "héllo \U0001f600\n", "stop", 3, 2, (TokenLogprobs("a", -0.5, {"a": -0.5, "b": -1.0}),), "because it is so"
    )
    for _ in range(2):
        ledger, model, context = Ledger(ledger_url), ScriptedModel(lambda _: whole), Context()
        assert run_in_loop(ledger.answer(digest("key"), model, REQUEST, bill(context))) == whole
        run_in_loop(ledger.close())
    assert (context.accounting.tally.requests, context.accounting.tally.ledger_hits) == (0, 1)


def test_half_a_surrogate_pair_is_stored_as_the_replacement_character_and_used_as_stored(ledger_url: str) -> None:
    ledger = Ledger(ledger_url)
    answer = run_in_loop(ledger.answer(digest("k"), ScriptedModel(lambda _: "a\ud800b"), REQUEST, bill()))
    again = run_in_loop(ledger.answer(digest("k"), ScriptedModel([]), REQUEST, bill()))
    run_in_loop(ledger.close())
    assert answer == again
    answer.text.encode()


def test_of_two_processes_that_pay_at_the_same_moment_both_use_the_first_answer(ledger_url: str) -> None:
    one, other = Ledger(ledger_url), Ledger(ledger_url)  # two ledgers on one file know nothing of each other's flights

    async def both() -> list[Completion]:
        async def slow(request: Request) -> str:
            await asyncio.sleep(0.05)
            return next(texts)

        texts = iter(["first", "second"])
        models = [ScriptedModel(slow), ScriptedModel(slow)]
        asks = zip((one, other), models, strict=True)
        return list(await asyncio.gather(*(own.answer(digest("k"), m, REQUEST, bill()) for own, m in asks)))

    answers = run_in_loop(both())
    count = one.count()
    run_in_loop(one.close())
    run_in_loop(other.close())
    assert answers[0] == answers[1]
    assert count == 1


def test_when_the_first_to_ask_fails_the_next_one_asks(ledger_url: str) -> None:
    ledger, failed = Ledger(ledger_url), asyncio.Event()

    async def breaks(request: Request) -> str:
        await asyncio.sleep(0.01)
        failed.set()
        raise ZeroDivisionError

    async def both() -> list[Completion | BaseException]:
        asks = [
            ledger.answer(digest("k"), m, REQUEST, bill()) for m in (ScriptedModel(breaks), ScriptedModel(["fine"]))
        ]
        return list(await asyncio.gather(*asks, return_exceptions=True))

    broken, fine = run_in_loop(both())
    run_in_loop(ledger.close())
    assert isinstance(broken, ZeroDivisionError)
    assert fine == Completion("fine", completion_tokens=1, prompt_tokens=1)


def test_a_stopped_run_uses_what_is_there_and_pays_for_nothing(ledger_url: str) -> None:
    ledger, stopped = Ledger(ledger_url), Context()
    run_in_loop(ledger.answer(digest("there"), ScriptedModel(["x"]), REQUEST, bill()))
    stopped.stop.set()
    assert run_in_loop(ledger.answer(digest("there"), ScriptedModel([]), REQUEST, bill(stopped))).text == "x"
    with pytest.raises(Interrupted):
        run_in_loop(ledger.answer(digest("new"), ScriptedModel(["y"]), REQUEST, bill(stopped)))
    run_in_loop(ledger.close())
