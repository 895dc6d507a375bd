"""One timer for many exchanges: who is overdue is told so, and nobody else."""

from __future__ import annotations

import asyncio

import pytest

from tasks.models.endpoint.deadlines import Deadlines


async def waits(deadlines: Deadlines, seconds: float) -> str:
    task = deadlines.begin()
    try:
        await asyncio.sleep(seconds)
        return "done"
    except asyncio.CancelledError:
        if not deadlines.passed(task):
            raise
        return "overdue"
    finally:
        deadlines.end(task)


def test_what_takes_too_long_is_cut_off_and_what_does_not_is_not() -> None:
    async def work() -> list[str]:
        deadlines = Deadlines(0.2)
        first = asyncio.gather(waits(deadlines, 5), waits(deadlines, 0))
        await asyncio.sleep(0.1)
        later = asyncio.gather(waits(deadlines, 5), waits(deadlines, 0))
        return [*await first, *await later]

    assert asyncio.run(work()) == ["overdue", "done", "overdue", "done"]


def test_a_task_that_was_cut_off_goes_on_and_may_be_cut_off_again() -> None:
    async def work() -> list[str]:
        deadlines = Deadlines(0.05)
        return [await waits(deadlines, 5), await waits(deadlines, 0), await waits(deadlines, 5)]

    assert asyncio.run(work()) == ["overdue", "done", "overdue"]


def test_a_task_that_somebody_else_cancels_is_cancelled_even_when_it_is_overdue_too() -> None:
    async def work() -> None:
        deadlines = Deadlines(0.05)
        task = asyncio.create_task(waits(deadlines, 5))
        await asyncio.sleep(0)
        assert deadlines._alarm is not None
        asyncio.get_running_loop().call_at(deadlines._alarm.when(), task.cancel)  # in the same turn of the loop
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(work())


def test_there_is_one_timer_whatever_the_number_of_exchanges() -> None:
    async def work() -> int:
        deadlines = Deadlines(60)
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(waits(deadlines, 0) for _ in range(100)))
        timers = len(loop._scheduled)  # type: ignore[attr-defined]
        deadlines.close()
        return timers

    assert asyncio.run(work()) == 1
