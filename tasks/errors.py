"""The whole error model.

Three kinds of thing go wrong, and each has its own way out:

- the user's mistake (`ConfigError`): one line that says what, the value and the fix; exit code 2;
- a bad row (`Unusable`, `RequestRefused`): data, not a crash. It becomes a reject or a loss;
- a run that has to end (`PermanentError`, `Interrupted`): stops the shard, loses nothing.

Everything else is a bug and crashes with its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails


class ConfigError(ValueError):
    """The user's mistake: what is wrong, the value, and the fix, in one line."""

    def __init__(self, what: str, value: object = None, fix: str = "") -> None:
        self.what, self.value, self.fix = what, value, fix
        shown = "" if value is None else f": {value}"
        super().__init__(f"{what}{shown}" + (f" ({fix})" if fix else ""))

    def __reduce__(self) -> tuple[type[ConfigError], tuple[str, object, str]]:
        return type(self), (self.what, self.value, self.fix)


def did_you_mean(given: str, known: Iterable[str], otherwise: str = "", *, at_least: float = 0.5) -> str:
    """The fix that names the likeliest of the known; `otherwise` where none is like it. `at_least`: as alike, 0 to 1."""
    from difflib import get_close_matches

    near = get_close_matches(given, list(known), 1, at_least)
    return f"did you mean {near[0]}?" if near else otherwise


def first_fault(error: ValidationError) -> tuple[str, ErrorDetails]:
    """The first thing that does not fit a model: the names of the fields down to it, and what pydantic says of it."""
    fault = error.errors(include_url=False, include_context=False)[0]
    return ".".join(map(str, fault["loc"])), fault


def first_line(error: BaseException) -> str:
    """What a library says of its error, in one line; the kind of error where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


class PermanentError(ConfigError):
    """A model can never answer as configured (401, unknown model): the task stops at once and is not retried."""


class RowLoss(Exception):
    """Why one row, or a part of one, came to nothing. `reason` is a stable snake_case word."""

    kind = "failed"

    def __init__(self, reason: str, detail: str = "", *, raw: str | None = None, attempts: int = 0) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail, self.raw, self.attempts = reason, detail, raw, attempts


class Unusable(RowLoss):
    """A completion that a parser cannot use. The engine asks again; raised from `ask`, the attempts are used up."""


class RequestRefused(RowLoss):
    """The server refuses this one request for good (HTTP 400, context too long): its row is rejected at once."""


class Filtered(RowLoss):
    """The row is dropped by decision (duplicate, tie, surplus), so retrying would not bring it back."""

    kind = "filtered"


class Interrupted(Exception):
    """The run was told to stop (Ctrl-C, budget). Rows not finished are pending; what was paid for is in the ledger."""


class LeftInBatch(Interrupted):
    """The request is in a batch that the run does not wait for, or that was cancelled. Its row is pending.

    `batch`: the provider's name of the batch.
    """

    def __init__(self, batch: str) -> None:
        super().__init__(f"left in batch {batch}")
        self.batch = batch
