"""A trace of asks: what a row asked, what came back raw, and whether it was used. Kept where somebody looks (previews)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tasks.models.base import Completion, Request


class Waiting(Protocol):
    """A request that somebody waits for. `begun_s`: when its model began with it, None until then."""

    begun_s: float | None

    def turn_away(self) -> None:
        """End the wait for the answer."""
        ...


@dataclass(slots=True)
class Asked:
    """One attempt of one ask. `completion` None: none came. `refused`: why the answer was not used; empty: it was."""

    step: str
    row_id: str
    role: str
    template: str
    sample: int
    attempt: int
    model: str
    request: Request
    pending: Waiting
    completion: Completion | None = None
    refused: str = ""

    @property
    def is_paid(self) -> bool:
        """Whether the model was asked; else the answer was on record."""
        return self.pending.begun_s is not None
