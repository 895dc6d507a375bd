"""Weights of what is drawn: numbers from 0 on, of which one is above 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeVar

from pydantic import Field

W = TypeVar("W", bound=Mapping[str, float])
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def some_weight(weights: W) -> W:
    """The weights. Raises ValueError where nothing can be drawn by them."""
    if not any(weights.values()):
        raise ValueError("one of the weights has to be above 0")
    return weights
