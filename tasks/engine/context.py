"""What every row of a run shares: the ledger, the seed, the language, the budget, the stop flag and the tally."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tasks.engine.budget import Budget
from tasks.errors import Interrupted, PermanentError
from tasks.models.base import Completion, Model
from tasks.models.refusals import Refusals
from tasks.notices import tell

if TYPE_CHECKING:
    from tasks.engine.bill import Bill, Receipt
    from tasks.engine.ledger import Ledger
    from tasks.engine.trace import Asked


@dataclass(slots=True)
class StepTally:
    """What one technique has asked for and refused so far. `rejects`: rows by reason, counted when a shard ends."""

    requests: int = 0
    ledger_hits: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    rejects: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Tally:
    """What a run has done so far, for the progress line, the summary and the manifest. Requests, rows, tokens.

    `cost` is that of the models that have a price. `steps` has the same by technique.
    """

    requests: int = 0
    ledger_hits: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    rows_in: Counter[str] = field(default_factory=Counter)
    rows_done: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)
    steps: defaultdict[str, StepTally] = field(default_factory=lambda: defaultdict(StepTally))

    def paid(self, step: str, completion: Completion, cost: float) -> None:
        """Count a request made."""
        for count in (self, self.steps[step]):
            count.requests += 1
            count.prompt_tokens += completion.prompt_tokens
            count.completion_tokens += completion.completion_tokens
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
    values = {name: getattr(counts, name) for name in counts.__slots__}  # `asdict` would count a Counter's items
    return {name: dict(value) if isinstance(value, Counter) else value for name, value in values.items()}


@dataclass(slots=True)
class Context:
    """The surroundings of an ask.

    `ledger` None means: every request is paid (plain function tests). `max_attempts`: asks of one request for each
    epoch. `stop`: once set, nothing more is paid for. `budget_reached`: a request has been turned away for the budget,
    and so is every later one. `failed`: a request has met a permanent error, so none is begun any more. `receipts`: where
    a list is given, a line for each request (for estimates). `asked`: the same for each attempt, with its words (for
    previews).
    """

    ledger: Ledger | None = None
    run_seed: int = 0
    language: str = "en"
    max_attempts: int = 3
    stop: threading.Event = field(default_factory=threading.Event)
    tally: Tally = field(default_factory=Tally)
    budget: Budget = field(default_factory=Budget)
    budget_reached: bool = False
    failed: PermanentError | None = None
    receipts: list[Receipt] | None = None
    asked: list[Asked] | None = None
    dimensions: dict[str, int] = field(default_factory=dict)  # of the embeddings of each model, by its identity
    refusals: dict[str, Refusals] = field(default_factory=dict)  # of each model, by its identity
    recalled: dict[str, asyncio.Future[None]] = field(default_factory=dict)  # of what each model leaves out
    shards_ended: Counter[str] = field(default_factory=Counter)  # by step
    served: dict[str, str] = field(default_factory=dict)  # what a server called a model that it named otherwise
    told: set[str] = field(default_factory=set)  # what the user has been told about
    bills: set[Bill] = field(default_factory=set)  # of the requests that somebody waits for; touched by the loop alone
    _begun: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def may_pay(self) -> bool:
        """Whether a request may still be made."""
        tally = self.tally
        if not self.budget_reached:
            tokens = tally.prompt_tokens + tally.completion_tokens
            self.budget_reached = self.budget.is_spent(self._begun, tokens, tally.cost)
        return not (self.budget_reached or self.stop.is_set())

    def admit(self) -> None:
        """Count a request that is about to be made, from any thread.

        Raises Interrupted where none may be any more, and the error of a run that has failed.
        """
        if self.failed is not None:
            raise copy(self.failed)
        with self._lock:
            if not self.may_pay():
                raise Interrupted
            self._begun += 1

    def refusals_of(self, model: Model) -> Refusals:
        """The refusals of a model in this run."""
        if (refusals := self.refusals.get(model.identity)) is None:
            refusals = self.refusals[model.identity] = Refusals(model.name)
        return refusals

    def tell_once(self, line: str, about: str) -> None:
        """Tell the user one line about something, once in this run."""
        if about not in self.told:
            self.told.add(about)
            tell(line)

    def refused_alike(self) -> PermanentError | None:
        """The error of a run in which a model has refused every request so far, all in the same words."""
        alike = next((refusals for refusals in self.refusals.values() if refusals.were_all), None)
        return None if alike is None else alike.verdict()

    def halt(self) -> None:
        """Begin nothing any more, and wait for nothing that has not begun. In the loop's thread."""
        self.stop.set()
        self._turn_away(bill for bill in self.bills if bill.begun_s is None)

    def cut(self) -> None:
        """Wait for nothing at all any more. In the loop's thread."""
        self.stop.set()
        self._turn_away(self.bills)

    def _turn_away(self, bills: Iterable[Bill]) -> None:
        for bill in tuple(bills):
            bill.turn_away()
