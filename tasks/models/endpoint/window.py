"""How many requests an endpoint is sent at once: found out by asking, for the whole process (law 7).

It opens at `START` and doubles with each round trip, and each `RAMP_S` until the first refusal: servers refuse fast and
answer slowly. A refusal (429, 503, 529, no connection) cuts it to what the server holds at that moment; then it probes
upward once a second at most. Requests and tokens per minute are hard caps. A slot is held per request, and the oldest
row that waits gets the next one.
"""

from __future__ import annotations

import asyncio
import copy
import heapq
import random
import time
from collections.abc import Callable
from itertools import count

START = 64
RAMP_S = 0.1
PROBE_S = 1.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 5.0  # after refusals in a row; a server that is back is noticed this soon

Waiter = tuple[int, int, float, asyncio.Future[None]]


# Not aiolimiter: it lets the whole allowance go at once and refills meanwhile (119 of 60 in the first minute), takes no
# tokens back that were reserved and not used, and has each caller wait in its own turn, not the oldest row first.
class Bucket:
    """At most `per_minute` units in any minute: a thirtieth of them at once, the rest as time goes by."""

    def __init__(self, per_minute: float, now: float) -> None:
        self.per_minute = per_minute
        self.depth = max(1.0, per_minute / 30)
        self.per_s = max((per_minute - self.depth) / 60, 1 / 60)
        self._level, self._filled = self.depth, now

    def wait_s(self, units: float, now: float) -> float:
        """Seconds until this many may be taken. More than the bucket holds may be taken when it is full, on credit."""
        self._level = min(self.depth, self._level + (now - self._filled) * self.per_s)
        self._filled = now
        lacking = min(units, self.depth) - self._level
        return 0.0 if lacking <= 1e-9 else lacking / self.per_s

    def take(self, units: float) -> None:
        """Take units; negative: give back what was reserved and not used."""
        self._level = min(self.depth, self._level - units)


