"""Leases: which requests are under way, told in the ledger, so that two processes do not pay for the same one.

A request that is to be made is leased with the lookup that did not find its answer. The commit of the answer ends the
lease, a failure gives it up, and while its process lives it is renewed. Another process that needs the answer polls, in
batches, until the lease is gone: then it takes the answer from the ledger, or the lease, and asks. A lease of a process
that stands still runs out; when that process goes on, it begins nothing under it (`Lapsed`), and of two answers the
first one committed is used.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

import sqlalchemy as sa

from tasks.errors import ConfigError, Interrupted
from tasks.ledger import lease_statements as statements
from tasks.ledger.background import Background, failing, resolve
from tasks.ledger.owner import batch_in, has_ended, new_owner, shown_owner
from tasks.models.base import Request
from tasks.notices import tell

RENEWALS = 4  # in the time of a lease: three may come late
POLL_S = 0.2
# it counts while the machine sleeps, as the database's clock does
BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Lapsed(Interrupted):
    """The request must not begin now: its lease has run out, and another process may have taken it over."""


@dataclass(slots=True, eq=False)
class Hold:
    """The leases under one name, `keys`. Until `until_s`, on the clock `BOOT_CLOCK`, they are nobody else's."""

    owner: str
    until_s: float
    keys: set[bytes] = field(default_factory=set)
    swept: bool = False
    _lapsed: bool = False

    def has_lapsed(self) -> bool:
        """Whether they have ever run out."""
        if not self._lapsed and self.keys and time.clock_gettime(BOOT_CLOCK) > self.until_s:
            self._lapsed = True
        return self._lapsed

    def guarding(self, request: Request) -> Request:
        """The request, which does not begin once its lease has run out."""
        return replace(request, admit=partial(self._admit, request.admit))

    def _admit(self, admit: Callable[[], None]) -> None:
        if self.has_lapsed():
            raise Lapsed
        admit()


Waiter = tuple[bytes, Callable[[], bool], asyncio.Future[bytes | None]]


class Leases:
    """The leases of one ledger: those that it holds, and those of others that it waits for."""

    def __init__(self, engine: sa.Engine, background: Background, lease_s: float) -> None:
        self._engine, self._background, self._lease_s = engine, background, lease_s
        self._hold: Hold | None = None
        self._released: list[tuple[bytes, str]] = []
        self._waiters: list[Waiter] = []
        self._over = asyncio.Event()
        self._told = False

    def hold(self) -> Hold:
        """What new leases go under. In the loop's thread, before `claim`."""
        if self._hold is None or self._hold.has_lapsed():
            self._hold = Hold(new_owner(), 0.0)
        if not self._hold.keys:
            self._hold.until_s = time.clock_gettime(BOOT_CLOCK) + self._lease_s
        return self._hold

    def claim(self, connection: sa.Connection, keys: Sequence[bytes], hold: Hold) -> set[bytes]:
        """Lease the requests that nobody else has a lease on: which they are. Within a transaction."""
        if not hold.swept:
            statements.sweep(connection)
            hold.swept = True
        return statements.claim(connection, sorted(keys), hold.owner, self._lease_ms)

    def keep(self, key: bytes, hold: Hold) -> None:
        """Renew a lease until it is dropped."""
        hold.keys.add(key)
        self._background.start("renewals", self._renew)

    def drop(self, key: bytes, hold: Hold, *, answered: bool) -> None:
        """A request has ended; where it was not answered, its lease is given up."""
        hold.keys.discard(key)
        if not answered:
            self._released.append((key, hold.owner))
            self._background.start("releases", self._release)

    async def wait(self, key: bytes, may_pay: Callable[[], bool]) -> bytes | None:
        """Wait until nobody has a lease on this request any more, or the run may not pay any more.

        Where a batch has it, its tag, at once.
        """
        gone: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._waiters.append((key, may_pay, gone))
        self._background.start("waiting", self._poll)
        return await gone

    async def close(self) -> None:
        """Renew nothing any more, and give up what is held."""
        self._over.set()
        if self._hold is not None:
            for key in tuple(self._hold.keys):
                self.drop(key, self._hold, answered=False)

    @property
    def _lease_ms(self) -> int:
        return int(1000 * self._lease_s)

    # In the background. What the database refuses is not told: the next lookup or insert meets the same database, and the
    # leases run out.

    async def _renew(self) -> None:
        while await self._pause(self._lease_s / RENEWALS):
            hold = self._hold
            if hold is None or hold.has_lapsed() or not hold.keys:
                return
            renewed_s = time.clock_gettime(BOOT_CLOCK)
            with suppress(ConfigError):
                await self._background.writing(self._renew_all, hold.owner)
                hold.until_s = renewed_s + self._lease_s

    async def _pause(self, seconds: float) -> bool:
        """Wait; whether the ledger is still open then."""
        try:
            await asyncio.wait_for(self._over.wait(), seconds)
        except TimeoutError:
            return True
        return False

    def _renew_all(self, owner: str) -> None:
        with self._background.transaction() as connection:
            statements.renew(connection, owner, self._lease_ms)

    async def _release(self) -> None:
        await asyncio.sleep(0)  # let every row that has failed in this moment come first
        while self._released:
            batch, self._released = self._released, []
            with suppress(ConfigError):
                await self._background.writing(self._release_all, batch)

    def _release_all(self, batch: Sequence[tuple[bytes, str]]) -> None:
        with self._background.transaction() as connection:
            for owner in {owner for _, owner in batch}:
                statements.release(connection, sorted(key for key, whose in batch if whose == owner), owner)

    async def _poll(self) -> None:
        while self._waiters:
            await self._pause(POLL_S)
            waiters = [waiter for waiter in self._waiters if not waiter[2].done()]
            self._waiters = []
            with failing([gone for _, _, gone in waiters]):
                owners = await self._background.reading(self._held, [key for key, _, _ in waiters])
                self._tell(owners)
                for key, may_pay, gone in waiters:
                    if (tag := batch_in(owners.get(key, ""))) is not None:
                        resolve(gone, tag)
                    elif key in owners and may_pay() and not self._over.is_set():
                        self._waiters.append((key, may_pay, gone))
                    else:
                        resolve(gone, None)

    def _held(self, keys: Sequence[bytes]) -> dict[bytes, str]:
        """Whose leases there are on these requests; those of a process that has ended are taken away."""
        with self._engine.connect() as connection:
            owners = dict(statements.held(connection, keys))
        ended = {owner for owner in set(owners.values()) if has_ended(owner)}
        if ended:
            with self._background.transaction() as connection:
                for owner in ended:
                    statements.forget(connection, owner)
        return {key: owner for key, owner in owners.items() if owner not in ended}

    def _tell(self, owners: dict[bytes, str]) -> None:
        if self._told or not owners:
            return
        processes = {owner for owner in owners.values() if batch_in(owner) is None}
        others = sorted({shown_owner(owner) for owner in processes} - {shown_owner(new_owner())})
        if others:
            self._told = True
            tell(f"requests are under way in {', '.join(others)}: their answers are waited for, not paid for again")
