"""The ledger: every completion ever paid for, keyed by its request. Nothing is paid for twice (law 2).

Lookups and inserts go in batches, each in a thread of its own: an answer reaches its row only once committed, and a
group of answers waits `GROUP_S` at most before its commit begins. SQLite (WAL) by default, PostgreSQL by URL.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from tasks.errors import ConfigError, Interrupted
from tasks.models.base import Completion, Model, Request, TokenLogprobs

GROUP_S = 0.005
LOOKUP_KEYS = 1000
BUSY_S = 30

T = TypeVar("T")

completions = sa.Table(
    "completions",
    sa.MetaData(),
    sa.Column("key", sa.LargeBinary(16), primary_key=True),
    sa.Column("model", sa.String, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("finish_reason", sa.String, nullable=False),
    sa.Column("prompt_tokens", sa.Integer, nullable=False),
    sa.Column("completion_tokens", sa.Integer, nullable=False),
    sa.Column("extra", sa.LargeBinary, nullable=True, comment="JSON: logprobs, reasoning"),
    sa.Column("paid_at", sa.DateTime(timezone=True), server_default=sa.func.now()),
)
_columns = [c for c in completions.c if c.name not in ("model", "paid_at")]


class Purse(Protocol):
    """What the ledger needs to know of a run: whether it may still pay, and where to count."""

    def may_pay(self) -> bool:
        """Whether a request may still be made."""
        ...

    def paid(self, completion: Completion) -> None:
        """Count a request made."""
        ...

    def found(self) -> None:
        """Count a request that was on record."""
        ...


@dataclass(slots=True)
class _Entry:
    key: bytes
    model: str
    completion: Completion
    done: asyncio.Future[Completion]


class Ledger:
    """Completions on disk. Used from one asyncio loop; several processes may share the database."""

    def __init__(self, url: str) -> None:
        """Open or create the ledger. Raises ConfigError where that cannot be."""
        self.url = url
        self._flights: dict[str, asyncio.Future[None] | None] = {}
        self._wanted: list[tuple[bytes, asyncio.Future[Completion | None]]] = []
        self._unwritten: list[_Entry] = []
        self._background: dict[str, asyncio.Task[None]] = {}
        self._reader = ThreadPoolExecutor(1, "ledger-read")
        self._writer = ThreadPoolExecutor(1, "ledger-write")
        try:
            self._engine = _open(url)
        except SQLAlchemyError as error:
            raise _unusable(url, error) from error

    async def answer(self, key: str, model: Model, request: Request, purse: Purse) -> Completion:
        """The completion of this request: the one on record, or a new one, paid for and committed.

        One flight per key: a second caller at the same moment waits for the first. Raises Interrupted when the run
        may not pay any more, and whatever `model.complete` raises.
        """
        while key in self._flights:
            await asyncio.shield(self._landing(key))
        self._flights[key] = None
        try:
            completion = await self._find(bytes.fromhex(key))
            if completion is not None:
                purse.found()
                return completion
            if not purse.may_pay():
                raise Interrupted
            paid = _storable(await model.complete(request))
            purse.paid(paid)
            return await self._store(bytes.fromhex(key), model.identity, paid)
        finally:
            landed = self._flights.pop(key)
            if landed is not None:
                landed.set_result(None)

    def _landing(self, key: str) -> asyncio.Future[None]:
        """When the flight under way has ended, well or badly; made only where somebody waits for it."""
        landed = self._flights[key]
        if landed is None:
            landed = self._flights[key] = asyncio.get_running_loop().create_future()
        return landed

    async def close(self) -> None:
        """Write what is unwritten and let go of the database."""
        while self._background:
            await asyncio.gather(*self._background.values())
        self._reader.shutdown()
        self._writer.shutdown()
        self._engine.dispose()

    def count(self) -> int:
        """Completions on record."""
        with self._engine.connect() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(completions)).scalar_one()

    # Lookups: whatever is wanted while the reader is busy goes into its next batch.

    async def _find(self, key: bytes) -> Completion | None:
        done: asyncio.Future[Completion | None] = asyncio.get_running_loop().create_future()
        self._wanted.append((key, done))
        self._start("lookups", self._look_up_wanted)
        return await done

    async def _look_up_wanted(self) -> None:
        await asyncio.sleep(0)  # let every row that is ready ask first
        while batch := self._wanted[:LOOKUP_KEYS]:
            del self._wanted[: len(batch)]
            with _failing([done for _, done in batch]):
                found = await self._in_thread(self._reader, self._look_up, [key for key, _ in batch])
                for key, done in batch:
                    _resolve(done, found.get(key))

    def _look_up(self, keys: Sequence[bytes]) -> dict[bytes, Completion]:
        query = sa.select(*_columns).where(completions.c.key.in_(keys))
        with self._engine.connect() as connection:
            return {row[0]: _completion(row) for row in connection.execute(query)}

    # Inserts: one group commit after the other.

    async def _store(self, key: bytes, model: str, completion: Completion) -> Completion:
        entry = _Entry(key, model, completion, asyncio.get_running_loop().create_future())
        self._unwritten.append(entry)
        self._start("inserts", self._write_unwritten)
        return await entry.done

    async def _write_unwritten(self) -> None:
        while self._unwritten:
            await asyncio.sleep(GROUP_S)
            batch, self._unwritten = self._unwritten, []
            with _failing([entry.done for entry in batch]):
                first = await self._in_thread(self._writer, self._write, batch)
                for entry in batch:
                    _resolve(entry.done, first.get(entry.key, entry.completion))

    def _write(self, batch: Sequence[_Entry]) -> dict[bytes, Completion]:
        """Commit a group; the answers of another process that was first, where there were any."""
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        insert = dialect.insert(completions).on_conflict_do_nothing()
        with self._engine.begin() as connection:
            written = connection.execute(insert, [_record(entry) for entry in batch]).rowcount
        return {} if written == len(batch) else self._look_up([entry.key for entry in batch])

    # Plumbing.

    def _start(self, name: str, work: Callable[[], Any]) -> None:
        if name not in self._background:
            self._background[name] = asyncio.get_running_loop().create_task(self._until_done(name, work))

    async def _until_done(self, name: str, work: Callable[[], Any]) -> None:
        try:
            await work()
        finally:  # in the same step as the last look at the queue: what comes next starts anew
            del self._background[name]

    async def _in_thread(self, pool: ThreadPoolExecutor, work: Callable[[Any], T], argument: Any) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, work, argument)
        except DatabaseError as error:
            raise _unusable(self.url, error) from error


class _failing:  # noqa: N801 - reads as a word: with _failing(futures): ...
    """Hand an error to everybody who waits, so that nobody waits for ever."""

    def __init__(self, waiting: Sequence[asyncio.Future[Any]]) -> None:
        self._waiting = waiting

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> bool:
        if error is None:
            return False
        for future in self._waiting:
            if not future.done():
                future.set_exception(error)
        return isinstance(error, Exception)


def _resolve(future: asyncio.Future[T], value: T) -> None:
    if not future.done():  # its row was cancelled meanwhile
        future.set_result(value)


def _open(url: str) -> sa.Engine:
    engine = sa.create_engine(url)
    if engine.dialect.name == "sqlite":

        @sa.event.listens_for(engine, "connect")
        def _pragmas(connection: Any, _record: Any) -> None:
            connection.execute(f"PRAGMA busy_timeout={BUSY_S * 1000}")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")  # survives kill -9; a power cut may cost the last commits

    completions.metadata.create_all(engine)
    return engine


def _unusable(url: str, error: Exception) -> ConfigError:
    cause = str(getattr(error, "orig", error)).strip().splitlines()[0]
    fix = "free some space and run the same command again" if "full" in cause else "what is committed in it is kept"
    return ConfigError("the ledger cannot be used", f"{sa.engine.make_url(url).render_as_string()}: {cause}", fix)


def _storable(completion: Completion) -> Completion:
    """Lone surrogates (a broken answer) cannot be stored as UTF-8: they become U+FFFD, before the answer is used."""
    try:
        completion.text.encode()
    except UnicodeEncodeError:
        return replace(completion, text=completion.text.encode("utf-8", "replace").decode())
    return completion


def _record(entry: _Entry) -> dict[str, Any]:
    c = entry.completion
    extra = {"logprobs": c.logprobs, "reasoning": c.reasoning} if c.logprobs or c.reasoning else None
    return {
        "key": entry.key,
        "model": entry.model,
        "text": c.text,
        "finish_reason": c.finish_reason,
        "prompt_tokens": c.prompt_tokens,
        "completion_tokens": c.completion_tokens,
        "extra": None if extra is None else orjson.dumps(extra),
    }


def _completion(row: sa.Row[Any]) -> Completion:
    _, text, finish_reason, prompt_tokens, completion_tokens, extra = tuple(row)
    if extra is None:
        return Completion(text, finish_reason, prompt_tokens, completion_tokens)
    more = orjson.loads(extra)
    logprobs = None if more["logprobs"] is None else tuple(TokenLogprobs(**t) for t in more["logprobs"])
    return Completion(text, finish_reason, prompt_tokens, completion_tokens, logprobs, more["reasoning"])
