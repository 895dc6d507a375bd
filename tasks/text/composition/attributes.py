"""Attributes that rows have, with the share of each value and the conditions under which there is one at all.

    Attribute(name="difficulty", values={"easy": 0.3, "hard": 0.7})
    Attribute(name="unit", values={"metric": 1, "imperial": 1}, when={"field": ["cooking", "building"]})

The values of row number n are drawn by an additive recurrence (the R-sequence, a generalised golden ratio for as many dimensions as there are
attributes): a low-discrepancy sequence, so that any number of rows in a row has the shares that are wanted but for a row or two,
and pairs of values come together as often as chance would have it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Self, overload

from pydantic import BaseModel, Field, model_validator

from tasks.errors import ConfigError, did_you_mean

ENDLESS = 2**40
"""Rows that can be drawn."""


class Attribute(BaseModel, frozen=True, extra="forbid"):
    """An attribute of rows."""

    name: str = Field(min_length=1, max_length=60, description="what it is called, such as difficulty")
    values: dict[str, float] = Field(min_length=1, description="each value and its share; they need not sum to one")
    when: dict[str, tuple[str, ...]] = Field(
        {},
        description="attributes before it and the values of each with which a row has this one; empty: each row has it",
    )

    @model_validator(mode="after")
    def _has_shares(self) -> Self:
        if any(share < 0 or not math.isfinite(share) for share in self.values.values()) or not sum(
            self.values.values()
        ):
            raise ValueError(f"{self.name}: shares are numbers from 0 on, and one of them is above 0")
        return self

    @property
    def shares(self) -> dict[str, float]:
        """The values with their shares, which sum to one."""
        whole = sum(self.values.values())
        return {value: share / whole for value, share in self.values.items()}

    def applies(self, drawn: Mapping[str, str]) -> bool:
        """Whether a row with these values has one of this attribute."""
        return all(drawn.get(name) in values for name, values in self.when.items())

    def at(self, point: float) -> str:
        """The value at a point of [0, 1)."""
        for value, share in self.shares.items():
            point -= share
            if point < 0 and share:
                return value
        return next(value for value, share in reversed(self.shares.items()) if share)


def check_attributes(attributes: Sequence[Attribute]) -> None:
    """Raise ConfigError where a name stands twice, or a condition names what no attribute before it has."""
    before: dict[str, Attribute] = {}
    for one in attributes:
        if one.name in before:
            raise ConfigError("two attributes have the same name", one.name, "give each its own")
        for name, values in one.when.items():
            if name not in before:
                fix = did_you_mean(name, before, "name one that stands before it")
                raise ConfigError(f"{one.name} depends on an attribute that does not stand before it", name, fix)
            odd = next((value for value in values if value not in before[name].values), None)
            if odd is not None:
                fix = did_you_mean(odd, before[name].values, f"it has {', '.join(before[name].values)}")
                raise ConfigError(f"{one.name} depends on a value that {name} does not have", odd, fix)
        before[one.name] = one


def drawn_values(attributes: Sequence[Attribute], place: int) -> dict[str, str]:
    """The values of row number `place`, from 0 on, by the names of those attributes that it has."""
    drawn: dict[str, str] = {}
    for one, step in zip(attributes, _steps(len(attributes)), strict=True):
        if one.applies(drawn):
            drawn[one.name] = one.at((0.5 + (place + 1) * step) % 1.0)
    return drawn


@cache
def _steps(dimensions: int) -> tuple[float, ...]:
    """How far the sequence goes on in each dimension: powers of 1/g, where g is the root of g^(d+1) = g + 1."""
    ratio = 2.0
    for _ in range(64):
        ratio = (1 + ratio) ** (1 / (dimensions + 1))
    return tuple(ratio**-power % 1.0 for power in range(1, dimensions + 1))


class DrawnRows(Sequence[dict[str, Any]]):
    """What stands in row after row, without end: `place`, and the values of its attributes."""

    def __init__(self, attributes: Sequence[Attribute]) -> None:
        self._attributes = tuple(attributes)

    def __len__(self) -> int:
        return ENDLESS

    @overload
    def __getitem__(self, place: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[dict[str, Any]]: ...
    def __getitem__(self, place: int | slice) -> Any:
        """The row at a place."""
        if isinstance(place, slice):
            return [self[at] for at in range(*place.indices(len(self)))]
        values = drawn_values(self._attributes, place)
        listed = [{"name": name, "value": value} for name, value in values.items()]
        return {"place": place, "attributes": listed} | (
            {"language": values["language"]} if "language" in values else {}
        )

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[place] for place in range(len(self)))


def quotas_of(attributes: Sequence[Attribute], rows: int) -> dict[str, dict[str, int]]:
    """How many of `rows` rows each value of each attribute is to have, by largest remainders: they sum to the rows that have it.

    An attribute that depends on more than one other has none: how many rows it has is not told by theirs.
    """
    quotas: dict[str, dict[str, int]] = {}
    for one in attributes:
        if len(one.when) > 1 or any(name not in quotas for name in one.when):
            continue
        there = [quotas[name][value] for name, values in one.when.items() for value in dict.fromkeys(values)]
        quotas[one.name] = _parted(one.shares, sum(there) if one.when else rows)
    return quotas


def _parted(shares: Mapping[str, float], rows: int) -> dict[str, int]:
    exact = {value: share * rows for value, share in shares.items()}
    parts = {value: math.floor(number + 1e-9) for value, number in exact.items()}
    order = sorted(exact, key=lambda value: parts[value] - exact[value])  # stable: of equal remainders the first
    for value in order[: rows - sum(parts.values())]:
        parts[value] += 1
    return parts
