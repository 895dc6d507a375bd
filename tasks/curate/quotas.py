"""Rows by quota: a value of an attribute that has its share is full, and a row more with it goes.

    stillroom sft --recipe attributes --rows 1000 --config attributes.yaml

It stands after all that throws rows away, so that the shares are those of the rows that stay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.engine.row import Loss
from tasks.engine.sieve import Sieve, SieveParams
from tasks.text.composition.attributes import Attribute, quotas_of

if TYPE_CHECKING:
    import polars as pl


class Quotas(SieveParams):
    """How many rows there are to be, and what they are to be made of."""

    attributes: tuple[Attribute, ...]
    rows: int

    def open(self, home: Path) -> Sieve:  # noqa: ARG002 - it keeps counts alone
        """The sieve."""
        return QuotaSieve(self.attributes, self.rows)


class QuotaSieve:
    """How many rows of each value have stayed so far."""

    name = "quotas"

    def __init__(self, attributes: Sequence[Attribute], rows: int) -> None:
        self._quotas = quotas_of(attributes, rows)
        self._there = Counter[tuple[str, str]]()

    def hold(self, frame: pl.DataFrame) -> None:
        """Rows that are there already: the shares are those of this run's own."""

    def sift(self, frame: pl.DataFrame) -> Mapping[str, Loss]:
        """The rows with a value that is full."""
        return {
            row_id: Loss("filtered", "quota_full", full)
            for row_id, attributes in frame.select("row_id", "attributes").iter_rows()
            if (full := self._taken(attributes))
        }

    def close(self) -> None:
        """Nothing is held open."""

    def _taken(self, attributes: Sequence[Mapping[str, Any]]) -> str:
        """Count a row in; which value has no room for it, "" where all do."""
        values = [(one["name"], one["value"]) for one in attributes if one["name"] in self._quotas]
        for name, value in values:
            if self._there[name, value] >= self._quotas[name][value]:
                return f"{name} {value}: {self._quotas[name][value]} rows have it"
        self._there.update(values)
        return ""
