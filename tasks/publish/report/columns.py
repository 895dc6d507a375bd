"""What is in the columns of a dataset that hold one value a row: the user's own, tags, scores, models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.publish.report.spread import number_in

MOST_VALUES = 200
"""Different texts of a column that are told apart; of more nothing is kept than that there are more."""
SHOWN_VALUES = 5
LONGEST_VALUE = 60
NOT_TOLD = ("row_id", "prompt_id")


@dataclass(slots=True)
class Column:
    """One column. `filled`: rows with a value; of numbers their least, greatest and sum; of texts how often each stands."""

    filled: int = 0
    kinds: set[str] = field(default_factory=set)
    numbers: int = 0
    least: float = 0.0
    greatest: float = 0.0
    total: float = 0.0
    values: Counter[str] | None = field(default_factory=Counter)

    def add(self, value: Any) -> None:
        """One more value."""
        self.filled += 1
        if isinstance(value, bool | str):
            self.kinds.add("yes or no" if isinstance(value, bool) else "text")
            self._count(str(value).lower() if isinstance(value, bool) else value)
        elif isinstance(value, int | float):
            self.kinds.add("number")
            if (number := number_in(value)) is not None:
                self.least = min(self.least, number) if self.numbers else number
                self.greatest = max(self.greatest, number) if self.numbers else number
                self.numbers, self.total = self.numbers + 1, self.total + number
        else:
            self.kinds.add("list" if isinstance(value, list) else "record" if isinstance(value, dict) else "other")

    def _count(self, text: str) -> None:
        if self.values is not None:
            self.values[text] += 1
            if len(self.values) > MOST_VALUES:
                self.values = None

    @property
    def told(self) -> str:
        """What it holds, in words."""
        if self.numbers:
            return f"{self.least:g} to {self.greatest:g}, mean {self.total / self.numbers:.4g}"
        if self.values is None:
            return "many different ones"
        often = sorted(self.values.items(), key=lambda one: (-one[1], one[0]))
        shown = [f"{_short(text)} {count:,}" for text, count in often[:SHOWN_VALUES]]
        return ", ".join(shown) + (f", and {len(often) - SHOWN_VALUES} more" if len(often) > SHOWN_VALUES else "")


@dataclass(slots=True)
class ColumnFigures:
    """The columns of a dataset, in their order."""

    by_name: dict[str, Column] = field(default_factory=dict)

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """More rows."""
        for row in rows:
            for name, value in row.items():
                if name in NOT_TOLD:
                    continue
                column = self.by_name.get(name)
                if column is None:
                    column = self.by_name[name] = Column()
                if value is not None:
                    column.add(value)

    def told(self) -> list[tuple[str, Column]]:
        """What there is to tell of columns; ids are not told."""
        return list(self.by_name.items())


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return f"“{plain if len(plain) <= LONGEST_VALUE else f'{plain[:LONGEST_VALUE]}...'}”"
