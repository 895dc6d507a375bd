import asyncio

import pytest

from tasks.engine.gather import gather_all, gather_with_losses
from tasks.errors import Filtered, Interrupted, PermanentError, RowLoss, Unusable


async def after(seconds: float, outcome: str | Exception, ended: list[str] | None = None) -> str:
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        (ended if ended is not None else []).append("cancelled")
        raise
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def test_answers_come_in_the_order_of_asking() -> None:
    assert asyncio.run(gather_all([after(0.02, "a"), after(0, "b")])) == ["a", "b"]
    assert asyncio.run(gather_all([])) == []


def test_a_loss_stands_in_its_place_and_the_others_answer() -> None:
    lost, dropped = Unusable("empty"), Filtered("tie")
    answers = asyncio.run(gather_with_losses([after(0.01, "a"), after(0, lost), after(0.02, "b"), after(0, dropped)]))
    assert answers == ["a", lost, "b", dropped]
    assert sum(isinstance(answer, RowLoss) for answer in answers) == 2


@pytest.mark.parametrize("error", [PermanentError("no key"), RuntimeError("a bug")], ids=["permanent", "a bug"])
def test_any_other_error_cancels_the_rest(error: Exception) -> None:
    ended: list[str] = []

    async def main() -> None:
        with pytest.raises(type(error)):
            await gather_with_losses([after(60, "late", ended), after(0, error), after(60, "late", ended)])
        await asyncio.sleep(0)

    asyncio.run(main())
    assert ended == ["cancelled", "cancelled"]


def test_an_interruption_waits_for_what_is_in_flight() -> None:
    ended: list[str] = []

    async def finished() -> str:
        await after(0.02, "paid for", ended)
        ended.append("finished")
        return "paid for"

    with pytest.raises(Interrupted):
        asyncio.run(gather_all([after(0, Interrupted()), finished(), after(0.01, Interrupted())]))
    assert ended == ["finished"]
