"""One batch, from what is written down of it to the commit of its last answer.

A process follows a batch while it holds the lease on the batch's tag, so two processes do not fetch the same one. Where
a submission broke off, the provider's list of batches tells whether there is a batch with this tag.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

import sqlalchemy as sa

from tasks.errors import LeftInBatch, PermanentError, RequestRefused
from tasks.ledger.background import Background, resolve
from tasks.ledger.batches import records
from tasks.ledger.batches.gathered import WaitingLine
from tasks.ledger.batches.kept_request import request_of_json
from tasks.ledger.batches.records import BatchRecord
from tasks.ledger.lease_statements import end
from tasks.ledger.statements import add
from tasks.ledger.stored import record_of, storable
from tasks.models.base import Completion, Request, Reshaped
from tasks.models.batching import BatchApi, BatchState, LineResult, NotYetKnown, Submission
from tasks.models.endpoint.faults import Busy, Fault
from tasks.models.endpoint.learnt import Reworded
from tasks.notices import tell

LINES_AT_ONCE = 500
CREATE_TRIES = 3
LINE_TRIES = 3  # batches in which a request may fail, or not come to its turn
FETCH_TRIES, FETCH_PAUSE_S = 6, 1.0  # the pause doubles
FIRST_LOOK = 16  # the first look comes after this part of `poll_s`; then twice as long each time
TOO_MUCH = ("token_limit_exceeded", "enqueued token limit")  # of what the account may have in batches at once
Wait = Callable[[float], Awaitable[None]]


@dataclass(slots=True)
class Follower:
    """Follows one batch. `waiting`: its lines that somebody waits for, by key; `wait`: sleeps, and is woken by a stop.

    `fetched`: answers that came out of batches and are in no account yet, with their tokens that the
    provider had in its cache, and wrote there; `tries`: of lines that have failed.
    """

    record: BatchRecord
    api: BatchApi
    background: Background
    waiting: dict[bytes, WaitingLine]
    fetched: dict[bytes, tuple[int, int]]
    tries: Counter[bytes]
    wait: Wait
    _errors: dict[bytes, Exception | None] = field(default_factory=dict)
    _words: Any = None
    _answered: set[bytes] = field(default_factory=set)

    async def follow(self, lines: Sequence[bytes] | None = None) -> None:
        """Create the batch of these lines, or find the one that was created; then fetch it, once it has ended.

        Returns early where nobody waits for it, or its model does not wait for batches.
        """
        self._words = None if lines is None else self.api.words()
        try:
            batch = await (self._recovered() if lines is None else self._created(lines))
            state = None if batch is None else await self._ended(batch)
        except NotYetKnown as maybe:
            self._leave(maybe.batch)
            return
        if state is not None:
            await self._fetch(state)
        await self._transact(self._close)
        self._settle(state)

    @property
    def _is_waited_for(self) -> bool:
        return self.api.mode.wait and any(line.is_wanted for line in self.waiting.values())

    def _leave(self, batch: str) -> None:
        """Have nobody wait any more."""
        for line in self.waiting.values():
            if line.is_wanted:
                line.landed.set_exception(LeftInBatch(batch))

    # Submission.

    async def _created(self, lines: Sequence[bytes]) -> str | None:
        """Upload and create, each written down at once. Where it is not known whether it was created, it is looked for."""
        if upload := await self.api.upload(self.record.tag.hex(), lines):
            await self._note(upload=upload)
        for _ in range(CREATE_TRIES):
            try:
                batch = await self.api.create(self._submission(), lines)
            except Fault:
                if (found := await self._recovered()) is not None:
                    return found
                continue
            await self._note(batch=batch)
            tell(f"{self.record.lines:,} requests of {self.api.place} are in batch {batch}")
            return batch
        raise PermanentError("the server creates no batch", self.api.place, "the same command goes on later")

    async def _recovered(self) -> str | None:
        """The batch that was written down; where its id was not, the one that its provider has under this tag, or None.

        Raises NotYetKnown where that cannot be told yet, and nobody waits.
        """
        while not self.record.batch:
            now_s = await self.background.reading(self._now_s, None)
            try:
                found = await self.api.find(self._submission())
            except NotYetKnown:
                if not self._is_waited_for:
                    raise
                await self.wait(self.api.mode.poll_s)
                continue
            left_s = self.record.prepared_at / 1000 + self.api.mode.settle_s - now_s
            if found is not None:
                await self._note(batch=found)
                tell(f"batch {found} was submitted before: its {self.record.lines:,} requests are not paid for again")
            elif left_s <= 0:
                return None
            elif not any(line.is_wanted for line in self.waiting.values()):
                raise NotYetKnown("")
            else:
                await self.wait(min(left_s + 0.01, self.api.mode.poll_s))
        return self.record.batch

    def _submission(self) -> Submission:
        record = self.record
        return Submission(record.tag.hex(), record.path, record.lines, record.prepared_at / 1000, record.upload)

    async def _note(self, **known: str) -> None:
        await self._transact(lambda connection: records.note(connection, self.record.tag, **known))
        record = self.record
        self.record = replace(record, upload=known.get("upload", record.upload), batch=known.get("batch", record.batch))

    # Results.

    async def _ended(self, batch: str) -> BatchState | None:
        """How a batch has ended. Raises NotYetKnown where it has not, and nobody waits."""
        pause_s = self.api.mode.poll_s / FIRST_LOOK
        while True:
            state = await self.api.look(batch)
            if state.has_ended:
                return state
            if not self._is_waited_for:
                raise NotYetKnown(batch)
            await self.wait(pause_s)
            pause_s = min(2 * pause_s, self.api.mode.poll_s)

    async def _fetch(self, state: BatchState) -> None:
        """Commit the answers of a batch, some at a time, and note what is wrong with the other lines."""
        for tried in range(FETCH_TRIES):
            try:
                some: list[LineResult] = []
                async for result in self.api.results(state):
                    some.append(result)
                    if len(some) == LINES_AT_ONCE:
                        await self._take(some)
                        some = []
                await self._take(some)
                return
            except Fault as fault:
                trouble = fault
            await asyncio.sleep(min(FETCH_PAUSE_S * 2**tried, self.api.mode.poll_s))
        fix = "its answers are kept there: the same command fetches them later"
        raise PermanentError("the results of a batch cannot be fetched", f"{state.id}: {trouble}", fix)

    async def _take(self, results: Sequence[LineResult]) -> None:
        """Commit the answers among these results. Those that are committed already, or of nobody's, are passed over."""
        by_key = {key: result for result in results if (key := _key_of(result)) is not None}
        kept = await self.background.reading(self._requests_kept, list(by_key))
        answers: dict[bytes, Completion] = {}
        for key, request in kept.items():
            line = self.waiting.get(key)
            read = self._read(by_key[key], request_of_json(request) if line is None else line.request)
            if isinstance(read, Completion):
                answers[key] = storable(read)
            elif read is not None:
                self._errors[key] = read
        if not answers:
            return
        await self._transact(lambda connection: self._commit(connection, answers))
        self._answered.update(answers)
        self.fetched |= {key: (answer.cached_tokens, answer.cache_write_tokens) for key, answer in answers.items()}

    def _read(self, result: LineResult, request: Request) -> Completion | Exception | None:
        """The completion in a line, or what is wrong with it; None: its turn has not come."""
        if result.status == 0:
            return None
        if result.status != HTTPStatus.OK:
            return self.api.judged(result.status, result.body, request, self._words)
        try:
            return self.api.read(result.body, request)
        except (Fault, Busy, RequestRefused, PermanentError, Reshaped, Reworded) as error:
            return error

    def _settle(self, state: BatchState | None) -> None:
        """Tell those that wait what has become of their lines: an error, or that they are to look into the ledger again."""
        if state is not None:
            self._tell(state)
        for key in self._answered:
            self.tries.pop(key, None)
            if key in self.waiting:
                resolve(self.waiting[key].landed, None)
        unanswered = [line for line in self.waiting.values() if line.is_wanted]
        fault = None if state is None or not state.fault else self._refused(state)
        for line in unanswered:
            error = fault or self._errors.get(line.key)
            if error is None and state is not None:
                error = LeftInBatch(state.id) if state.was_cancelled else Fault("transport", f"batch {state.status}")
            if isinstance(error, (Fault, Busy)):
                error = self._tried(line.key, error)
            if error is None or isinstance(error, Reworded):
                resolve(line.landed, None)
            else:
                line.landed.set_exception(copy(error))

    def _tried(self, key: bytes, error: Fault | Busy) -> RequestRefused | None:
        """None where the line is to go in another batch."""
        self.tries[key] += 1
        if self.tries[key] < LINE_TRIES:
            return None
        reason = error.reason if isinstance(error, Fault) else "transport"
        return RequestRefused(reason, f"{error}, in {self.tries.pop(key)} batches")

    def _refused(self, state: BatchState) -> Exception:
        """Why a batch was refused as a whole: the account has too much in batches, or something is wrong with it."""
        if any(word in state.fault for word in TOO_MUCH) and self.record.lines > 1:
            self.api.most_lines = max(1, self.record.lines // 2)
            tell(f"{self.api.place} takes less at once ({state.fault}): batches of {self.api.most_lines:,} from now on")
            return Reworded()
        fix = "nothing of it was paid for"
        return PermanentError("the server refuses the batch", f"{self.api.place}, {state.id}: {state.fault}", fix)

    def _tell(self, state: BatchState) -> None:
        failed = sum(error is not None for error in self._errors.values())
        more = f", {failed:,} with an error" if failed else ""
        tell(
            f"batch {state.id}: {state.status}, {len(self._answered):,} of {self.record.lines:,} requests answered{more}"
        )

    # In the threads of the database.

    async def _transact(self, work: Callable[[sa.Connection], None]) -> None:
        await self.background.writing(self._in_transaction, work)

    def _in_transaction(self, work: Callable[[sa.Connection], None]) -> None:
        with self.background.transaction() as connection:
            work(connection)

    def _now_s(self, _: None) -> float:
        with self.background.looking() as connection:
            return records.now_s(connection)

    def _requests_kept(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        with self.background.looking() as connection:
            return records.requests_of_batch(connection, self.record.tag, keys)

    def _commit(self, connection: sa.Connection, answers: Mapping[bytes, Completion]) -> None:
        keys = sorted(answers)
        add(connection, [record_of(key, self.record.model, answers[key]) for key in keys])
        end(connection, keys)
        records.take_out(connection, keys)

    def _close(self, connection: sa.Connection) -> None:
        records.close_batch(connection, self.record.tag)


def _key_of(result: LineResult) -> bytes | None:
    """The key of a line; None where it is not one of ours."""
    try:
        return bytes.fromhex(result.key)
    except ValueError:
        return None
