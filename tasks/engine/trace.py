"""A trace of asks: what a row asked, what came back raw, and whether it was used. Kept where somebody looks (previews)."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.engine.bill import Bill
from tasks.models.base import Completion, Request


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
    bill: Bill
    completion: Completion | None = None
    refused: str = ""

    @property
    def is_paid(self) -> bool:
        """Whether the model was asked; else the answer was on record."""
        return self.bill.begun_s is not None
