"""The window: how many requests are sent at once, by clocks that the tests turn: no machine is too slow for them."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.models.endpoint.limits import rest_s, retry_after_s, seconds_of
from tasks.models.endpoint.window import LONGEST_PAUSE_S, START, Bucket, Window


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Hourless(selectors.DefaultSelector):
    """Waiting takes no time: the loop's clock is put forward by as much instead."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0
        return super().select(0)


class TurnedLoop(asyncio.SelectorEventLoop):
    """A loop whose time goes by only while all wait, and then at once."""

    def __init__(self) -> None:
        self.hours = Hourless()
        super().__init__(self.hours)

    def time(self) -> float:
        return self.hours.now


def run(work: Coroutine[object, object, None]) -> None:
    with asyncio.Runner(loop_factory=TurnedLoop) as runner:
        runner.run(work)


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def filled(window: Window, waiting: int = 1000) -> list[asyncio.Task[float]]:
    """As many requests as the window takes, and more that wait."""
    tasks = [asyncio.create_task(window.enter(order)) for order in range(waiting)]
    await settle()
    return tasks


async def end(tasks: list[asyncio.Task[float]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize(("most", "opens_at"), [(8, 8), (64, 64), (1000, START)])
def test_it_opens_at_64_or_at_what_the_user_allows(most: int, opens_at: int) -> None:
    async def work() -> None:
        window = Window(most)
        tasks = await filled(window)
        assert window.in_flight == opens_at
        await end(tasks)

    run(work())


def test_it_doubles_with_each_round_trip_up_to_what_is_allowed() -> None:
    async def work() -> None:
        window = Window(200)
        tasks = await filled(window)
        for at_once in (128, 200, 200):
            for _ in range(window.in_flight):
                window.accepted()
                window.leave()
            assert window.in_flight == at_once
        await end(tasks)

    run(work())


def test_it_grows_while_nothing_is_refused_even_before_the_first_answer() -> None:
    async def work() -> None:
        window = Window(200)
        tasks = await filled(window)
        async with asyncio.timeout(10):
            while window.in_flight < 200:
                await asyncio.sleep(0.02)
        await end(tasks)

    run(work())


def test_it_does_not_grow_while_nobody_waits() -> None:
    async def work() -> None:
        window = Window(200)
        for _ in range(500):
            await window.enter()
            window.accepted()
            window.leave()
        assert window.limit == START

    run(work())


def test_refusals_cut_it_to_what_the_server_holds() -> None:
    async def work() -> None:
        window = Window(100)
        tasks = await filled(window)
        for _ in range(44):  # of 64, the server takes 20
            window.refused(tasks[0].result())
            window.leave()
        assert (window.limit, window.in_flight) == (20, 20)
        await end(tasks)

    run(work())


def test_after_a_cut_it_probes_once_a_second_with_growing_steps() -> None:
    async def work() -> None:
        clock = Clock()
        window = Window(100, clock=clock)
        tasks = await filled(window, 5000)
        for _ in range(44):
            window.refused(tasks[0].result())
            window.leave()
        limits = []
        for _ in range(40):  # 0.25 s a round trip, ten seconds
            clock.now += 0.25
            for _ in range(window.in_flight):
                window.accepted()
                window.leave()
            limits.append(window.limit)
        assert limits[3::4] == [21, 23, 27, 35, 51, 83, 100, 100, 100, 100]
        await end(tasks)

    run(work())


def test_a_refused_probe_costs_one_refusal_and_one_place() -> None:
    async def work() -> None:
        clock = Clock()
        window = Window(100, clock=clock)
        tasks = await filled(window)
        for _ in range(44):
            window.refused(tasks[0].result())
            window.leave()
        clock.now += 1.5
        window.accepted()
        window.leave()
        assert window.in_flight == 21
        entered = clock.now
        clock.now += 0.1
        window.refused(entered)
        window.leave()
        assert (window.limit, window.in_flight) == (20, 20)
        await end(tasks)

    run(work())


def test_without_a_connection_one_request_at_a_time_tries_and_then_it_recovers_fast() -> None:
    async def work() -> None:
        clock = Clock()
        window = Window(64, clock=clock)
        tasks = await filled(window)
        for task in tasks[:64]:
            window.refused(task.result(), connected=False)
            window.leave()
        assert (window.limit, window.in_flight) == (1, 0)
        clock.now += LONGEST_PAUSE_S
        window._admit()
        assert window.in_flight == 1
        for _ in range(5):
            for _ in range(window.in_flight):
                window.accepted()
                window.leave()
        assert window.in_flight == 32
        await end(tasks)

    run(work())


def test_nobody_is_sent_before_retry_after_is_over() -> None:
    async def work() -> None:
        clock = Clock()
        window = Window(64, clock=clock)
        entered = await window.enter()
        window.refused(entered, 7.0)
        window.leave()
        tasks = await filled(window, 3)
        for second, sent in ((6.9, 0), (7.1, 1)):
            clock.now = 100.0 + second
            window._admit()
            assert window.in_flight == sent
        await end(tasks)

    run(work())


def test_the_oldest_row_gets_the_next_slot() -> None:
    async def work() -> None:
        window = Window(1)
        got: list[int] = []

        async def one(order: int) -> None:
            await window.enter(order)
            got.append(order)
            await asyncio.sleep(0)
            window.leave()

        await asyncio.gather(*(one(order) for order in (0, 5, 3, 9, 1)))
        assert got == [0, 1, 3, 5, 9]

    run(work())


def test_a_slot_given_to_a_cancelled_request_is_not_lost() -> None:
    async def work() -> None:
        window = Window(1)
        await window.enter()
        waiting = asyncio.create_task(window.enter())
        await settle()
        window.leave()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert window.in_flight == 0
        await asyncio.wait_for(window.enter(), 1)

    run(work())


def test_waiting_rows_wake_up_by_themselves() -> None:
    async def work() -> None:
        window = Window(4, clock=asyncio.get_running_loop().time)
        window.rest(0.05)
        await asyncio.wait_for(asyncio.gather(*(window.enter() for _ in range(4))), 5)
        assert window.in_flight == 4

    run(work())


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 200), st.lists(st.sampled_from(["ok", "busy", "down", "fault", "second"]), max_size=300))
def test_whatever_happens_it_is_never_above_its_limit_and_never_shut(most: int, events: list[str]) -> None:
    async def work() -> None:
        clock = Clock()
        window = Window(most, clock=clock)
        tasks = await filled(window, 500)
        for event in events:
            if event == "second" or window.in_flight == 0:
                clock.now += 6 if window.in_flight == 0 else 1
                window._admit()
                continue
            if event == "ok":
                window.accepted()
            elif event in ("busy", "down"):
                window.refused(clock.now, connected=event == "busy")
            before, limit = window.in_flight, window.limit
            window.leave()
            assert window.in_flight <= max(limit, before - 1)
            assert 1 <= window.limit <= most
        clock.now += 60
        window._admit()
        assert window.in_flight >= 1
        await end(tasks)

    run(work())


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 5000), st.lists(st.tuples(st.floats(0, 3), st.integers(1, 50)), max_size=300))
def test_a_bucket_never_gives_more_than_its_cap_in_any_minute(per_minute: int, asks: list[tuple[float, int]]) -> None:
    now, taken = 0.0, []
    bucket = Bucket(per_minute, now)
    for pause_s, units in asks:
        units = min(units, max(1, per_minute // 30))
        now += max(pause_s, bucket.wait_s(units, now + pause_s) + pause_s)
        assert bucket.wait_s(units, now) == pytest.approx(0, abs=1e-6)
        bucket.take(units)
        taken.append((now, units))
    for start, _ in taken:
        assert sum(units for at, units in taken if start <= at < start + 60) <= per_minute + 1


@pytest.mark.parametrize("shares", [(5, 9), (9, 5)])
def test_of_several_who_share_it_the_smallest_number_holds(shares: tuple[int, int]) -> None:
    async def work() -> None:
        window = Window(shares[0])
        for most in shares:
            window.share(most)
        tasks = await filled(window)
        assert window.in_flight == 5
        await end(tasks)

    run(work())


def test_tokens_reserved_and_not_used_are_given_back() -> None:
    clock = Clock()
    window = Window(8, clock=clock)
    window.share(8, tokens_per_minute=5000)
    window.share(9, tokens_per_minute=3000)  # of two users the stricter

    async def work() -> None:
        await window.enter(tokens=100)
        waiting = asyncio.create_task(window.enter(tokens=100))
        await settle()
        assert window.in_flight == 1
        window.settle(100, 0)
        window.leave()
        await settle()
        assert window.in_flight == 1
        await waiting

    run(work())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", 12),
        ("1.5", 1.5),
        ("20ms", 0.02),
        ("6m0s", 360),
        ("1h2m3.5s", 3723.5),
        ("soon", None),
        ("", None),
        ("-3", None),
    ],
)
def test_seconds_in_the_forms_that_servers_use(text: str, expected: float | None) -> None:
    assert seconds_of(text) == (expected if expected is None else pytest.approx(expected))


def test_dates_and_times_since_the_epoch_are_seconds_from_now() -> None:
    moment = datetime.now(UTC) + timedelta(seconds=100)
    for text in (format_datetime(moment, usegmt=True), moment.isoformat(), str(int(moment.timestamp()))):
        assert seconds_of(text) == pytest.approx(100, abs=5)
    assert seconds_of("Wed, 21 Oct 2015 07:28:00 GMT") == 0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3),
        ({"retry-after-ms": "250", "retry-after": "3"}, 0.25),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2s"}, 2),
        ({"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "2s"}, None),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "3600"}, 60),
    ],
    ids=lambda value: str(value) if isinstance(value, int | float) else None,
)
def test_what_a_refusal_asks_to_wait(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after_s(headers) == expected


def test_an_allowance_that_is_used_up_is_rested_for() -> None:
    assert rest_s({"x-ratelimit-remaining-requests": "1", "x-ratelimit-reset-requests": "9s"}) == 0
    assert rest_s({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "9s"}) == 9