class Window:
    """The slots of one endpoint. Used from one event loop at a time.

    For each request: `enter`, then `accepted` or `refused` or neither (a fault that says nothing about the server's
    room), then always `leave`.
    """

    def __init__(self, most: int, *, start: int = START, clock: Callable[[], float] = time.monotonic) -> None:
        self.most, self.limit, self.in_flight, self.refusals = most, min(most, start), 0, 0
        self.answered = False
        self.refusing_since: float | None = None
        self.longest_pause_s = LONGEST_PAUSE_S
        self._clock = clock
        self._roomy = most  # up to here the server is not known to refuse: growth is fast
        self._cut_at = self._grown_at = -1.0
        self._step, self.in_a_row = 1, 0  # events, not refusals
        self._open_at = 0.0
        self._requests: Bucket | None = None
        self._tokens: Bucket | None = None
        self._waiting: list[Waiter] = []
        self._ticket = count()
        self._alarm: asyncio.TimerHandle | None = None
        self._ramp: asyncio.TimerHandle | None = None

    async def enter(self, order: int = 0, tokens: float = 0.0) -> float:
        """Wait for a slot; `order` is the age of the row, `tokens` what the request may cost. Returns the time."""
        if not self._waiting and self.in_flight < self.limit and self._may_go(tokens):
            self.in_flight += 1
            return self._clock()
        slot: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (order, next(self._ticket), tokens, slot))
        self._admit()
        if self._ramp is None and not self.refusals and self.limit < self.most:
            self._ramp = asyncio.get_running_loop().call_later(RAMP_S, self._grow)
        try:
            await slot
        except asyncio.CancelledError:
            if slot.done() and not slot.cancelled():
                self.leave()  # it had just been given to us
            raise
        return self._clock()

    def leave(self) -> None:
        """Give the slot back."""
        self.in_flight -= 1
        if self._waiting:
            self._admit()

    def accepted(self) -> None:
        """The server took the request of a slot."""
        self.answered, self.refusing_since, self.in_a_row = True, None, 0
        if not self._waiting or self.limit >= self.most:
            return
        if self.limit < self._roomy:
            self.limit += 1
        elif (now := self._clock()) - max(self._grown_at, self._cut_at) >= PROBE_S:
            self.limit = self._roomy = min(self.most, self.limit + self._step)
            self._step, self._grown_at = self._step * 2, now

    def refused(self, entered: float, wait_s: float | None = None, *, connected: bool = True) -> None:
        """The server had no room for the request that entered at `entered`; `wait_s`: how long it asks to be left alone.

        Refusals of requests that were under way together are one event. After a second event without an acceptance
        in between, and where there was no connection at all, nobody asks for a while.
        """
        now = self._clock()
        self.refusals += 1
        if self.refusing_since is None:
            self.refusing_since = now
        held = max(1, self.in_flight - 1)
        first_of_event = entered > self._cut_at
        if first_of_event:
            self.in_a_row += 1
            self._cut_at, self._step = now, 1
            if self.in_a_row > 1 or not connected:
                self._pause(now, self._next_pause_s())
        if connected:
            self._roomy = held
        elif first_of_event and self.in_a_row == 1:  # down or full, who knows: half of it is tried fast
            self._roomy = max(held, self.limit // 2)
        self.limit = min(self.limit, held)
        if wait_s:
            self._pause(now, wait_s)

    def rest(self, wait_s: float) -> None:
        """Send nothing for so many seconds: the server says that its allowance is used up."""
        self._pause(self._clock(), wait_s)

    def settle(self, reserved: float, used: float) -> None:
        """Give back the tokens that a request reserved and did not use."""
        if self._tokens is not None:
            self._tokens.take(used - reserved)

    @property
    def counts_tokens(self) -> bool:
        """Whether tokens are limited, so that `enter` has to be told how many."""
        return self._tokens is not None

    def share(self, most: int, requests_per_minute: int | None = None, tokens_per_minute: int | None = None) -> None:
        """Somebody wants no more than this of the endpoint: of several, the smallest number holds."""
        self.most = min(self.most, most)
        self.limit, self._roomy = min(self.limit, self.most), min(self._roomy, self.most)
        self._requests = self._stricter(self._requests, requests_per_minute)
        self._tokens = self._stricter(self._tokens, tokens_per_minute)

    def _stricter(self, bucket: Bucket | None, per_minute: int | None) -> Bucket | None:
        if per_minute is None or (bucket is not None and bucket.per_minute <= per_minute):
            return bucket
        return Bucket(per_minute, self._clock())

    def refusing_s(self) -> float:
        """For how many seconds the server has refused everything."""
        return 0.0 if self.refusing_since is None else self._clock() - self.refusing_since

    def _grow(self) -> None:
        """Nothing was refused for a while."""
        self._ramp = None
        if not self.refusals and self._waiting and self.limit < self.most:
            self.limit = min(self.most, self.limit * 2)
            self._admit()
            self._ramp = asyncio.get_running_loop().call_later(RAMP_S, self._grow)

    def fail(self, error: Exception) -> None:
        """Nobody can be answered: all who wait get a copy of this error, at once."""
        waiting, self._waiting = self._waiting, []
        for _, _, _, slot in waiting:
            if not slot.done():
                slot.set_exception(copy.copy(error))

    def _next_pause_s(self) -> float:
        pause_s = FIRST_PAUSE_S * 2.0 ** min(self.in_a_row - 1, 30)
        return min(self.longest_pause_s, pause_s) * random.uniform(0.5, 1)

    def _pause(self, now: float, wait_s: float) -> None:
        self._open_at = max(self._open_at, now + wait_s)

    def _admit(self) -> None:
        """Give free slots to the oldest that wait."""
        while self._waiting and self.in_flight < self.limit:
            tokens, slot = self._waiting[0][2:]
            if not slot.done() and not self._may_go(tokens):
                return
            heapq.heappop(self._waiting)
            if not slot.done():
                self.in_flight += 1
                slot.set_result(None)

    def _may_go(self, tokens: float) -> bool:
        """Whether a request may go now as far as time is concerned; if not, an alarm is set."""
        if self._open_at == 0.0 and self._requests is None and self._tokens is None:
            return True
        now = self._clock()
        wait_s = max(
            self._open_at - now,
            self._requests.wait_s(1, now) if self._requests else 0.0,
            self._tokens.wait_s(tokens, now) if self._tokens else 0.0,
        )
        if wait_s > 0:
            self._wake_in(wait_s)
            return False
        self._open_at = 0.0
        if self._requests:
            self._requests.take(1)
        if self._tokens:
            self._tokens.take(tokens)
        return True

    def _wake_in(self, wait_s: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_later(wait_s, self._admit)
