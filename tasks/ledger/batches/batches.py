"""The batches of one ledger: requests are gathered, written down with their leases, submitted and followed.

Whoever waits here is told when to look into the ledger again; an answer reaches its row from there, as any other.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from copy import copy

from tasks.errors import ConfigError, LeftInBatch
from tasks.ledger.background import Background, resolve
from tasks.ledger.batches import records
from tasks.ledger.batches.following import Follower
from tasks.ledger.batches.gathered import Gathered, WaitingLine
from tasks.ledger.batches.kept_request import request_as_json
from tasks.ledger.batches.records import BatchRecord
from tasks.ledger.leases import Hold, Lapsed, Leases
from tasks.models.base import Request, Reshaped
from tasks.models.batching import BatchApi
from tasks.storage.digest import digest

TAKEN_POLL_S = 1.0  # how often to look whether another process has ended with a batch

_Place = tuple[str, str]
"""A model's identity, and the path of its requests."""


class Batches:
    """Used from the ledger's loop. `fetched`: answers from batches that are in no account yet, with
    their tokens that the provider had in its cache, and wrote there."""

    def __init__(self, background: Background, leases: Leases) -> None:
        self._background, self._leases = background, leases
        self._gathered: dict[_Place, Gathered] = {}
        self._gatherers: dict[_Place, asyncio.Task[None]] = {}
        self._followed: dict[bytes, asyncio.Task[None]] = {}
        self._waiting: defaultdict[bytes, dict[bytes, WaitingLine]] = defaultdict(dict)
        self._tries: Counter[bytes] = Counter()
        self._woken = asyncio.Event()
        self.fetched: dict[bytes, tuple[int, int]] = {}

    async def ask(self, key: bytes, hold: Hold, model: str, api: BatchApi, request: Request) -> None:
        """Have a request, which is leased, go in the next batch; returns once its answer is to be looked up.

        Raises what a request ends in that is sent by itself, and LeftInBatch where it is not waited for.
        """
        await api.prepare(request)
        line = WaitingLine(key, request, asyncio.get_running_loop().create_future(), hold)
        place = (model, api.path(request))
        if place not in self._gatherers:
            await self._follow_all(model, api)
        if place not in self._gatherers:
            self._gathered[place] = Gathered(api)
            self._gatherers[place] = asyncio.create_task(self._gather(place))
        self._gathered[place].add(line)
        await self._landing(line)

    async def wait_for(self, tag: bytes, key: bytes, api: BatchApi, request: Request) -> None:
        """Wait for the answer of a request that is already in a batch, whichever process has submitted it."""
        line = WaitingLine(key, request, asyncio.get_running_loop().create_future())
        self._waiting[tag][key] = line
        self._follow(tag, api)
        await self._landing(line)

    def leave(self) -> None:
        """Have nobody wait any more: what is not submitted is not, and the rest stays in its batches."""
        lines = [line for gathered in self._gathered.values() for line in gathered.lines]
        lines += [line for waiting in self._waiting.values() for line in waiting.values()]
        for line in lines:
            if line.is_wanted:
                line.landed.set_exception(LeftInBatch("left"))
        for gathered in self._gathered.values():
            gathered.hurry()
        self._woken.set()
        self._woken = asyncio.Event()

    async def close(self) -> None:
        """Leave everything as it is; a submission under way is let finish."""
        self.leave()
        while tasks := [*self._gatherers.values(), *self._followed.values()]:
            await asyncio.wait(tasks)

    async def _landing(self, line: WaitingLine) -> None:
        try:
            await line.landed
        except LeftInBatch as left:
            raise copy(left) from None

    # Submission.

    async def _gather(self, place: _Place) -> None:
        gathered = self._gathered[place]
        try:
            while gathered.lines:
                await gathered.settle()
                if lines := self._admitted(gathered.api, gathered.take()):
                    await self._submit(place, gathered.api, lines)
        except Exception as error:  # noqa: BLE001 - handed to everybody who waits
            for line in gathered.lines:
                _fail(line, error)
        finally:
            del self._gathered[place], self._gatherers[place]

    def _admitted(self, api: BatchApi, lines: Sequence[WaitingLine]) -> list[WaitingLine]:
        """Those that may be paid for; the others are told why not."""
        admitted = []
        for line in lines:
            try:
                if line.hold is None or line.hold.has_lapsed():
                    raise Lapsed
                if not api.fits(line.request):
                    raise Reshaped  # learnt while it waited: it would be sent under the key of another request
                line.request.admit()
            except Exception as error:  # noqa: BLE001 - the budget, a stop, a run that has failed: the row's to know
                _fail(line, error)
            else:
                admitted.append(line)
        return admitted

    async def _submit(self, place: _Place, api: BatchApi, lines: Sequence[WaitingLine]) -> None:
        """Write a batch down, then have it created and followed."""
        tag = bytes.fromhex(digest(secrets.token_hex(16), *(line.key.hex() for line in lines)))
        record = BatchRecord(tag, place[0], api.address, place[1], len(lines))
        try:
            noted, taken, hold = await self._background.writing(self._prepare, (record, lines, self._leases.hold()))
        except ConfigError as error:
            for line in lines:
                _fail(line, error)
            return
        self._leases.keep(tag, hold)
        for line in lines:
            if line.key not in taken:
                _fail(line, Lapsed())
        ours = [line for line in lines if line.key in taken]
        if not ours:
            self._leases.drop(tag, hold, answered=False)
            return
        self._waiting[tag].update({line.key: line for line in ours})
        sent = [api.line(line.key.hex(), tag.hex(), line.request) for line in ours]
        self._followed[tag] = asyncio.create_task(self._follow_until_done(noted, api, hold, sent))

    def _prepare(self, asked: tuple[BatchRecord, Sequence[WaitingLine], Hold]) -> tuple[BatchRecord, set[bytes], Hold]:
        record, lines, hold = asked
        requests = {line.key: request_as_json(line.request) for line in lines}
        owners = sorted({line.hold.owner for line in lines if line.hold is not None})
        with self._background.transaction() as connection:
            records.make_tables(connection)
            taken = records.prepare(connection, record, requests, owners)
            self._leases.claim(connection, [record.tag], hold)
            return records.find_record(connection, record.tag) or record, taken, hold

    # Following.

    async def _follow_all(self, model: str, api: BatchApi) -> None:
        """Follow all batches of a model that are under way, whoever has submitted them."""
        for record in await self._background.reading(self._records_of, model):
            self._follow(record.tag, api)

    def _records_of(self, model: str) -> list[BatchRecord]:
        with self._background.looking() as connection:
            return records.records_of(connection, model)

    def _follow(self, tag: bytes, api: BatchApi) -> None:
        if tag not in self._followed:
            self._followed[tag] = asyncio.create_task(self._take_up(tag, api))

    async def _take_up(self, tag: bytes, api: BatchApi) -> None:
        """Follow a batch that is written down, once no other process does."""
        try:
            while (found := await self._background.writing(self._claimed, (tag, self._leases.hold()))) is not None:
                record, hold = found
                if hold is not None:
                    self._leases.keep(tag, hold)
                    await self._follow_one(record, api, hold)
                    return
                if not self._is_waited_for(tag, api):
                    self._end(tag, LeftInBatch(record.batch))
                    return
                await self._sleep(min(TAKEN_POLL_S, api.mode.poll_s))
        except Exception as error:  # noqa: BLE001 - handed to everybody who waits
            self._end(tag, error)
        finally:
            self._end(tag, None)
            del self._followed[tag]

    def _claimed(self, asked: tuple[bytes, Hold]) -> tuple[BatchRecord, Hold | None] | None:
        """A batch that is written down, with the lease on it, where nobody else has it; None where it is over."""
        tag, hold = asked
        with self._background.transaction() as connection:
            if not records.are_there(connection) or (record := records.find_record(connection, tag)) is None:
                return None
            return record, hold if self._leases.claim(connection, [tag], hold) else None

    async def _follow_until_done(self, record: BatchRecord, api: BatchApi, hold: Hold, lines: Sequence[bytes]) -> None:
        try:
            await self._follow_one(record, api, hold, lines)
        except Exception as error:  # noqa: BLE001 - handed to everybody who waits
            self._end(record.tag, error)
        finally:
            self._end(record.tag, None)
            del self._followed[record.tag]

    async def _follow_one(
        self, record: BatchRecord, api: BatchApi, hold: Hold, lines: Sequence[bytes] | None = None
    ) -> None:
        tag = record.tag
        waiting = self._waiting[tag]
        follower = Follower(record, api, self._background, waiting, self.fetched, self._tries, self._sleep)
        try:
            await follower.follow(lines)
        finally:
            self._leases.drop(tag, hold, answered=False)

    def _is_waited_for(self, tag: bytes, api: BatchApi) -> bool:
        return api.mode.wait and any(line.is_wanted for line in self._waiting[tag].values())

    def _end(self, tag: bytes, error: Exception | None) -> None:
        """Tell all who still wait for a batch that it failed, or that they are to look again."""
        for line in self._waiting.pop(tag, {}).values():
            if error is None:
                resolve(line.landed, None)
            else:
                _fail(line, error)

    async def _sleep(self, seconds: float) -> None:
        """Wait; a stop ends it."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), seconds)


def _fail(line: WaitingLine, error: Exception) -> None:
    if line.is_wanted:
        line.landed.set_exception(copy(error))
