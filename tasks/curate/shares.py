"""Exact shares of a mixture: of each part as many rows as its weight says, once all else has been taken out.

stillroom mix datasets/a=3 datasets/b=1 --rows 1000
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from tasks.columns import RECORD
from tasks.engine.row import Loss
from tasks.engine.sieve import Sieve, SieveParams
from tasks.notices import tell

if TYPE_CHECKING:
    import polars as pl

COLUMN = "source"


class Shares(SieveParams):
    """How many rows each part of a mixture gives."""

    rows: dict[str, int] = Field(description="of each part, by its name")

    def open(self, home: Path) -> Sieve:  # noqa: ARG002 - nothing lies on disk
        """The sieve."""
        return ShareCounter(self.rows)


class ShareCounter:
    """The first rows of each part, as many as are wanted; the others are a surplus. A part that runs short is told in the end."""

    name = "shares"

    def __init__(self, wanted: Mapping[str, int]) -> None:
        self._wanted, self._taken = wanted, Counter[str]()

    def hold(self, frame: pl.DataFrame) -> None:
        """Rows of the dataset change nothing: a mixture is made anew."""

    def sift(self, frame: pl.DataFrame) -> Mapping[str, Loss]:
        """The rows of parts that have given theirs."""
        gone = {}
        for row_id, part in zip(frame["row_id"], frame[RECORD].struct.field(COLUMN), strict=True):
            if self._taken[part] < self._wanted[part]:
                self._taken[part] += 1
            else:
                gone[row_id] = Loss("filtered", "surplus", f"{part} has given its {self._wanted[part]:,} rows")
        return gone

    def close(self) -> None:
        """Tell which parts have run short."""
        short = [f"{part} {self._taken[part]:,} of {n:,}" for part, n in self._wanted.items() if self._taken[part] < n]
        if short:
            tell(f"parts of the mixture that gave fewer rows than their share: {', '.join(short)}")
