"""One request of a run, from the moment somebody waits for its answer: whether it may be made, and what it came to.

A request waits (for the ledger, for a slot of its model's window), then begins, once, when its model says so. A run
that is told to stop turns away those that wait; those that have begun are let finish, until it is cut.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tasks.engine.accounting import NOTHING_RESERVED, RequestRecord, Reserved, most_of, tokens_of
from tasks.engine.context import Context
from tasks.errors import Interrupted, LeftInBatch
from tasks.models.answers.counted import about_tokens, request_texts
from tasks.models.batching import may_go_in_batch

if TYPE_CHECKING:
    from tasks.engine.row import Row
    from tasks.models.base import Completion, Request
    from tasks.models.config import ModelConfig


class PendingRequest:
    """Implements the ledger's `RequestAccount` for one request.

    `with pending:` around the wait for its answer. Within, `turn_away` (in the loop's thread) makes that wait end with
    Interrupted.
    """

    __slots__ = ("_config", "_context", "_count", "_request", "_reserved", "_row", "_task", "_turned_away", "begun_s")

    def __init__(self, context: Context, row: Row, config: ModelConfig) -> None:
        self._context, self._row, self._config = context, row, config
        self.begun_s: float | None = None
        self._task: asyncio.Task[Any] | None = None
        self._turned_away = False
        self._request: Request | None = None
        self._reserved = NOTHING_RESERVED
        self._count: Callable[[str], int] | None = None

    def may_pay(self) -> bool:
        """Whether the run has room for another request."""
        return self._context.may_pay()

    def admit(self) -> None:
        """The request begins. Any later call does nothing. Raises Interrupted where it may not."""
        if self.begun_s is None:
            reserved = self._most()
            self._context.admit(reserved)
            self._reserved = reserved
            self.begun_s = time.perf_counter()

    def _most(self) -> Reserved:
        """What is reserved of the budget: of a request in a batch, since a whole batch begins before the first answer."""
        in_batch = self._config.batch is not None and not self._context.one_by_one
        if self._request is None or not in_batch or not may_go_in_batch(self._request):
            return NOTHING_RESERVED
        return most_of(self._config, self._request)

    def _settle(self) -> None:
        if self._reserved != NOTHING_RESERVED:
            self._context.accounting.settle(self._reserved)
            self._reserved = NOTHING_RESERVED

    def of(self, request: Request, count: Callable[[str], int] | None = None) -> None:
        """It is for this request; `count` counts the tokens of a text, where the model's tokenizer is known."""
        self._request, self._count = request, count

    def paid(self, completion: Completion, *, in_batch: bool = False) -> None:
        """The request was made. What the server has not counted is estimated, and told."""
        completion = self._counted(completion)
        self._settle()
        self._context.accounting.paid(self._row.technique, self._config, completion, in_batch=in_batch)
        self._record(completion)

    def found(self, completion: Completion) -> None:
        """The request was on record."""
        self._context.accounting.found(self._row.technique)
        self._record(completion)

    def _counted(self, completion: Completion) -> Completion:
        request = self._request
        if (
            request is None
            or not self._config.is_endpoint
            or (completion.prompt_tokens and completion.completion_tokens)
        ):
            return completion
        prompt = completion.prompt_tokens or self._tokens_of(request_texts(request))
        written = completion.completion_tokens or self._tokens_of([completion.text, completion.reasoning or ""])
        if (prompt, written) != (completion.prompt_tokens, completion.completion_tokens):
            line = f"{self._config.name} counts no tokens: they are {'estimated' if self._count is None else 'counted here'}, for budgets, costs and counts"
            self._context.tell_once(line, f"tokens of {self._config.name}")
        return replace(completion, prompt_tokens=prompt, completion_tokens=written)

    def _tokens_of(self, texts: list[str]) -> int:
        return about_tokens(texts) if self._count is None else sum(map(self._count, texts))

    def _record(self, completion: Completion) -> None:
        """Keep a line about it, where somebody looks."""
        records, row = self._context.accounting.records, self._row
        if records is not None:
            prompt, answer, *of_cache = tokens_of(completion)
            used = (prompt, answer, self.begun_s, time.perf_counter())
            records.append(RequestRecord(row.technique, row.order, row.row_id, self._config, *used, *of_cache))

    def turn_away(self) -> None:
        """End the wait for the answer."""
        if self._task is not None and not self._turned_away:
            self._turned_away = True
            self._task.cancel()

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        self._context.pending.add(self)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        self._context.pending.discard(self)
        if isinstance(error, LeftInBatch):
            self._context.accounting.left(error.batch)  # what is reserved for it stays so: it will cost something
        else:
            self._settle()
        task, self._task = self._task, None
        if self._turned_away and task is not None and task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise Interrupted from None
