"""One timer for all exchanges with a server: each may take as long, so the one that began first is overdue first.

A timer for each, as aiohttp and asyncio set them, would be a twentieth of what a request costs.
"""

from __future__ import annotations

import asyncio
from typing import Any


class Deadlines:
    """Cancels tasks that are overdue. For each: `begin`, then always `end`; one CancelledError between may be ours.

    task = deadlines.begin()
    try: ...
    except asyncio.CancelledError:
        if not deadlines.passed(task): raise
        ...  # it took too long
    finally: deadlines.end(task)
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: dict[asyncio.Task[Any], float] = {}  # the oldest first
        self._overdue: set[asyncio.Task[Any]] = set()
        self._alarm: asyncio.TimerHandle | None = None

    def begin(self) -> asyncio.Task[Any]:
        """The clock of the current task starts."""
        task = asyncio.current_task()
        assert task is not None
        loop = task.get_loop()
        self._ends[task] = loop.time() + self._seconds
        if self._alarm is None:
            self._alarm = loop.call_later(self._seconds, self._ring)
        return task

    def passed(self, task: asyncio.Task[Any]) -> bool:
        """Whether the task was cancelled because it is overdue, and by nobody else."""
        return task in self._overdue and task.uncancel() == 0

    def end(self, task: asyncio.Task[Any]) -> None:
        """The clock stops."""
        self._ends.pop(task, None)
        self._overdue.discard(task)

    def close(self) -> None:
        """Ring no more."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _ring(self) -> None:
        self._alarm = None
        loop = asyncio.get_running_loop()
        while self._ends:
            task, end = next(iter(self._ends.items()))
            if end > loop.time():
                self._alarm = loop.call_at(end, self._ring)
                return
            del self._ends[task]
            self._overdue.add(task)
            task.cancel()
