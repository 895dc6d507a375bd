"""Several judges: what becomes of a row where some of them fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from tasks.engine.losses import all_lost, lose_all
from tasks.engine.row import Row
from tasks.errors import ConfigError, RowLoss

T = TypeVar("T")


def answers_of_panel(
    row: Row, answers: Sequence[T | RowLoss], min_judges: int = 1, judges: int | None = None
) -> list[T]:
    """What the judges said; those that failed are losses of the row. `judges`: how many answered, where some more than once.

    Raises Unusable with the last raw text where none answered (no_rating), or fewer than `min_judges` (too_few_judges).
    """
    losses = [answer for answer in answers if isinstance(answer, RowLoss)]
    said = [answer for answer in answers if not isinstance(answer, RowLoss)]
    judges = len(said) if judges is None else judges
    if losses and judges < max(1, min_judges):
        reason = "too_few_judges" if said else "no_rating"
        about = f"{judges} answered, at least {min_judges}: " if said else ""
        raise all_lost(reason, losses, about)
    lose_all(row, losses)
    return said


def check_panel(min_judges: int, judges: int, where: str) -> None:
    """Raise ConfigError where more judges are asked for than there are."""
    if min_judges > judges:
        fix = (
            f"there {'is 1 judge' if judges == 1 else f'are {judges} judges'}: give roles.judge more, or ask for fewer"
        )
        raise ConfigError(f"{where} needs more judges than there are", min_judges, fix)
