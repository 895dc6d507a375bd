"""Many texts to be embedded go out in one call, each as a request of its own.

Whatever is ready at the same moment is sent together. A call that is refused is halved until the text that is at fault
stands alone, so that no row suffers from what another one asked.
"""

from __future__ import annotations

import asyncio
import copy
import heapq
import re
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from itertools import count
from typing import Any

from tasks.errors import Interrupted, RequestRefused
from tasks.models.base import Completion, Request

MAY_BE_ONE_TEXT = frozenset({"bad_request", "context_too_long", "forbidden", "bad_answer", "timeout"})

TOO_MANY = re.compile(r"batch[_ ]size|too many inputs|inputs? (?:array|list)", re.IGNORECASE)

EmbeddingWaiter = tuple[Request, asyncio.Future[Completion]]


class Gathering:
    """Forms calls of at most `most` texts, the oldest first; `room` says how many calls may be under way."""

    def __init__(
        self,
        most: int,
        room: Callable[[], int],
        send: Callable[[Sequence[Request]], Coroutine[Any, Any, list[Completion]]],
    ) -> None:
        self._most, self._room, self._send = most, room, send
        self._waiting: list[tuple[int, int, Request, asyncio.Future[Completion]]] = []
        self._calls: set[asyncio.Future[list[Completion]]] = set()
        self._ticket = count()

    async def ask(self, request: Request) -> Completion:
        """The embedding of `request.embed`. Raises what the endpoint raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Completion] = loop.create_future()
        heapq.heappush(self._waiting, (request.order, next(self._ticket), request, future))
        if len(self._waiting) == 1:
            loop.call_soon(self._begin)  # let every row that is ready ask first
        return await future

    async def close(self) -> None:
        """End the calls under way, and the waiting."""
        for *_, future in self._waiting:
            future.cancel()
        self._waiting.clear()
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    def _begin(self) -> None:
        while self._waiting and len(self._calls) < max(1, self._room()):
            oldest = [heapq.heappop(self._waiting)[2:] for _ in range(min(self._most, len(self._waiting)))]
            if batch := [asked for asked in oldest if _admitted(asked)]:
                self._start(batch)

    def _start(self, batch: Sequence[EmbeddingWaiter]) -> None:
        call = asyncio.get_running_loop().create_task(self._send([request for request, _ in batch]))
        self._calls.add(call)
        call.add_done_callback(partial(self._ended, batch))

    def _ended(self, batch: Sequence[EmbeddingWaiter], call: asyncio.Future[list[Completion]]) -> None:
        self._calls.discard(call)
        error = asyncio.CancelledError() if call.cancelled() else call.exception()
        if error is None:
            for (_, future), completion in zip(batch, call.result(), strict=True):
                if not future.done():
                    future.set_result(completion)
        elif isinstance(error, RequestRefused) and error.reason in MAY_BE_ONE_TEXT and len(batch) > 1:
            if TOO_MANY.search(error.detail):
                self._most = len(batch) // 2
            self._start(batch[: len(batch) // 2])
            self._start(batch[len(batch) // 2 :])
        else:
            for _, future in batch:
                _fail(future, error)
        self._begin()


def _admitted(asked: EmbeddingWaiter) -> bool:
    """Whether a text goes into a call: somebody still waits for it, and the run may pay."""
    request, future = asked
    if future.done():
        return False
    try:
        request.admit()
    except Interrupted as stop:
        future.set_exception(stop)
        return False
    return True


def _fail(future: asyncio.Future[Completion], error: BaseException) -> None:
    if isinstance(error, asyncio.CancelledError):
        future.cancel()
    elif not future.done():
        future.set_exception(copy.copy(error))


def texts_of(requests: Sequence[Request]) -> list[str]:
    """What is to be embedded."""
    return [request.embed or "" for request in requests]
