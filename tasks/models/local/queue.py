"""The requests that wait for a local model, oldest first, and the one thread that serves them."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Condition, Thread, current_thread

from tasks.errors import PermanentError
from tasks.models.base import Completion, Request
from tasks.models.local.draft import Draft

BURST_S = 0.002  # after an idle time, how long the first request waits for those asked in the same breath
JOIN_S = 10.0  # how long to wait for the worker when closing; it ends after its present step


@dataclass(order=True, slots=True)
class Queued:
    """A request and who waits for its answer. Sorts by age: the row's order, then arrival."""

    age: tuple[int, int]
    request: Request = field(compare=False)
    future: asyncio.Future[Completion] = field(compare=False)
    draft: Draft | None = field(default=None, compare=False)
    admitted: bool = field(default=False, compare=False)
    abandoned: bool = field(default=False, compare=False)

    def answer(self, outcome: Completion | BaseException) -> None:
        """Resolve the caller's future, from any thread. A caller whose event loop is closed needs no answer."""
        with contextlib.suppress(RuntimeError):
            self.future.get_loop().call_soon_threadsafe(_resolve, self.future, outcome)


def _resolve(future: asyncio.Future[Completion], outcome: Completion | BaseException) -> None:
    if future.done():
        return
    if isinstance(outcome, BaseException):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


class Queue:
    """The requests that wait for a place in the batch, oldest first, and the thread that serves them."""

    def __init__(self, name: str, serve: Callable[[Queue], None]) -> None:
        self._name, self._serve = name, serve
        self._heap: list[Queued] = []
        self._changed = Condition()
        self._thread: Thread | None = None
        self._closed = False

    def put(self, asked: Queued) -> None:
        """Add a request; the first one starts the thread. Raises PermanentError once the model is closed."""
        with self._changed:
            if self._closed:
                raise self.closed_error()
            heapq.heappush(self._heap, asked)
            if self._thread is None:
                self._thread = Thread(target=self._serve, args=(self,), name=f"local model {self._name}", daemon=True)
                self._thread.start()
            self._changed.notify()

    def put_back(self, several: Iterable[Queued]) -> None:
        """Have requests wait again, at the place that their age gives them."""
        with self._changed:
            for asked in several:
                heapq.heappush(self._heap, asked)

    def __len__(self) -> int:
        return len(self._heap)

    def take(self, most: int) -> list[Queued]:
        """The oldest requests that someone still waits for, `most` at most."""
        taken: list[Queued] = []
        with self._changed:
            while self._heap and len(taken) < most:
                asked = heapq.heappop(self._heap)
                if not asked.abandoned:
                    taken.append(asked)
        return taken

    def open(self, idle: bool) -> bool:
        """Whether there is anything left to serve: False once closed. Waits for a request if the batch is `idle`."""
        with self._changed:
            waited = idle and not self._heap
            if idle:
                self._changed.wait_for(lambda: self._heap or self._closed)
        if waited and not self._closed:
            time.sleep(BURST_S)
        return not self._closed

    def leave(self) -> list[Queued]:
        """The worker's end: whoever still waits. The next request starts another worker."""
        with self._changed:
            left, self._heap, self._thread = self._heap, [], None
            return left

    def close(self) -> None:
        """Serve no more, and wait for the worker to end."""
        with self._changed:
            self._closed, thread = True, self._thread
            self._changed.notify()
        if thread is not None and thread is not current_thread():
            thread.join(JOIN_S)

    def closed_error(self) -> PermanentError:
        """What a request meets after the end."""
        return PermanentError("the local model has been closed", self._name, "open it again")


def may_begin(asked: Queued) -> bool:
    """Whether whoever pays for the request lets it begin; asked once, when there is room for it."""
    if not asked.admitted:
        try:
            asked.request.admit()
        except Exception as error:  # noqa: BLE001  # it is raised again where the caller waits
            asked.answer(error)
            return False
        asked.admitted = True
    return True
