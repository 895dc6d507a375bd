"""From a sample of rows to what a whole run takes: totals with a range, by the bootstrap. Pure.

    forecast([stage], windows, hurdles)

Each draw takes the sample anew with replacement (one unit fewer than there are, which makes up for its being small),
reads from it how many units the whole run needs, and adds to what is known of the sampled units what the others may
take. The range holds 90 % of the draws. Efron & Tibshirani 1993, chapters 6 and 13.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

DRAWS = 1000
COVERED = 0.9

Usage = Mapping[Hashable, float]
"""What one unit (a row that is begun with, or a prompt of the bootstrap) came to: `rows` and what was spent on them.

`chain_s`: the seconds that its requests took from the first to the last. (`busy_s`, model), (`requests`, model) and
(`tokens`, model): of each model by itself.
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """Units of one kind: those sampled, and how many the whole run has.

    `count` takes the rows that come of a unit, and the rows of the stage before (0 for the first).
    """

    units: Sequence[Usage]
    count: Callable[[float, float], float]


@dataclass(frozen=True, slots=True)
class ModelLimits:
    """What a model takes at most: requests at once, requests and tokens a minute."""

    in_flight: int
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """What is expected, and between what nine of ten such runs would lie."""

    expected: float
    low: float
    high: float


def forecast(
    stages: Sequence[Stage], windows: Mapping[str, ModelLimits], own_s: Callable[[float], float]
) -> dict[str, Range]:
    """Totals of the whole run, sample included: rows_in, rows, requests, tokens, cost, seconds.

    `own_s`: seconds that the house itself takes for so many rows. The draws are the same for the same sample.
    """
    rng = random.Random(0)
    expected = _totals(stages, None, windows, own_s)
    draws = [_totals(stages, rng, windows, own_s) for _ in range(DRAWS)]
    tail = (1 - COVERED) / 2
    ranges = {}
    for name, value in expected.items():
        drawn = sorted(draw[name] for draw in draws)
        low, high = drawn[math.floor(tail * (DRAWS - 1))], drawn[math.ceil((1 - tail) * (DRAWS - 1))]
        ranges[name] = Range(value, min(value, low), max(value, high))
    return ranges


def spanned(expected: Mapping[str, Range], other: Mapping[str, Range]) -> dict[str, Range]:
    """The ranges widened by those of another course that the run may take."""
    return {
        name: Range(values.expected, min(values.low, other[name].low), max(values.high, other[name].high))
        for name, values in expected.items()
    }


def duration_s(totals: Usage, windows: Mapping[str, ModelLimits], chain_s: float, late: float) -> float:
    """How long the requests take: the slowest model's, or one row's from its first to its last.

    A model is never idle while rows wait; at the end some of its slots are, for `late` (0 to 1) of a row's requests
    (Graham 1966: never longer than that).
    """
    slowest = max((_window_s(totals, model, window) for model, window in windows.items()), default=0.0)
    return max(slowest, chain_s) + late * min(slowest, chain_s)


def _window_s(totals: Usage, model: str, window: ModelLimits) -> float:
    busy_s = totals.get(("busy_s", model), 0.0) / window.in_flight
    minutes = (
        totals.get((what, model), 0.0) / most if most else 0.0
        for what, most in (("requests", window.requests_per_minute), ("tokens", window.tokens_per_minute))
    )
    return max(busy_s, *(60 * m for m in minutes))


def _totals(
    stages: Sequence[Stage],
    rng: random.Random | None,
    windows: Mapping[str, ModelLimits],
    own_s: Callable[[float], float],
) -> dict[str, float]:
    """The totals as the sample's means have them, or as one draw has them."""
    totals: dict[Hashable, float] = {}
    chain_s = rows = rows_in = 0.0
    for stage in stages:
        units = stage.units if rng is None else rng.choices(stage.units, k=max(1, len(stage.units) - 1))
        count = stage.count(fmean(unit["rows"] for unit in units), rows)
        of_stage = {name: _total(name, stage.units, units, count, rng) for name in _names(stage.units)}
        rows, rows_in = of_stage.pop("rows"), rows_in or count
        chain_s += of_stage.pop("chain_s") / max(count, 1)
        totals = {name: totals.get(name, 0.0) + of_stage.get(name, 0.0) for name in {**totals, **of_stage}}
    late = 0.5 if rng is None else rng.random()
    seconds = duration_s(totals, windows, chain_s, late) + own_s(rows_in)
    told = {str(name): value for name, value in totals.items() if isinstance(name, str)}
    return {"rows_in": rows_in, "rows": rows, **told, "seconds": seconds}


def _total(
    name: Hashable, sample: Sequence[Usage], units: Sequence[Usage], count: float, rng: random.Random | None
) -> float:
    """What the sample has taken, and what the other units of the whole may take, drawn from `units`."""
    taken, others = [unit.get(name, 0.0) for unit in sample], max(0.0, count - len(sample))
    drawn = [unit.get(name, 0.0) for unit in units]
    scatter = rng.gauss(0, math.sqrt(others * _variance(drawn))) if rng is not None and others else 0.0
    return sum(taken) + max(0.0, others * fmean(drawn) + scatter)


def _variance(values: Sequence[float]) -> float:
    mean = fmean(values)
    return fmean([(value - mean) ** 2 for value in values])


def _names(units: Sequence[Usage]) -> list[Hashable]:
    return sorted({name for unit in units for name in unit}, key=str)
