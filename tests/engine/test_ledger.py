"""The ledger by itself: what it keeps, who waits for whom, and what it says when it cannot be used."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tasks.engine.context import Context
from tasks.engine.digest import digest
from tasks.engine.ledger import Ledger
from tasks.engine.loop import run_in_loop
from tasks.errors import ConfigError, Interrupted
from tasks.models.base import Completion, Request, Sampling, TokenLogprobs
from tasks.models.scripted import ScriptedModel

REQUEST = Request(Sampling(), seed=1, prompt="Once")


def opened(folder: Path) -> Ledger:
    return Ledger(f"sqlite:///{folder / 'ledger.sqlite'}")


def test_a_completion_comes_back_as_it_was_paid_for(tmp_path: Path) -> None:
    whole = Completion(
        "héllo \U0001f600\n", "stop", 3, 2, (TokenLogprobs("a", -0.5, {"a": -0.5, "b": -1.0}),), "because it is so"
    )
    for _ in range(2):
        ledger, model, context = opened(tmp_path), ScriptedModel(lambda _: whole), Context()
        assert run_in_loop(ledger.answer(digest("key"), model, REQUEST, context)) == whole
        run_in_loop(ledger.close())
    assert (context.tally.requests, context.tally.ledger_hits) == (0, 1)


def test_half_a_surrogate_pair_is_stored_as_the_replacement_character_and_used_as_stored(tmp_path: Path) -> None:
    ledger = opened(tmp_path)
    answer = run_in_loop(ledger.answer(digest("k"), ScriptedModel(lambda _: "a\ud800b"), REQUEST, Context()))
    again = run_in_loop(ledger.answer(digest("k"), ScriptedModel([]), REQUEST, Context()))
    run_in_loop(ledger.close())
    assert answer == again
    answer.text.encode()


def test_of_two_processes_that_pay_at_the_same_moment_both_use_the_first_answer(tmp_path: Path) -> None:
    one, other = opened(tmp_path), opened(tmp_path)  # two ledgers on one file know nothing of each other's flights

    async def both() -> list[Completion]:
        async def slow(request: Request) -> str:
            await asyncio.sleep(0.05)
            return next(texts)

        texts = iter(["first", "second"])
        models = [ScriptedModel(slow), ScriptedModel(slow)]
        asks = zip((one, other), models, strict=True)
        return list(await asyncio.gather(*(own.answer(digest("k"), m, REQUEST, Context()) for own, m in asks)))

    answers = run_in_loop(both())
    count = one.count()
    run_in_loop(one.close())
    run_in_loop(other.close())
    assert answers[0] == answers[1]
    assert count == 1


def test_when_the_first_to_ask_fails_the_next_one_asks(tmp_path: Path) -> None:
    ledger, failed = opened(tmp_path), asyncio.Event()

    async def breaks(request: Request) -> str:
        await asyncio.sleep(0.01)
        failed.set()
        raise ZeroDivisionError

    async def both() -> list[Completion | BaseException]:
        asks = [
            ledger.answer(digest("k"), m, REQUEST, Context()) for m in (ScriptedModel(breaks), ScriptedModel(["fine"]))
        ]
        return list(await asyncio.gather(*asks, return_exceptions=True))

    broken, fine = run_in_loop(both())
    run_in_loop(ledger.close())
    assert isinstance(broken, ZeroDivisionError)
    assert fine == Completion("fine", completion_tokens=1, prompt_tokens=1)


def test_a_stopped_run_uses_what_is_there_and_pays_for_nothing(tmp_path: Path) -> None:
    ledger, stopped = opened(tmp_path), Context()
    run_in_loop(ledger.answer(digest("there"), ScriptedModel(["x"]), REQUEST, Context()))
    stopped.stop.set()
    assert run_in_loop(ledger.answer(digest("there"), ScriptedModel([]), REQUEST, stopped)).text == "x"
    with pytest.raises(Interrupted):
        run_in_loop(ledger.answer(digest("new"), ScriptedModel(["y"]), REQUEST, stopped))
    run_in_loop(ledger.close())


@pytest.mark.parametrize("content", [b"not a database at all" * 100, None], ids=["garbage", "a folder"])
def test_a_ledger_that_cannot_be_used_is_one_clear_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ledger.sqlite"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match="the ledger cannot be used") as caught:
        opened(tmp_path)
    assert len(str(caught.value).splitlines()) == 1
