"""Requests that wait for the next batch: gathered until none comes any more, or a batch is full."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from tasks.ledger.leases import Hold
from tasks.models.base import Request
from tasks.models.batching import BatchApi

NO_TAG = "0" * 32
MARKS_BYTES = 160  # by which a line may be longer when it is sent, with marks for the provider's cache


@dataclass(slots=True, eq=False)
class WaitingLine:
    """A request that is to go in a batch, or is in one. `landed`: when it is known what came of it, which is looked up.

    `hold`: the lease under which it was gathered; None where a batch has it already.
    """

    key: bytes
    request: Request
    landed: asyncio.Future[None]
    hold: Hold | None = None
    size: int = 0

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for it."""
        return not self.landed.done()


@dataclass(slots=True)
class Gathered:
    """The requests that wait for the next batch of one model, to one path."""

    api: BatchApi
    lines: list[WaitingLine] = field(default_factory=list)
    _size: int = 0
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, line: WaitingLine) -> None:
        """Add a request to those that wait for a batch."""
        line.size = len(self.api.line(line.key.hex(), NO_TAG, line.request)) + 1 + MARKS_BYTES
        self.lines.append(line)
        self._size += line.size
        self._more.set()

    def hurry(self) -> None:
        """Have `settle` look again."""
        self._more.set()

    async def settle(self) -> None:
        """Wait until a batch is full, or nothing has been added for a while."""
        while len(self.lines) < self.api.most_lines and self._size < self.api.most_bytes:
            self._more.clear()
            try:
                await asyncio.wait_for(self._more.wait(), self.api.mode.gather_s)
            except TimeoutError:
                return
            if not any(line.is_wanted for line in self.lines):
                return

    def take(self) -> list[WaitingLine]:
        """Take as many requests as one batch holds, the oldest first. A line that is too long for any batch is taken alone."""
        taken: list[WaitingLine] = []
        size = count = 0
        for line in self.lines:
            if count == self.api.most_lines or (taken and size + line.size > self.api.most_bytes):
                break
            count, size = count + 1, size + line.size
            taken.append(line)
        self.lines = self.lines[len(taken) :]
        self._size -= size
        return [line for line in taken if line.is_wanted]
