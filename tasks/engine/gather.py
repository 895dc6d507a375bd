"""Several asks of one row at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from tasks.errors import Interrupted, RowLoss

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


async def _answer(ask: Coroutine[Any, Any, T]) -> T | RowLoss:
    try:
        return await ask
    except RowLoss as loss:
        return loss
