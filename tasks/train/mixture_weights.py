"""The weights of a mixture by a proof of it: a part that helps counts double, one that harms is left out.

    stillroom prove datasets/mixture --base B --slices source
    stillroom mix datasets/chat=3 datasets/maths --proof datasets/mixture --out datasets/better

It goes by whether the student of the whole dataset is shown to be better or worse than the one without the part. A part of
which the items show neither keeps its weight: that nothing shows is no reason to leave it out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.errors import ConfigError, did_you_mean
from tasks.seeds.mixing.mixture import SOURCE
from tasks.seeds.mixing.parts import MixturePart
from tasks.train.answering import RIGHT
from tasks.train.arms import WITHOUT

HELPS = 2.0  # times the weight


def weighed_by(proof: Mapping[str, Any], parts: Sequence[MixturePart]) -> list[MixturePart]:
    """The parts that stay, with their new weights. Raises ConfigError for a proof that says nothing of one of them."""
    told = _telling(proof)
    if proof.get("slices") != SOURCE:
        raise ConfigError("the proof has no slices by source", proof["dataset"], f"prove it with --slices {SOURCE}")
    factors = [_factor(told, part) for part in parts]
    if not any(factors):
        raise ConfigError(f"every part harms, by {told['measure']}", proof["dataset"], "there is nothing to mix")
    weighed = zip(parts, factors, strict=True)
    return [part.model_copy(update={"weight": part.weight * factor}) for part, factor in weighed if factor]


def _telling(proof: Mapping[str, Any]) -> Mapping[str, Any]:
    """The measure that is gone by: whether answers are right, where that is known; else the first."""
    measures: Sequence[Mapping[str, Any]] = proof["measures"]
    return next((told for told in measures if told["measure"] == RIGHT), measures[0])


def _factor(told: Mapping[str, Any], part: MixturePart) -> float:
    known = {name.removeprefix(f"{WITHOUT} "): gap for name, gap in told["versus"].items() if name.startswith(WITHOUT)}
    if part.title not in known:
        fix = did_you_mean(part.title, list(known), f"it tells of {', '.join(known)}")
        raise ConfigError("the proof says nothing of this part", part.title, fix)
    gap = known[part.title]
    if not gap["shown"]:
        return 1.0
    return HELPS if (gap["mean"] < 0) == (told["better"] == "lower") else 0.0
