"""Several asks of one row at once, where one that comes to nothing does not end the others."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from tasks.errors import RowLoss

T = TypeVar("T")


async def together(asks: Iterable[Coroutine[Any, Any, T]]) -> list[T | RowLoss]:
    """The answers in the order of asking, with the error in the place of an ask that came to nothing.

    Any other error (a bug, a permanent error, an interruption) cancels the rest and is raised.
    """
    under_way = [asyncio.ensure_future(_answer(ask)) for ask in asks]
    try:
        return await asyncio.gather(*under_way)
    finally:
        for task in under_way:
            task.cancel()


async def _answer(ask: Coroutine[Any, Any, T]) -> T | RowLoss:
    try:
        return await ask
    except RowLoss as loss:
        return loss
