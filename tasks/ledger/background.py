"""Work of a ledger that goes on beside its callers: a task of each name at a time, and database calls in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Lock
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from tasks.ledger.database import gone, is_file, locked, pauses, unusable

T = TypeVar("T")
A = TypeVar("A")


class Background:
    """The tasks and the threads of one ledger, in one asyncio loop.

    `wait_s`: how long a locked database, or a server that has gone away, is waited for.
    """

    def __init__(self, engine: sa.Engine, url: str, wait_s: float) -> None:
        self._engine, self._url, self._wait_s = engine, url, wait_s
        # SQLite lets one write at a time, and the other would sleep until it tries again
        self._one_write: AbstractContextManager[Any] = Lock() if is_file(url) else nullcontext()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._reader = ThreadPoolExecutor(1, "ledger-read")
        self._writer = ThreadPoolExecutor(1, "ledger-write")

    def start(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Begin the work of this name, unless it is under way."""
        if name not in self._tasks:
            self._tasks[name] = asyncio.get_running_loop().create_task(self._until_done(name, work))

    async def _until_done(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        finally:  # in the same step as the last look at the queue: what comes next starts anew
            del self._tasks[name]

    async def reading(self, work: Callable[[A], T], argument: A) -> T:
        """Call in the thread of the lookups. Raises ConfigError where the database cannot be used."""
        return await self._in_thread(self._reader, work, argument)

    async def writing(self, work: Callable[[A], T], argument: A) -> T:
        """Call in the thread of the inserts. Raises ConfigError where the database cannot be used."""
        return await self._in_thread(self._writer, work, argument)

    async def _in_thread(self, pool: ThreadPoolExecutor, work: Callable[[A], T], argument: A) -> T:
        tries = pauses(self._wait_s)
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(pool, work, argument)
            except DBAPIError as error:
                pause = next(tries, None) if locked(error) or gone(error) else None
                if pause is None:
                    raise unusable(self._url, error) from error
            await asyncio.sleep(pause)

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """A transaction that writes, from any of the threads."""
        with self._one_write, self._engine.begin() as connection:
            yield connection

    def looking(self) -> AbstractContextManager[sa.Connection]:
        """A connection that reads, from any of the threads."""
        return self._engine.connect()

    async def close(self) -> None:
        """Wait for all work, and give the threads back."""
        while self._tasks:
            await asyncio.gather(*self._tasks.values())
        self._reader.shutdown()
        self._writer.shutdown()


@contextmanager
def failing(waiting: Sequence[asyncio.Future[Any]]) -> Iterator[None]:
    """Hand an error of the block to everybody who waits, so that nobody waits for ever."""
    try:
        yield
    except BaseException as error:
        for future in waiting:
            if not future.done():
                future.set_exception(error)
        if not isinstance(error, Exception):
            raise


def resolve(future: asyncio.Future[T], value: T) -> None:
    """Give a value to whoever waits; a row that was cancelled meanwhile waits no more."""
    if not future.done():
        future.set_result(value)
