"""Of several asks of one row some may come to nothing: losses while anything came, the row's reject where nothing did."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Protocol, TypeVar

from tasks.engine.row import Row
from tasks.errors import Filtered, RowLoss, Unusable

T = TypeVar("T")


class OneByOne:
    """Asks of a row one after the other: one that comes to nothing is a loss of the row, and the next is made.

    asks = OneByOne(row)
    for sample in range(5):
        with asks:
            children.append(row.child(instruction=await models.ask(..., sample=sample)))
    return asks.some(children)

    `which`: the errors that are losses; any other is raised.
    """

    def __init__(self, row: Row, which: type[RowLoss] = RowLoss) -> None:
        self._row, self._which = row, which
        self._last: RowLoss | None = None

    def __enter__(self) -> None:
        """Begin an ask."""

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _at: TracebackType | None
    ) -> bool:
        """Keep what was lost."""
        if not isinstance(error, self._which):
            return False
        self._last = error
        self._row.lose(error)
        return True

    def some(self, made: list[T]) -> list[T]:
        """What was made. Raises the last error where that is nothing: it is the row's reject then, and no loss of it."""
        if not made and self._last is not None:
            self._row.losses.pop()
            raise self._last
        return made


def lose_all(row: Row, losses: Iterable[RowLoss]) -> None:
    """Record the losses of a row that lives on."""
    for loss in losses:
        row.lose(loss)


def all_lost(reason: str, losses: Sequence[RowLoss], about: str = "") -> Unusable:
    """The reject of a row for which too little came: all that was lost, with the last raw text. `about`: what is said first."""
    last = losses[-1]
    return Unusable(reason, about + "; ".join(map(str, losses)), raw=last.raw, attempts=last.attempts)


class Failed(Protocol):
    """A check that an answer has failed."""

    @property
    def figure(self) -> str:
        """What was found, in a few words."""
        ...

    @property
    def reason(self) -> str:
        """The same as a stable word."""
        ...


def none_passed(row: Row, failed: Sequence[Failed]) -> RowLoss:
    """The reject of a row without a solution that passes: for what was found most often, or for what was lost."""
    if not failed:
        return Unusable("no_solution", "; ".join(f"{loss.reason}: {loss.detail}" for loss in row.losses[:3]))
    reasons = [one.reason for one in failed]
    reason = max(sorted(set(reasons)), key=reasons.count)
    figures = list(dict.fromkeys(one.figure for one in failed))
    return Filtered(reason, f"0 of {len(failed)}: {'; '.join(figures[:4])}")
