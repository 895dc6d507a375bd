"""Two proofs side by side: which of two datasets has taught more, item by item where both were measured by the same items."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tasks.errors import ConfigError
from tasks.train.arms import BASE, DATASET
from tasks.train.bootstrap import Difference, difference
from tasks.train.proof import LOWER_IS_BETTER, NEITHER_IS_BETTER

PROOF = "proof.json"


def proof_in(folder: Path) -> dict[str, Any] | None:
    """The proof in a folder, None where there is none. Raises ConfigError for a file that is none."""
    path = folder / PROOF
    if not path.is_file():
        return None
    try:
        proof: dict[str, Any] = json.loads(path.read_bytes())
        proof["measures"], proof["identity"]
    except (ValueError, TypeError, LookupError) as error:
        raise ConfigError("not what `stillroom prove` writes", path, "remove it, and prove again") from error
    return proof


def proofs_compared(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For each measure of both: `means` of their students, `gains` over the base, and `finding`, a sentence.

    `difference`: the second's less the first's with its interval, where base and items are the same; else None.
    """
    return list(_compared(one, other))


def _compared(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    theirs = {told["measure"]: told for told in other["measures"]}
    for ours in one["measures"]:
        told = theirs.get(ours["measure"])
        if told is None:
            continue
        alike = one["identity"] == other["identity"] and ours.get("key") == told.get("key") is not None
        gap = difference(told["figures"], ours["figures"]) if alike else None
        yield {
            "measure": ours["measure"],
            "means": [side["means"][DATASET] for side in (ours, told)],
            "gains": [side["versus"].get(BASE) for side in (ours, told)],
            "difference": asdict(gap) | {"shown": gap.is_shown} if gap else None,
            "finding": f"{ours['measure']}: {_said(ours['measure'], gap)}",
        }


def _said(measure: str, gap: Difference | None) -> str:
    if gap is None:
        return "other items or another base, so the two cannot be held against each other"
    interval = f"{gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}], {gap.items} items"
    if gap.is_none:
        return f"the same in each of {gap.items} items"
    if not gap.is_shown:
        return f"no difference that so many items could show ({interval}; visible from {gap.visible:.3f})"
    if measure in NEITHER_IS_BETTER:
        return f"the second has {'more' if gap.mean > 0 else 'fewer'}, {interval}"
    better = (gap.mean < 0) == (measure in LOWER_IS_BETTER)
    return f"the {'second' if better else 'first'} has taught more, {interval}"
