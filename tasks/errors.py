"""The whole error model.

Three kinds of thing go wrong, and each has its own way out:

- the user's mistake (`ConfigError`): one line that says what, the value and the fix; exit code 2;
- a bad row (`Unusable`, `RequestRefused`): data, not a crash. It becomes a reject or a loss;
- a run that has to end (`PermanentError`, `Interrupted`): stops the shard, loses nothing.

Everything else is a bug and crashes with its traceback.
"""

from __future__ import annotations


class ConfigError(ValueError):
    """The user's mistake: what is wrong, the value, and the fix, in one line."""

    def __init__(self, what: str, value: object = None, fix: str = "") -> None:
        self.what, self.value, self.fix = what, value, fix
        shown = "" if value is None else f": {value}"
        super().__init__(f"{what}{shown}" + (f" ({fix})" if fix else ""))

    def __reduce__(self) -> tuple[type[ConfigError], tuple[str, object, str]]:
        return type(self), (self.what, self.value, self.fix)


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
