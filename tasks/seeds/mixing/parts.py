"""The datasets that a mixture is made of, and how many rows each gives."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from tasks.errors import ConfigError
from tasks.seeds.there import HUB_PREFIX


class MixturePart(BaseModel, frozen=True, extra="forbid"):
    """One dataset of a mixture."""

    source: str | list[Any] = Field(
        description="a folder of ours, a .jsonl or .parquet file, another folder, hf:NAME, or a list"
    )
    weight: float = Field(
        1.0, gt=0, allow_inf_nan=False, description="its share of the rows, beside those of the others"
    )
    name: str | None = Field(
        None, min_length=1, description="what the column `source` calls it; empty: the name of its folder or file"
    )
    columns: dict[str, str] = Field({}, description="our column -> the dataset's, e.g. instruction: prompt")

    @property
    def title(self) -> str:
        """What its rows are said to come from."""
        if self.name or not isinstance(self.source, str):
            return self.name or "list"
        own = self.source.removeprefix(HUB_PREFIX).rstrip("/")
        return own if self.source.startswith(HUB_PREFIX) else Path(own).expanduser().absolute().name.partition(".")[0]


def check_parts(parts: Sequence[MixturePart]) -> None:
    """Raise ConfigError where two parts of a mixture have one name."""
    titles = [part.title for part in parts]
    if twice := next((title for title in titles if titles.count(title) > 1), None):
        raise ConfigError("two parts of the mixture have one name", twice, "give one of them another `name`")


def shares_of(parts: Sequence[MixturePart], rows: int) -> dict[str, int]:
    """How many of so many rows each part gives, by the largest remainder; of equal ones the earlier part's comes first."""
    weights = [Fraction(part.weight) for part in parts]
    exact = [weight * rows / sum(weights) for weight in weights]
    whole = [int(share) for share in exact]
    order = sorted(range(len(parts)), key=lambda at: (whole[at] - exact[at], at))
    for at in order[: rows - sum(whole)]:
        whole[at] += 1
    return {part.title: share for part, share in zip(parts, whole, strict=True)}
