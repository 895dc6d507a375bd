"""How far reviewers agree with each other and with the judges of a dataset.

Cohen's kappa (1960) of two who sort the same rows: 1 is agreement, 0 what chance would give. For grades it is weighted by the
square of their distance (Cohen 1968), so that 4 for 5 weighs less than 1 for 5.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tasks.reviews.decisions import Decision, Numbered
from tasks.text.verdicts.agreement import Alpha

DIGITS = 4
FEWEST_JUDGED = 10
"""Decisions that a kappa with the judges needs."""
ACCEPTED_FROM = 3.0
"""The judge's score from which a row counts as accepted by it, as `curate.rate` has it by default."""


class ReviewFigures(NamedTuple):
    """`counts`: standing decisions of each reviewer, by kind. `alpha`: of verdicts, ratings and preferences that several gave.

    `kappa`: with the judges, of each of these; `pairs`: on how many rows each of the figures rests. None: too few to say.
    """

    counts: dict[str, dict[str, int]]
    alpha: dict[str, float | None]
    kappa: dict[str, float | None]
    pairs: dict[str, int]


def figures_of_reviews(
    stand: Mapping[tuple[str, str], Sequence[Numbered]], rows: Mapping[str, Mapping[str, Any]]
) -> ReviewFigures:
    """The figures of decisions. `rows`: those that were decided about, by id."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    said: dict[str, defaultdict[str, list[float]]] = {kind: defaultdict(list) for kind in ("verdict", "rating", "side")}
    with_judge: dict[str, list[tuple[float, float]]] = {kind: [] for kind in said}
    for (reviewer, about), some in stand.items():
        row = rows.get(about, {})
        for one in some:
            counts[reviewer][one.decision.decision] += 1
            if (found := _as_number(one.decision)) is None:
                continue
            kind, value = found
            said[kind][about].append(value)
            judged = _of_judge(kind, row, one.decision)
            if judged is not None:
                with_judge[kind].append((_as_seen(kind, value, one.decision), judged))
    alphas = {kind: _alpha(units, ordinal=kind == "rating") for kind, units in said.items()}
    kappas = {
        kind: cohen_kappa(pairs, squared=kind == "rating") if len(pairs) >= FEWEST_JUDGED else None
        for kind, pairs in with_judge.items()
    }
    told = {name: dict(sorted(count.items())) for name, count in sorted(counts.items())}
    return ReviewFigures(told, alphas, kappas, {kind: len(pairs) for kind, pairs in with_judge.items()})


def _as_number(one: Decision) -> tuple[str, float] | None:
    if one.decision in ("accept", "reject"):
        return "verdict", float(one.decision == "accept")
    if one.rating is not None:
        return "rating", float(one.rating)
    if one.decision in ("prefer", "swap"):
        return "side", {"chosen": 1.0, "tie": 0.0, "rejected": -1.0}[one.preferred or "rejected"]
    return None


def _as_seen(kind: str, value: float, one: Decision) -> float:
    """A preference as left (1) or right (-1) where the sides were shown without a name: the judge's side is drawn then."""
    return -value if kind == "side" and one.left == "rejected" else value


def _of_judge(kind: str, row: Mapping[str, Any], one: Decision) -> float | None:
    """What the judges of the dataset say of the same; None where they said nothing."""
    if kind == "side":
        if one.left is None or row.get("score_chosen") is None:
            return None  # of a pair whose sides have their names the judge always says the same
        return 1.0 if one.left == "chosen" else -1.0
    score = row.get("score")
    if not isinstance(score, int | float):
        return None
    return float(score >= ACCEPTED_FROM) if kind == "verdict" else float(min(5, max(1, round(score))))


def _alpha(units: Mapping[str, Sequence[float]], *, ordinal: bool) -> float | None:
    alpha = Alpha()
    for _, values in sorted(units.items()):
        alpha.add(values)
    found = alpha.ordinal() if ordinal else alpha.interval()
    return None if found is None else round(found, DIGITS)


def cohen_kappa(pairs: Sequence[tuple[float, float]], *, squared: bool = False) -> float | None:
    """Kappa of what two say of the same things. `squared`: weighted by the square of the distance. None: nothing to go by."""
    if not pairs:
        return None
    ones, others = (Counter(side) for side in zip(*pairs, strict=True))

    def apart(one: float, other: float) -> float:
        return (one - other) ** 2 if squared else float(one != other)

    observed = sum(apart(*pair) for pair in pairs) / len(pairs)
    expected = (
        sum(n * m * apart(one, other) for one, n in ones.items() for other, m in others.items()) / len(pairs) ** 2
    )
    return round(1 - observed / expected, DIGITS) if expected else None
