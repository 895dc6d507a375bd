"""The admission: rows are admitted for the whole process, oldest shard first, a few windows' worth at a time (law 7)."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count

WINDOWS_BEGUN = 4


class Admission:
    """At most `capacity` rows begun at once. Of those that wait, the one of the oldest shard goes first."""

    def __init__(self, capacity: int = 0) -> None:
        self.capacity, self.begun = capacity, 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._ticket = count()

    def widen(self, max_in_flight: int) -> None:
        """Make room for a model that takes this many requests at once."""
        self.hold_rows(WINDOWS_BEGUN * max_in_flight)

    def hold_rows(self, rows: int) -> None:
        """Have room for so many rows at least: those of a whole batch wait together."""
        self.capacity = max(self.capacity, rows)
        while self._waiting and self.begun < self.capacity:
            self.begun += 1
            self.leave()

    async def enter(self, order: int) -> None:
        """Wait for a place; `order` is the age of the shard, smaller is older."""
        if self.begun < self.capacity and not self._waiting:
            self.begun += 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (order, next(self._ticket), place))
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave()  # it had just been given to us
            raise

    def leave(self) -> None:
        """Give a place back, or on to the oldest that waits."""
        while self._waiting:
            place = heapq.heappop(self._waiting)[2]
            if not place.done():
                place.set_result(None)
                return
        self.begun -= 1
