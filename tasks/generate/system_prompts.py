"""Which system prompt a row is asked with: one for all, or drawn by weight, or the row's own."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import AfterValidator

from tasks.engine.row import Row
from tasks.errors import ConfigError


def _weighted(systems: dict[str, float]) -> dict[str, float]:
    if any(weight < 0 or not math.isfinite(weight) for weight in systems.values()):
        raise ConfigError("a system prompt has a weight below zero or not finite", systems, "weights are 0 or more")
    if systems and not any(systems.values()):
        raise ConfigError("no system prompt has a weight above zero", systems, "give at least one a weight, such as 1")
    return systems


SystemPrompts = Annotated[dict[str, float], AfterValidator(_weighted)]
"""System prompt -> weight. Weights are relative: they need not sum to one."""


def system_of(row: Row, system: str, systems: dict[str, float], sample: int = 0) -> str:
    """The system prompt: drawn from `systems` by (seed, row, sample), else `system`, else the row's own, else ""."""
    if systems:
        return row.choose(list(systems), "system", sample, weights=list(systems.values()))
    return system or row.get("system") or ""
