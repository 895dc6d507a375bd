"""Several asks of one row at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from tasks.engine.row import Row
from tasks.errors import Interrupted, RowLoss, Unusable

T = TypeVar("T")


async def gather_all(asks: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The answers in the order of asking. An error cancels the rest and is raised.

    An interruption is raised once the rest has ended: what is in flight is paid for, and belongs in the ledger.
    """
    under_way = [asyncio.ensure_future(ask) for ask in asks]
    try:
        return await asyncio.gather(*under_way)
    except Interrupted:
        await asyncio.gather(*under_way, return_exceptions=True)
        raise
    finally:
        for task in under_way:
            task.cancel()


async def gather_with_losses(asks: Iterable[Coroutine[Any, Any, T]]) -> list[T | RowLoss]:
    """The answers in the order of asking, with the loss in the place of an ask that came to nothing.

    Any other error (a bug, a permanent error, an interruption) cancels the rest and is raised.
    """
    return await gather_all([_answer(ask) for ask in asks])


def answers_in(row: Row, said: Sequence[T | RowLoss]) -> list[T]:
    """What those of several judges say that answered; the others are losses of the row. Raises Unusable (no_rating) where none did."""
    losses = [one for one in said if isinstance(one, RowLoss)]
    if len(losses) == len(said):
        raise Unusable("no_rating", "; ".join(map(str, losses)), raw=losses[-1].raw, attempts=losses[-1].attempts)
    for loss in losses:
        row.lose(loss)
    return [one for one in said if not isinstance(one, RowLoss)]


async def _answer(ask: Coroutine[Any, Any, T]) -> T | RowLoss:
    try:
        return await ask
    except RowLoss as loss:
        return loss
