"""What every row of a run shares: the ledger, the seed, the prompts, the accounting, the stop flag."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tasks.engine.accounting import NOTHING_RESERVED, Accounting, Reserved
from tasks.engine.requests.trace import Asked, Waiting
from tasks.errors import PermanentError
from tasks.models.base import Model
from tasks.models.endpoint.refusals import Refusals
from tasks.notices import tell
from tasks.text.prompts import Prompts

if TYPE_CHECKING:
    from tasks.ledger.ledger import Ledger


@dataclass(slots=True)
class Context:
    """The surroundings of an ask.

    `ledger` None means: every request is paid (plain function tests). `max_attempts`: asks of one request for each
    epoch. `stop`: once set, nothing more is paid for. `failed`: a request has met a permanent error, so none is begun any more.
    `asked`: where a list is given, each attempt with its words (for previews).
    """

    ledger: Ledger | None = None
    run_seed: int = 0
    prompts: Prompts = field(default_factory=Prompts)
    max_attempts: int = 3
    check_language: bool = False  # a text in another language than its row's is unusable
    stop: threading.Event = field(default_factory=threading.Event)
    accounting: Accounting = field(default_factory=Accounting)
    failed: PermanentError | None = None
    asked: list[Asked] | None = None
    dimensions: dict[str, int] = field(default_factory=dict)  # of the embeddings of each model, by its identity
    refusals: dict[str, Refusals] = field(default_factory=dict)  # of each model, by its identity
    recalled: dict[str, asyncio.Future[None]] = field(default_factory=dict)  # of what each model leaves out
    shards_ended: Counter[str] = field(default_factory=Counter)  # by step
    served: dict[str, str] = field(default_factory=dict)  # what a server called a model that it named otherwise
    told: set[str] = field(default_factory=set)  # what the user has been told about
    one_by_one: bool = False  # no request goes in a batch (previews, estimates)
    confirm: Callable[[], None] | None = None  # raises Interrupted where another process has taken the run over
    pending: set[Waiting] = field(default_factory=set)  # what somebody waits for; touched by the loop alone
    draw: tuple[int, ...] = ()  # asks anew, of the same rows and prompts: () in a run, else the number of the draw

    def may_pay(self) -> bool:
        """Whether a request may still be made."""
        return self.accounting.has_room() and not self.stop.is_set()

    def admit(self, reserved: Reserved = NOTHING_RESERVED) -> None:
        """Count a request that is about to be made, from any thread. `reserved`: see `Accounting.begin`.

        Raises Interrupted where none may be any more, and the error of a run that has failed.
        """
        if self.failed is not None:
            raise copy(self.failed)
        if self.confirm is not None:
            self.confirm()
        self.accounting.begin(self.stop, reserved)

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
        self._turn_away(one for one in self.pending if one.begun_s is None)
        if self.ledger is not None:
            self.ledger.leave_batches()

    def cut(self) -> None:
        """Wait for nothing at all any more. In the loop's thread."""
        self.stop.set()
        self._turn_away(self.pending)

    def _turn_away(self, waiting: Iterable[Waiting]) -> None:
        for one in tuple(waiting):
            one.turn_away()
