"""The ledger: every completion ever paid for, keyed by its request. Nothing is paid for twice (law 2).

Lookups and inserts go in batches, each in a thread of its own: an answer reaches its row only once committed, and a
group of answers waits `GROUP_S` at most before its commit begins. SQLite (WAL) by default, PostgreSQL by URL. Where
the database is locked or its server gone, what is under way waits for it and tries again; nothing is committed twice.
"""

from __future__ import annotations

import asyncio
import base64
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar, get_args

import orjson
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from tasks.engine.home import ledger_wait_s
from tasks.engine.ledger_database import (
    CHECK,
    completions,
    gone,
    locked,
    open_database,
    patience,
    shown,
    unusable,
)
from tasks.engine.ledger_statements import add, find
from tasks.errors import ConfigError, Interrupted
from tasks.models.base import Completion, FinishReason, Model, Request, TokenLogprobs

GROUP_S = 0.005
LOOKUP_KEYS = 1000
MESSAGE_CHARS = 200
REPLACEMENT = "\ufffd"
FINISH_REASONS = frozenset(get_args(FinishReason))

T = TypeVar("T")


class Purse(Protocol):
    """What the ledger needs to know of a run: whether it may still pay, and where to count."""

    def may_pay(self) -> bool:
        """Whether a request may still be made."""
        ...

    def paid(self, completion: Completion) -> None:
        """Count a request made."""
        ...

    def found(self, completion: Completion) -> None:
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

    def __init__(self, url: str, wait_s: float | None = None) -> None:
        """Open or create the ledger. Raises ConfigError where that cannot be.

        `wait_s`: how long a locked database, or a server that has gone away, is waited for.
        """
        self.url = url
        self._wait_s = ledger_wait_s() if wait_s is None else wait_s
        self._engine = open_database(url, self._wait_s)
        self._flights: dict[str, asyncio.Future[None] | None] = {}
        self._wanted: list[tuple[bytes, asyncio.Future[Completion | None]]] = []
        self._unwritten: list[_Entry] = []
        self._background: dict[str, asyncio.Task[None]] = {}
        self._reader = ThreadPoolExecutor(1, "ledger-read")
        self._writer = ThreadPoolExecutor(1, "ledger-write")

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
                purse.found(completion)
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

    async def find(self, key: str) -> Completion | None:
        """What is on record under a key; nothing is paid or counted."""
        return await self._find(bytes.fromhex(key))

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
        with self._engine.connect() as connection:
            rows = find(connection, keys)
        try:
            return {row[0]: completion_of(row) for row in rows}
        except Unreadable as error:
            raise ConfigError("the ledger is damaged", f"{shown(self.url)}: {error}", CHECK) from error

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
        in_order = sorted(batch, key=lambda entry: entry.key)  # so that two processes do not wait for each other
        with self._engine.begin() as connection:
            added = add(connection, [_record(entry) for entry in in_order])
        return {} if added == len(batch) else self._look_up([entry.key for entry in batch])

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
        tries = patience(self._wait_s)
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(pool, work, argument)
            except DBAPIError as error:
                pause = next(tries, None) if locked(error) or gone(error) else None
                if pause is None:
                    raise unusable(self.url, error) from error
            await asyncio.sleep(pause)


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


class Unreadable(ValueError):
    """An entry that no completion was ever stored as."""


def _storable(completion: Completion) -> Completion:
    """What a database cannot hold as text (NUL, half a surrogate pair) becomes U+FFFD, before the answer is used."""
    text = _clean(completion.text)
    if text is completion.text and not any(_more(completion)):
        return completion
    logprobs = completion.logprobs and tuple(
        replace(t, token=_clean(t.token), top={_clean(token): value for token, value in t.top.items()})
        for t in completion.logprobs
    )
    reasoning = completion.reasoning and _clean(completion.reasoning)
    word, served = (said and _clean(said) for said in (completion.finish_word, completion.served))
    return replace(completion, text=text, reasoning=reasoning, logprobs=logprobs, finish_word=word, served=served)


def _more(c: Completion) -> tuple[Any, ...]:
    """What a completion may have beside its text."""
    return (c.logprobs, c.reasoning, c.embedding, c.finish_word, c.served)


def _clean(text: str) -> str:
    text = text.replace("\0", REPLACEMENT)  # the same object where there is none
    try:
        text.encode()
    except UnicodeEncodeError:  # through UTF-16, so that two halves of one pair become the character that they are
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _record(entry: _Entry) -> tuple[Any, ...]:
    """The entry as a row of the columns `ADDED`."""
    c, extra = entry.completion, None
    if any(value is not None for value in _more(c)):
        beside: dict[str, Any] = {"logprobs": c.logprobs, "reasoning": c.reasoning}
        beside |= {name: value for name in ("finish_word", "served") if (value := getattr(c, name)) is not None}
        if c.embedding is not None:
            beside["embedding"] = base64.b64encode(c.embedding).decode()
        extra = orjson.dumps(beside)
    return (entry.key, entry.model, c.text, c.finish_reason, c.prompt_tokens, c.completion_tokens, extra)


def completion_of(row: Sequence[Any]) -> Completion:
    """The completion of a row of the table: key, text, finish reason, counts, extra. Raises Unreadable."""
    key, text, finish_reason, prompt_tokens, completion_tokens, extra = row
    try:
        if not (isinstance(text, str) and text == _clean(text)):
            raise ValueError("its text was never text")
        if finish_reason not in FINISH_REASONS:
            raise ValueError(f"no completion ends with {finish_reason!r}")
        if not all(isinstance(count, int) and count >= 0 for count in (prompt_tokens, completion_tokens)):
            raise ValueError(f"{prompt_tokens!r} and {completion_tokens!r} are no counts of tokens")
        more = {} if extra is None else _unpacked(orjson.loads(extra))
        return Completion(text, finish_reason, prompt_tokens, completion_tokens, **more)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unreadable(f"entry {bytes(key).hex()}: {error}"[:MESSAGE_CHARS]) from error


def _unpacked(extra: dict[str, Any]) -> dict[str, Any]:
    """JSON knows no infinity: the log-probability of what could not be sampled comes back from null."""
    if extra["logprobs"] is not None:
        extra["logprobs"] = tuple(
            TokenLogprobs(t["token"], _number(t["logprob"]), {token: _number(v) for token, v in t["top"].items()})
            for t in extra["logprobs"]
        )
    if "embedding" in extra:
        extra["embedding"] = base64.b64decode(extra["embedding"], validate=True)
    return extra


def _number(logprob: float | None) -> float:
    return -math.inf if logprob is None else float(logprob)
