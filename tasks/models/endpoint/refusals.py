"""A server that refuses every request in the same words does not mean a row: it means the run."""

from __future__ import annotations

import re

from tasks.errors import PermanentError, RequestRefused

ALIKE = 20
OF_THE_SERVER = frozenset({"bad_request", "bad_answer"})
OWN = re.compile(r"\breq_\w+|[0-9a-f]{8,}|\d+", re.IGNORECASE)  # of each request: counts of tokens, ids


class Refusals:
    """Counts refusals of one model in the same words without an answer between them.

    A refusal of the server's counts until it has answered anything; one as `forbidden` after that too, since a key may
    be spent in the middle of a run.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.answered, self.count, self._others = False, 0, False
        self.last: RequestRefused | None = None
        self._words = ""

    def answer(self) -> None:
        """The server has answered a request."""
        self.answered, self.count = True, 0

    def add(self, refusal: RequestRefused) -> None:
        """The server has refused a request."""
        if refusal.reason == "forbidden" or (refusal.reason in OF_THE_SERVER and not self.answered):
            words = OWN.sub("0", refusal.detail)
            self._others = self._others or (self.count > 0 and words != self._words)
            self.count = self.count + 1 if words == self._words else 1
            self.last, self._words = refusal, words
        elif refusal.reason not in OF_THE_SERVER:
            self.count, self._others = 0, True  # this one is its row's own

    @property
    def are_the_runs(self) -> bool:
        """Whether so many were alike that it is nobody's row."""
        return self.count >= ALIKE

    @property
    def were_all(self) -> bool:
        """Whether nothing came of the server but refusals, all alike."""
        return self.count > 0 and not (self.answered or self._others)

    def verdict(self) -> PermanentError:
        """The error that ends the run, with the server's words."""
        words = self.last.detail if self.last else ""
        fix = "mend what it says; what is paid for is kept, and the same command goes on"
        return PermanentError("the server refuses every request alike", f"{self.name}: {words}", fix)
