"""The accounting of a run: its requests, tokens and money, and whether there may be more.

stillroom sft --seeds seeds.jsonl --model M --max-requests 500
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict

from tasks.errors import Interrupted
from tasks.models.answers.counted import about_tokens, request_texts
from tasks.models.base import Completion, Request
from tasks.models.config import ModelConfig

MILLION = 1_000_000


class Budget(BaseModel):
    """Limits of one run; None: no limit. Answers from the ledger cost nothing.

    `max_requests` holds exactly: a request is one completion asked for, however often an endpoint had to be tried.
    Of tokens (prompts and completions) and cost the sum is known only when answers are in, so nothing new is begun
    once it is reached, and what is in flight then is kept: the sum may pass the limit by that much.
    """

    model_config = ConfigDict(frozen=True)

    max_requests: int | None = None
    max_total_tokens: int | None = None
    max_cost_usd: float | None = None

    def is_spent(self, requests: int, tokens: int, cost: float) -> bool:
        """Whether one more request is one too many."""
        return (
            (self.max_requests is not None and requests >= self.max_requests)
            or (self.max_total_tokens is not None and tokens >= self.max_total_tokens)
            or (self.max_cost_usd is not None and cost >= self.max_cost_usd)
        )

    def is_passed(self, tokens: int, cost: float) -> bool:
        """Whether so much is more than there may be."""
        return (self.max_total_tokens is not None and tokens > self.max_total_tokens) or (
            self.max_cost_usd is not None and cost > self.max_cost_usd
        )

    def __str__(self) -> str:
        """The limits that there are: "max_requests 500, max_cost_usd 2"."""
        return ", ".join(f"{name} {limit:g}" for name, limit in self if limit is not None)


NO_LIMIT = Budget()


class Reserved(NamedTuple):
    """What a request may come to at most: tokens of prompt and answer, and their price."""

    tokens: int = 0
    cost: float = 0.0


NOTHING_RESERVED = Reserved()


@dataclass(slots=True)
class RequestCounts:
    """Requests made and found in the ledger, and what those that were made took. `cost`: of models that have a price.

    `cached_tokens`: of those of prompts, how many servers had in their caches; `cache_write_tokens`: wrote there.
    """

    requests: int = 0
    ledger_hits: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    cost: float = 0.0

    @property
    def tokens(self) -> int:
        """Those of prompts and of completions."""
        return self.prompt_tokens + self.completion_tokens

    def figures(self, *, is_priced: bool = True) -> dict[str, Any]:
        """The counts as plain JSON; the cost is None where no model has a price."""
        return {
            "requests": self.requests,
            "ledger_hits": self.ledger_hits,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cached_tokens": self.cached_tokens,
            "cache_write_tokens": self.cache_write_tokens,
            "cost": round(self.cost, 6) if is_priced else None,
        }


@dataclass(slots=True)
class StepTally(RequestCounts):
    """What one technique has asked for and refused so far. `rejects`: rows by reason, counted when a shard ends."""

    rejects: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Tally(RequestCounts):
    """What a run has done so far, for the progress line, the summary and the manifest. Requests, rows, tokens.

    `steps` has the same by technique. `in_batches`: requests that are left in batches, by the provider's name of the batch.
    """

    rows_in: Counter[str] = field(default_factory=Counter)
    rows_done: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)
    in_batches: Counter[str] = field(default_factory=Counter)
    steps: defaultdict[str, StepTally] = field(default_factory=lambda: defaultdict(StepTally))

    def paid(self, step: str, completion: Completion, cost: float) -> None:
        """Count a request made."""
        for count in (self, self.steps[step]):
            count.requests += 1
            count.prompt_tokens += completion.prompt_tokens
            count.completion_tokens += completion.completion_tokens
            count.cached_tokens += completion.cached_tokens
            count.cache_write_tokens += completion.cache_write_tokens
            count.cost += cost

    def found(self, step: str) -> None:
        """Count a request that was on record."""
        self.ledger_hits += 1
        self.steps[step].ledger_hits += 1

    def refused(self, step: str, reasons: Counter[str]) -> None:
        """Count the rejects of a shard."""
        self.rejects[step] += reasons.total()
        self.steps[step].rejects.update(reasons)

    def as_dict(self) -> dict[str, Any]:
        """The counts as plain JSON."""
        return _plain(self) | {"steps": {step: _plain(tally) for step, tally in list(self.steps.items())}}


def _plain(counts: Tally | StepTally) -> dict[str, Any]:
    values = {one.name: getattr(counts, one.name) for one in fields(counts)}  # `asdict` would count a Counter's items
    return {name: dict(value) if isinstance(value, Counter) else value for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class RequestRecord:
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
    cached_tokens: int = 0
    cache_write_tokens: int = 0


class Spending(Protocol):
    """Counts what is begun and spent of a budget. `is_spent`: a request has been turned away for it, and so is every later one."""

    is_spent: bool

    def has_room(self) -> bool:
        """Whether the budget may have room for another request, as far as is known here."""
        ...

    def begin(self, reserved: Reserved) -> bool:
        """Count a request that is about to be made; False where the budget has no room for it."""
        ...

    def settle(self, reserved: Reserved) -> None:
        """What was reserved for a request is known now, and counted."""
        ...

    def paid(self, tokens: int, cost: float) -> None:
        """Count what a request has come to."""
        ...


class BudgetCount:
    """The spending of one process, or, in a process of its own, of all that ask it. Called from any thread.

    `begun`: requests that have begun.
    """

    def __init__(self, budget: Budget) -> None:
        self.is_spent = False
        self._budget = budget
        self.begun, self._tokens, self._cost = 0, 0, 0.0
        self._reserved_tokens, self._reserved_cost = 0, 0.0
        self._lock = threading.Lock()

    def has_room(self) -> bool:
        """Whether the budget has room for another request."""
        if not self.is_spent:
            self.is_spent = self._budget.is_spent(self.begun, self._tokens, self._cost)
        return not self.is_spent

    def begin(self, reserved: Reserved) -> bool:
        """Count a request that is about to be made; False where the budget has no room for it."""
        with self._lock:
            if not self.has_room():
                return False
            self.is_spent = self._would_pass(reserved)
            if not self.is_spent:
                self.begun += 1
                self._reserve(reserved.tokens, reserved.cost)
            return not self.is_spent

    def settle(self, reserved: Reserved) -> None:
        """What was reserved for a request is known now, and counted."""
        with self._lock:
            self._reserve(-reserved.tokens, -reserved.cost)

    def paid(self, tokens: int, cost: float) -> None:
        """Count what a request has come to."""
        with self._lock:
            self._tokens += tokens
            self._cost += cost

    def over(self) -> bool:
        """`is_spent`, for who asks from another process."""
        return self.is_spent

    def _reserve(self, tokens: int, cost: float) -> None:
        self._reserved_tokens += tokens
        self._reserved_cost += cost

    def _would_pass(self, reserved: Reserved) -> bool:
        """Whether the budget might be passed by this, with all that is reserved already."""
        tokens = self._tokens + self._reserved_tokens + reserved.tokens
        cost = self._cost + self._reserved_cost + reserved.cost
        return reserved != NOTHING_RESERVED and self._budget.is_passed(tokens, cost)


class Accounting:
    """What a run has asked for and may still ask for.

    `tally`: the counts; `records`: where a list is given, a line for each request (for estimates). `spending`: who
    counts what is spent of the budget, where that is not this process alone.
    """

    def __init__(self, budget: Budget = NO_LIMIT, spending: Spending | None = None) -> None:
        self.tally = Tally()
        self.records: list[RequestRecord] | None = None
        self.spending: Spending = spending or BudgetCount(budget)

    @property
    def is_spent(self) -> bool:
        """Whether a request has been turned away for the budget."""
        return self.spending.is_spent

    def has_room(self) -> bool:
        """Whether the budget has room for another request."""
        return self.spending.has_room()

    def begin(self, stop: threading.Event, reserved: Reserved = NOTHING_RESERVED) -> None:
        """Count a request that is about to be made, from any thread. Raises Interrupted where none may be any more.

        `reserved`: what it may come to at most, where it is not known before many others have begun.
        """
        if stop.is_set() or not self.spending.begin(reserved):
            raise Interrupted

    def settle(self, reserved: Reserved) -> None:
        """What was reserved for a request is known now, and counted."""
        self.spending.settle(reserved)

    def paid(self, step: str, config: ModelConfig, completion: Completion, *, in_batch: bool = False) -> None:
        """Count a request that was made; `in_batch`: at the price of a batch."""
        cost = cost_of(config, *tokens_of(completion))
        cost *= config.batch.price if in_batch and config.batch else 1.0
        self.tally.paid(step, completion, cost)
        self.spending.paid(completion.prompt_tokens + completion.completion_tokens, cost)

    def found(self, step: str) -> None:
        """Count a request that was on record."""
        self.tally.found(step)

    def left(self, batch: str) -> None:
        """Count a request that is left in a batch."""
        self.tally.in_batches[batch] += 1

    @property
    def is_cut(self) -> bool:
        """Whether rows are left pending: the budget is spent, or batches are not waited for."""
        return self.is_spent or bool(self.tally.in_batches)


def tokens_of(counted: Completion | RequestRecord) -> tuple[int, int, int, int]:
    """What `cost_of` takes: tokens of prompt and answer, and of the prompt's those in the server's cache, and written there."""
    return (
        counted.prompt_tokens,
        counted.completion_tokens,
        counted.cached_tokens,
        counted.cache_write_tokens,
    )


def cost_of(
    config: ModelConfig,
    prompt_tokens: int,
    completion_tokens: int,
    cached_tokens: int = 0,
    cache_write_tokens: int = 0,
) -> float:
    """What so many tokens cost at the model's prices; what has no price costs nothing.

    Of the tokens of the prompt the server had `cached_tokens` in its cache, and wrote `cache_write_tokens` there.
    """
    full = config.price_prompt or 0.0
    cached = full if config.price_cached is None else config.price_cached
    written = full if config.price_cache_write is None else config.price_cache_write
    prompt = (prompt_tokens - cached_tokens - cache_write_tokens) * full
    prompt += cached_tokens * cached + cache_write_tokens * written
    return (prompt + completion_tokens * (config.price_completion or 0.0)) / MILLION


def most_of(config: ModelConfig, request: Request) -> Reserved:
    """What a request in a batch may come to at most: its prompt by its length, and the longest answer."""
    prompt, answer = about_tokens(request_texts(request)), request.sampling.most_tokens
    share = config.batch.price if config.batch is not None else 1.0
    return Reserved(prompt + answer, cost_of(config, prompt, answer) * share)
