"""What every row of a run shares: the ledger, the seed, the language, the stop flag and the tally."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tasks.models.base import Completion

if TYPE_CHECKING:
    from tasks.engine.ledger import Ledger


@dataclass(slots=True)
class Tally:
    """What a run has done so far, for the progress line, the summary and the manifest. Requests, rows, tokens."""

    requests: int = 0
    ledger_hits: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    rows_in: Counter[str] = field(default_factory=Counter)
    rows_done: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        """The counts as plain JSON."""
        counts = {name: getattr(self, name) for name in self.__slots__}
        return {name: dict(count) if isinstance(count, Counter) else count for name, count in counts.items()}


@dataclass(slots=True)
class Context:
    """The surroundings of an ask.

    `ledger` None means: every request is paid (plain function tests). `max_attempts`: asks of one request for each
    epoch. `stop`: once set, nothing more is paid for.
    """

    ledger: Ledger | None = None
    run_seed: int = 0
    language: str = "en"
    max_attempts: int = 3
    stop: threading.Event = field(default_factory=threading.Event)
    tally: Tally = field(default_factory=Tally)

    def may_pay(self) -> bool:
        """Whether a request may still be made."""
        return not self.stop.is_set()

    def paid(self, completion: Completion) -> None:
        """Count a request made."""
        self.tally.requests += 1
        self.tally.prompt_tokens += completion.prompt_tokens
        self.tally.completion_tokens += completion.completion_tokens

    def found(self) -> None:
        """Count a request that was on record."""
        self.tally.ledger_hits += 1
