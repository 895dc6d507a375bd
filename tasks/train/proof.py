"""What a proof says: of each measure the students' means, how far the dataset's student is from each of the others, and
whether so many items could show it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tasks.train.arms import BASE, CURVE, DATASET, SFT, SHUFFLED, WITHOUT
from tasks.train.bootstrap import Difference, difference
from tasks.train.lessons import LessonKind
from tasks.train.settings import Training

LOWER_IS_BETTER = ("loss", "refusals", "forgetting")
NEITHER_IS_BETTER = ("words",)
NEEDED_ITEMS = 20
"""Fewer show nothing: of so many, a share has to differ by a third to be seen four times in five."""
TAUGHT: Mapping[LessonKind, str] = {"sft": "answers", "dpo": "pairs"}
Figures = Mapping[str, Sequence[float]]
"""By student: a figure of each item, the same items for all; over several seeds their means."""


def measure_told(name: str, figures: Figures) -> dict[str, Any]:
    """One measure: means, and the dataset's student against each other one."""
    ours = figures[DATASET]
    slope = slope_of(figures)
    versus = {other: difference(ours, theirs) for other, theirs in figures.items() if other != DATASET}
    return {
        "measure": name,
        "better": "neither" if name in NEITHER_IS_BETTER else "lower" if name in LOWER_IS_BETTER else "higher",
        "items": len(ours),
        "means": {student: sum(of_one) / len(of_one) for student, of_one in figures.items()},
        "versus": {other: asdict(gap) | {"shown": gap.is_shown} for other, gap in versus.items()},
        "findings": [
            *(finding(name, other, gap) for other, gap in versus.items() if other not in CURVE),
            *([curve_finding(name, slope)] if slope else []),
        ],
    } | ({"doubling": asdict(slope) | {"shown": slope.is_shown}} if slope else {})


def slope_of(figures: Figures) -> Difference | None:
    """What each doubling of the rows brought: of each item the slope of its figure over log2 of the rows, by least squares.

    None where there is no learning curve.
    """
    if not set(CURVE) <= set(figures):
        return None
    points = [(-math.log2(by), figures[name]) for name, by in CURVE.items()] + [(0.0, figures[DATASET])]
    middle = sum(at for at, _ in points) / len(points)
    spread = sum((at - middle) ** 2 for at, _ in points)
    weights = [(at - middle) / spread for at, _ in points]
    items = zip(*(of_one for _, of_one in points), strict=True)
    slopes = [sum(weight * figure for weight, figure in zip(weights, of_item, strict=True)) for of_item in items]
    return difference(slopes, [0.0] * len(slopes))


def curve_finding(measure: str, slope: Difference) -> str:
    """What more rows have brought, and would likely bring."""
    interval = f"{slope.mean:+.3f} [{slope.low:+.3f}, {slope.high:+.3f}]"
    if not slope.is_shown:
        return f"{measure}: from an eighth of the rows to all of them no change that so many items could show ({interval} a doubling)"
    return f"{measure}: each doubling of the rows brought {interval}; another would likely bring no more than that"


def finding(measure: str, other: str, gap: Difference) -> str:
    """A sentence that says what is shown, and what is not."""
    against = {BASE: "the base", SHUFFLED: "the same rows shuffled", SFT: "the student before the pairs"}.get(
        other, other
    )
    interval = f"{gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}], {gap.items} items"
    if gap.is_none:
        return f"{measure}: as {against} in each of {gap.items} items"
    if not gap.is_shown:
        return f"{measure}: no difference from {against} that so many items could show ({interval}; visible from {gap.visible:.3f})"
    if measure in NEITHER_IS_BETTER:
        return f"{measure}: {'more' if gap.mean > 0 else 'fewer'} than {against} by {interval}"
    better = (gap.mean < 0) == (measure in LOWER_IS_BETTER)
    use = f": it {'helps' if better else 'harms'}" if other.startswith(f"{WITHOUT} ") else ""
    return f"{measure}: {'better' if better else 'worse'} than {against} by {interval}{use}"


def known_items(found: Mapping[str, Sequence[Sequence[float | None]]]) -> list[int]:
    """The places of the items that have a figure for every student and seed."""
    items = zip(*(of_seed for of_seeds in found.values() for of_seed in of_seeds), strict=True)
    return [place for place, of_item in enumerate(items) if all(figure is not None for figure in of_item)]


def known_of(found: Mapping[str, Sequence[Sequence[float | None]]]) -> dict[str, list[list[float]]]:
    """By student and seed the figures of the items that have one for every student; the others are left out for all."""
    known = known_items(found)
    return {
        name: [[one for place in known if (one := of_seed[place]) is not None] for of_seed in of_seeds]
        for name, of_seeds in found.items()
    }


def mean_of(figures: Sequence[Sequence[float]]) -> list[float]:
    """Item by item over several seeds."""
    return [sum(of_item) / len(of_item) for of_item in zip(*figures, strict=True)]


def training_told(kind: LessonKind, training: Training) -> str:
    """How students were trained, in a line."""
    what = f"adapters of rank {training.lora}" if training.lora else "the whole student"
    loss = f", beta {training.beta:g}" if kind == "dpo" else ""
    if kind == "dpo" and training.sft_weight:
        loss += f", {training.sft_weight:g} of the chosen answers' own loss"
    rate = f"learning rate {training.learning_rate:g}{loss}, rows of at most {training.max_length:,} tokens"
    often = f"for {training.steps:,} steps" if training.steps else f"{training.epochs:g} times"
    return f"{TAUGHT[kind]} are taught {often}, {training.batch} at once, {rate}, {what}"


def as_markdown(proof: Mapping[str, Any]) -> str:
    """The proof as people read it: a table for each measure, and what it shows."""
    lines = [f"# {proof['dataset']}: does it teach {proof['base']}?", ""]
    for told in proof["measures"]:
        lines += [f"## {told['measure']} ({told['better']} is better, {told['items']} items)", ""]
        lines += ["| student | mean | the dataset's against it, 95 % interval |", "|---|---|---|"]
        for student, mean in told["means"].items():
            gap = told["versus"].get(student)
            said = f"{gap['mean']:+.3f} [{gap['low']:+.3f}, {gap['high']:+.3f}]" if gap else ""
            lines.append(f"| {student} | {mean:.3f} | {said} |")
        lines += ["", *(f"- {line}" for line in told["findings"]), ""]
    lines += [f"- {line}" for line in proof["notes"]]
    return "\n".join(lines).rstrip() + "\n"
