"""Leases by themselves, on SQLite and on PostgreSQL: who waits for whom, and what a lease costs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from tasks.engine.context import Context
from tasks.engine.loop import run_in_loop
from tasks.engine.requests.pending import PendingRequest
from tasks.errors import Interrupted, RequestRefused
from tasks.ledger.database import engine_of, leases
from tasks.ledger.ledger import Ledger
from tasks.models.base import Completion, Request, Sampling
from tasks.models.config import ModelConfig
from tasks.models.scripted import ScriptedModel
from tasks.storage.digest import digest
from tests.engine.world import world
from tests.rows import a_row

REQUEST = Request(Sampling(), seed=1, prompt="Once")
FOR_EVER_S = 10_000.0
ANY_S = 30.0
"""Nothing here takes so long: what does waits for what does not come."""


def bill(context: Context | None = None) -> PendingRequest:
    return PendingRequest(context or Context(), a_row(), ModelConfig())


def ask(ledger: Ledger, model: ScriptedModel, context: Context | None = None) -> asyncio.Task[Completion]:
    return asyncio.ensure_future(ledger.answer(digest("k"), model, REQUEST, bill(context)))


def in_time(work: Coroutine[Any, Any, None]) -> None:
    """Run it in the loop. Where it would not end, it fails."""
    run_in_loop(asyncio.wait_for(work, ANY_S))


@contextmanager
def two_ledgers(url: str, lease_s: float) -> Iterator[tuple[Ledger, Ledger]]:
    """They know nothing of each other: as two processes."""
    one, other = Ledger(url, lease_s=lease_s), Ledger(url, lease_s=lease_s)
    try:
        yield one, other
    finally:
        run_in_loop(one.close())
        run_in_loop(other.close())
    engine = engine_of(url)
    with engine.connect() as connection:
        assert connection.execute(sa.select(leases)).all() == [], "a lease is left"
    engine.dispose()


class Slow(ScriptedModel):
    """Answers when it is told to."""

    def __init__(self, text: str = "slow") -> None:
        super().__init__(self._answer)
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self.text = text

    async def _answer(self, _request: Request) -> str:
        self.begun.set()
        await self.go.wait()
        if not self.text:
            raise RequestRefused("context_too_long")
        return self.text


def test_a_request_under_way_is_waited_for(ledger_url: str) -> None:
    async def asked() -> None:
        slow, quick = Slow(), ScriptedModel(["quick"])
        first = ask(one, slow)
        await slow.begun.wait()
        second = ask(other, quick)
        await asyncio.sleep(0.5)
        assert not second.done()
        slow.go.set()
        assert (await second).text == (await first).text == "slow"
        assert not quick.requests

    with two_ledgers(ledger_url, FOR_EVER_S) as (one, other):
        in_time(asked())


@pytest.mark.parametrize("how", ["refused", "cancelled"])
def test_a_request_that_came_to_nothing_is_made_by_whoever_waits_for_it(ledger_url: str, how: str) -> None:
    async def asked() -> None:
        slow = Slow("")
        first = ask(one, slow)
        await slow.begun.wait()
        second = ask(other, ScriptedModel(["quick"]))
        if how == "refused":
            slow.go.set()
        else:
            first.cancel()
        with pytest.raises(RequestRefused if how == "refused" else asyncio.CancelledError):
            await first
        assert (await second).text == "quick"

    with two_ledgers(ledger_url, FOR_EVER_S) as (one, other):
        in_time(asked())


def test_whoever_is_stopped_waits_for_no_other_process(ledger_url: str) -> None:
    async def asked() -> None:
        slow, stopped = Slow(), Context()
        first = ask(one, slow)
        await slow.begun.wait()
        second = ask(other, ScriptedModel([]), stopped)
        await asyncio.sleep(0.3)
        stopped.stop.set()
        with pytest.raises(Interrupted):
            await second
        slow.go.set()
        await first

    with two_ledgers(ledger_url, FOR_EVER_S) as (one, other):
        in_time(asked())


def test_a_lease_is_renewed_for_as_long_as_its_request_takes(ledger_url: str) -> None:
    async def asked() -> None:
        slow, quick = Slow(), ScriptedModel(["quick"])
        first = ask(one, slow)
        await slow.begun.wait()
        second = ask(other, quick)
        await asyncio.sleep(2.5)
        slow.go.set()
        assert (await second).text == (await first).text == "slow"
        assert not quick.requests

    with two_ledgers(ledger_url, 0.8) as (one, other):
        in_time(asked())


def test_whoever_is_cancelled_while_its_request_is_leased_gives_it_up(ledger_url: str) -> None:
    async def asked() -> None:
        gone = ask(one, ScriptedModel([]))
        while not one._leases._hold:  # the lookup that leases it is under way
            await asyncio.sleep(0)
        gone.cancel()
        assert (await ask(other, ScriptedModel(["quick"]))).text == "quick"

    with two_ledgers(ledger_url, FOR_EVER_S) as (one, other):
        in_time(asked())


def test_an_answer_that_is_committed_between_lookup_and_lease_is_used(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def asked() -> None:
        loop, model, look_up = asyncio.get_running_loop(), ScriptedModel([]), other._look_up

        def looked_up(keys: Sequence[bytes]) -> dict[bytes, Completion]:
            found = look_up(keys)
            asyncio.run_coroutine_threadsafe(one.keep(digest("k"), model, Completion("first")), loop).result()
            return found

        monkeypatch.setattr(other, "_look_up", looked_up)
        assert (await ask(other, model)).text == "first"
        assert not model.requests

    with two_ledgers(ledger_url, FOR_EVER_S) as (one, other):
        in_time(asked())


def test_a_process_that_stood_still_does_not_give_up_the_lease_of_whoever_took_over(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def asked() -> None:
        failing, taking_over, quick = Slow(""), Slow(), ScriptedModel(["quick"])
        first = ask(still, failing)
        await failing.begun.wait()
        second = ask(one, taking_over)
        await taking_over.begun.wait()
        failing.go.set()
        with pytest.raises(RequestRefused):
            await first
        third = ask(other, quick)
        await asyncio.sleep(0.5)
        assert not quick.requests
        taking_over.go.set()
        assert (await third).text == (await second).text == "slow"

    with two_ledgers(ledger_url, FOR_EVER_S) as (one, other):
        still = Ledger(ledger_url, lease_s=0.3)
        monkeypatch.setattr(still._leases, "_renew", partial(asyncio.sleep, 0))
        in_time(asked())
        run_in_loop(still.close())


class Waiting(Slow):
    """Waits for its slot; then the request begins."""

    async def complete(self, request: Request) -> Completion:
        self.begun.set()
        await self.go.wait()
        return await super().complete(request)


def test_a_request_does_not_begin_under_a_lease_that_has_run_out(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def asked() -> None:
        waiting, taking_over = Waiting(), Slow("of whoever took over")
        first = ask(still, waiting)
        await waiting.begun.wait()
        second = ask(one, taking_over)
        await taking_over.begun.wait()
        waiting.go.set()
        await asyncio.sleep(0.1)
        taking_over.go.set()
        assert (await first).text == (await second).text == taking_over.text
        assert not waiting.requests

    with two_ledgers(ledger_url, FOR_EVER_S) as (one, _):
        still = Ledger(ledger_url, lease_s=0.3)
        monkeypatch.setattr(still._leases, "_renew", partial(asyncio.sleep, 0))
        in_time(asked())
        run_in_loop(still.close())


def test_of_two_answers_the_first_one_committed_is_used(ledger_url: str) -> None:
    async def asked() -> None:
        slow = Slow("second")
        answer = ask(one, slow)
        await slow.begun.wait()
        await other.keep(digest("k"), slow, Completion("first"))
        slow.go.set()
        assert (await answer).text == "first"

    with two_ledgers(ledger_url, FOR_EVER_S) as (one, other):
        in_time(asked())


def test_a_ledger_that_is_closed_gives_up_what_it_holds(ledger_url: str) -> None:
    async def asked() -> None:
        slow = Slow()
        first = ask(closed, slow)
        await slow.begun.wait()
        await closed.close()
        assert (await ask(other, ScriptedModel(["quick"]))).text == "quick"
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)

    with two_ledgers(ledger_url, FOR_EVER_S) as (_, other):
        closed = Ledger(ledger_url)
        in_time(asked())


def test_leases_that_have_run_out_are_taken_away_though_nobody_asks_again(ledger_url: str) -> None:
    with two_ledgers(ledger_url, FOR_EVER_S) as (one, _):
        with one._engine.begin() as connection:
            left = {"key": b"of a request that nobody asks", "owner": "host/none/1/0/0", "expires_at": 1}
            connection.execute(sa.insert(leases).values(left))
        assert run_in_loop(one.answer(digest("k"), ScriptedModel(["yes"]), REQUEST, bill())).text == "yes"


def test_leases_cost_no_statement_a_request(ledger_url: str) -> None:
    statements, lock = 0, threading.Lock()

    def count(*_: object) -> None:
        nonlocal statements
        with lock:
            statements += 1

    with world(ledger_url) as w:
        sa.event.listen(sa.Engine, "before_cursor_execute", count)
        try:
            run = w.run([f"question {i}" for i in range(2000)], lambda _: "yes", in_flight=256)
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", count)
    assert run.requests == 2000
    assert statements < run.requests / 5
