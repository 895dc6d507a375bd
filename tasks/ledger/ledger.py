"""The ledger: every completion ever paid for, keyed by its request. Nothing is paid for twice (law 2).

Lookups and inserts go in batches, each in a thread of its own: an answer reaches its row only once committed, and a
group of answers waits `GROUP_S` at most before its commit begins. SQLite (WAL) by default, PostgreSQL by URL. Where
the database is locked or its server gone, what is under way waits for it and tries again; nothing is committed twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import sqlalchemy as sa

from tasks.errors import ConfigError, Interrupted, LeftInBatch
from tasks.ledger.background import Background, failing, resolve
from tasks.ledger.batches.batches import Batches
from tasks.ledger.database import CHECK, completions, open_database, shown_url
from tasks.ledger.lease_statements import end
from tasks.ledger.leases import Hold, Lapsed, Leases
from tasks.ledger.statements import add, find
from tasks.ledger.stored import Unreadable, record_of, storable, stored_completion
from tasks.models.base import Completion, Model, Request
from tasks.models.batching import BatchApi, TakesBatches, batch_api_for
from tasks.storage.home import lease_s as usual_lease_s
from tasks.storage.home import ledger_wait_s

GROUP_S = 0.005
LOOKUP_KEYS = 1000


class RequestAccount(Protocol):
    """What the ledger needs to know of a run: whether it may still pay, and where to count."""

    def may_pay(self) -> bool:
        """Whether a request may still be made: asked, from any thread, where one would have to be."""

    def paid(self, completion: Completion, *, in_batch: bool = False) -> None:
        """Count a request made; `in_batch`: at the price of a batch."""

    def found(self, completion: Completion) -> None:
        """Count a request that was on record."""


@dataclass(slots=True)
class _Wanted:
    """A lookup. `may_pay`: whether what is not found is to be leased, where nobody else has a lease."""

    key: bytes
    may_pay: Callable[[], bool]
    done: asyncio.Future[Completion | Hold | None]


@dataclass(slots=True)
class _Entry:
    key: bytes
    model: str
    completion: Completion
    done: asyncio.Future[Completion]


class Ledger:
    """Completions on disk. Used from one asyncio loop; several processes may share the database."""

    def __init__(self, url: str, wait_s: float | None = None, lease_s: float | None = None) -> None:
        """Open or create the ledger. Raises ConfigError where that cannot be.

        `wait_s`: how long a locked database, or a server that has gone away, is waited for; `lease_s`: after how long
        another process may make the requests that are under way here, should this process stand still.
        """
        self.url = url
        wait_s = ledger_wait_s() if wait_s is None else wait_s
        lease_s = usual_lease_s() if lease_s is None else lease_s
        self._engine = open_database(url, wait_s)
        self._background = Background(self._engine, url, wait_s)
        self._leases = Leases(self._engine, self._background, lease_s)
        self._batches = Batches(self._background, self._leases)
        self._flights: dict[str, asyncio.Future[None] | None] = {}
        self._wanted: list[_Wanted] = []
        self._unwritten: list[_Entry] = []

    async def answer(
        self, key: str, model: Model, request: Request, account: RequestAccount, *, one_by_one: bool = False
    ) -> Completion:
        """The completion of this request: the one on record, or a new one, paid for and committed.

        It goes in a batch where its model says so, unless `one_by_one`.

        One flight per key: a second caller at the same moment waits for the first, and where another process pays for
        the request just now, for that. Raises Interrupted when the run may not pay any more, and whatever
        `model.complete` raises.
        """
        while key in self._flights:
            await asyncio.shield(self._landing(key))
        self._flights[key], raw = None, bytes.fromhex(key)
        try:
            while True:
                taken = await self._find(raw, account.may_pay)
                if isinstance(taken, Completion):
                    self._account(raw, taken, account)
                    return taken
                try:
                    batches = None if one_by_one else batch_api_for(model, request)
                    if batches is not None and taken is not None:
                        await self._go_in_batch(raw, taken, model, batches, request)
                        continue
                    if taken is None:
                        await self._wait(raw, model, request, account, one_by_one)
                        continue
                    return await self._pay(raw, taken, model, request, account)
                except Lapsed:
                    continue  # this process stood still: it looks again, as if it came now
        finally:
            landed = self._flights.pop(key)
            if landed is not None:
                landed.set_result(None)

    async def _wait(
        self, key: bytes, model: Model, request: Request, account: RequestAccount, one_by_one: bool
    ) -> None:
        """Wait for a request that another process pays for, or that is in a batch: it is to be looked up again then."""
        if not account.may_pay():
            raise Interrupted
        tag = await self._leases.wait(key, account.may_pay)
        if tag is not None and one_by_one:
            raise LeftInBatch(tag.hex())
        if tag is not None and isinstance(model, TakesBatches):
            await self._batches.wait_for(tag, key, model.batches(), request)

    async def _pay(self, key: bytes, hold: Hold, model: Model, request: Request, account: RequestAccount) -> Completion:
        """Make a request under its lease. Raises Lapsed where it has none any more."""
        answered = False
        try:
            if not account.may_pay():
                raise Interrupted
            paid = storable(await model.complete(hold.guarding(request)))
            account.paid(paid)
            stored = await self._store(key, model.identity, paid)
            answered = True
            return stored
        finally:
            self._leases.drop(key, hold, answered=answered)

    async def _go_in_batch(self, key: bytes, hold: Hold, model: Model, batches: BatchApi, request: Request) -> None:
        """Have a leased request answered in a batch, which takes the lease over."""
        try:
            await self._batches.ask(key, hold, model.identity, batches, request)
        finally:
            self._leases.drop(key, hold, answered=False)

    def _account(self, key: bytes, taken: Completion, account: RequestAccount) -> None:
        """Count an answer that is on record: as paid where it has just come out of a batch."""
        of_cache = self._batches.fetched.pop(key, None)
        if of_cache is not None:
            account.paid(replace(taken, cached_tokens=of_cache[0], cache_write_tokens=of_cache[1]), in_batch=True)
        else:
            account.found(taken)

    def leave_batches(self) -> None:
        """Have nobody wait for a batch any more: they are fetched by the next run. In the loop's thread."""
        self._batches.leave()

    async def find(self, key: str) -> Completion | None:
        """What is on record under a key; nothing is paid or counted."""
        found = await self._find(bytes.fromhex(key), _never)
        assert not isinstance(found, Hold), "nothing is leased that is only looked up"
        return found

    async def keep(self, key: str, model: Model, completion: Completion) -> None:
        """Put something on record that was not asked for; what stands under the key already stays."""
        await self._store(bytes.fromhex(key), model.identity, completion)

    def _landing(self, key: str) -> asyncio.Future[None]:
        """When the flight under way has ended, well or badly; made only where somebody waits for it."""
        landed = self._flights[key]
        if landed is None:
            landed = self._flights[key] = asyncio.get_running_loop().create_future()
        return landed

    async def close(self) -> None:
        """Write what is unwritten and let go of the database."""
        await self._batches.close()
        await self._leases.close()
        await self._background.close()
        self._engine.dispose()

    def count(self) -> int:
        """Completions on record."""
        with self._engine.connect() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(completions)).scalar_one()

    # Lookups: whatever is wanted while the reader is busy goes into its next batch.

    async def _find(self, key: bytes, may_pay: Callable[[], bool]) -> Completion | Hold | None:
        """What is on record under a key, or the lease on it, or None: there is neither."""
        wanted = _Wanted(key, may_pay, asyncio.get_running_loop().create_future())
        self._wanted.append(wanted)
        self._background.start("lookups", self._look_up_wanted)
        return await wanted.done

    async def _look_up_wanted(self) -> None:
        await asyncio.sleep(0)  # let every row that is ready ask first
        while batch := self._wanted[:LOOKUP_KEYS]:
            del self._wanted[: len(batch)]
            with failing([wanted.done for wanted in batch]):
                hold = self._leases.hold()
                found, leased = await self._background.reading(self._take, (batch, hold))
                for wanted in batch:
                    if wanted.key in leased:
                        self._leases.keep(wanted.key, hold)
                        if wanted.done.done():  # its row was cancelled meanwhile
                            self._leases.drop(wanted.key, hold, answered=False)
                    resolve(wanted.done, hold if wanted.key in leased else found.get(wanted.key))

    def _take(self, asked: tuple[Sequence[_Wanted], Hold]) -> tuple[dict[bytes, Completion], set[bytes]]:
        """Look up a batch, and lease what is not found and is to be leased: what was found, and what is leased now."""
        batch, hold = asked
        found = self._look_up([wanted.key for wanted in batch])
        missing = [wanted.key for wanted in batch if wanted.key not in found and wanted.may_pay()]
        if not missing:
            return found, set()
        with self._background.transaction() as connection:
            leased = self._leases.claim(connection, missing, hold)
            # whoever had a lease until now may have answered since the lookup: that was one commit
            answered = self._found(connection, sorted(leased))
            end(connection, sorted(answered))
        return found | answered, leased - answered.keys()

    def _look_up(self, keys: Sequence[bytes]) -> dict[bytes, Completion]:
        with self._engine.connect() as connection:
            return self._found(connection, keys)

    def _found(self, connection: sa.Connection, keys: Sequence[bytes]) -> dict[bytes, Completion]:
        rows = find(connection, keys)
        try:
            return {row[0]: stored_completion(row) for row in rows}
        except Unreadable as error:
            raise ConfigError("the ledger is damaged", f"{shown_url(self.url)}: {error}", CHECK) from error

    # Inserts: one group commit after the other.

    async def _store(self, key: bytes, model: str, completion: Completion) -> Completion:
        entry = _Entry(key, model, completion, asyncio.get_running_loop().create_future())
        self._unwritten.append(entry)
        self._background.start("inserts", self._write_unwritten)
        return await entry.done

    async def _write_unwritten(self) -> None:
        while self._unwritten:
            await asyncio.sleep(GROUP_S)
            batch, self._unwritten = self._unwritten, []
            with failing([entry.done for entry in batch]):
                first = await self._background.writing(self._write, batch)
                for entry in batch:
                    resolve(entry.done, first.get(entry.key, entry.completion))

    def _write(self, batch: Sequence[_Entry]) -> dict[bytes, Completion]:
        """Commit a group; the answers of another process that was first, where there were any."""
        in_order = sorted(batch, key=lambda entry: entry.key)  # so that two processes do not wait for each other
        with self._background.transaction() as connection:
            added = add(connection, [record_of(entry.key, entry.model, entry.completion) for entry in in_order])
            end(connection, [entry.key for entry in in_order])
        return {} if added == len(batch) else self._look_up([entry.key for entry in batch])


def _never() -> bool:
    return False
