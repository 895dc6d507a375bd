"""The bill of one request: whether it may be made, and what it came to.

A request waits (for the ledger, for a slot of its model's window), then begins, once, when its model says so. A run
that is told to stop turns away those that wait; those that have begun are let finish, until it is cut.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tasks.errors import Interrupted
from tasks.models.answers.counted import about_tokens, texts_in

if TYPE_CHECKING:
    from tasks.engine.context import Context
    from tasks.engine.row import Row
    from tasks.models.base import Completion, Request
    from tasks.models.config import ModelConfig

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Receipt:
    """One request that was answered: by whom, for which row, and what it took. On record: `begun_s` is None.

    `order`: of the shard. Times are on the clock of `time.perf_counter`.
    """

    step: str
    order: int
    row_id: str
    model: ModelConfig
    prompt_tokens: int
    completion_tokens: int
    begun_s: float | None
    ended_s: float


class Bill:
    """Implements the ledger's `Purse` for one request.

    `with bill:` around the wait for its answer. Within, `turn_away` (in the loop's thread) makes that wait end with
    Interrupted.
    """

    __slots__ = ("_config", "_context", "_count", "_request", "_row", "_task", "_turned_away", "begun_s")

    def __init__(self, context: Context, row: Row, config: ModelConfig) -> None:
        self._context, self._row, self._config = context, row, config
        self.begun_s: float | None = None
        self._task: asyncio.Task[Any] | None = None
        self._turned_away = False
        self._request: Request | None = None
        self._count: Callable[[str], int] | None = None

    def may_pay(self) -> bool:
        """Whether the run has room for another request."""
        return self._context.may_pay()

    def admit(self) -> None:
        """The request begins. Any later call does nothing. Raises Interrupted where it may not."""
        if self.begun_s is None:
            self._context.admit()
            self.begun_s = time.perf_counter()

    def of(self, request: Request, count: Callable[[str], int] | None = None) -> None:
        """It is for this request; `count` counts the tokens of a text, where the model's tokenizer is known."""
        self._request, self._count = request, count

    def paid(self, completion: Completion) -> None:
        """The request was made. What the server has not counted is estimated, and told."""
        completion = self._counted(completion)
        cost = cost_of(self._config, completion.prompt_tokens, completion.completion_tokens)
        self._context.tally.paid(self._row.technique, completion, cost)
        self._receipt(completion)

    def found(self, completion: Completion) -> None:
        """The request was on record."""
        self._context.tally.found(self._row.technique)
        self._receipt(completion)

    def _counted(self, completion: Completion) -> Completion:
        request = self._request
        if (
            request is None
            or not self._config.is_endpoint
            or (completion.prompt_tokens and completion.completion_tokens)
        ):
            return completion
        prompt = completion.prompt_tokens or self._tokens_of(texts_in(request))
        written = completion.completion_tokens or self._tokens_of([completion.text, completion.reasoning or ""])
        if (prompt, written) != (completion.prompt_tokens, completion.completion_tokens):
            line = f"{self._config.name} counts no tokens: they are {'estimated' if self._count is None else 'counted here'}, for budgets, costs and counts"
            self._context.tell_once(line, f"tokens of {self._config.name}")
        return replace(completion, prompt_tokens=prompt, completion_tokens=written)

    def _tokens_of(self, texts: list[str]) -> int:
        return about_tokens(texts) if self._count is None else sum(map(self._count, texts))

    def _receipt(self, completion: Completion) -> None:
        if self._context.receipts is not None:
            used, row = (completion.prompt_tokens, completion.completion_tokens), self._row
            self._context.receipts.append(
                Receipt(row.technique, row.order, row.row_id, self._config, *used, self.begun_s, time.perf_counter())
            )

    def turn_away(self) -> None:
        """End the wait for the answer."""
        if self._task is not None and not self._turned_away:
            self._turned_away = True
            self._task.cancel()

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        self._context.bills.add(self)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        self._context.bills.discard(self)
        task, self._task = self._task, None
        if self._turned_away and task is not None and task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise Interrupted from None


def cost_of(config: ModelConfig, prompt_tokens: int, completion_tokens: int) -> float:
    """What so many tokens cost at the model's prices; what has no price costs nothing."""
    return (
        prompt_tokens * (config.price_prompt or 0.0) + completion_tokens * (config.price_completion or 0.0)
    ) / MILLION
