"""What trainers will see of a dataset (`stillroom fit`), kept beside its rows for its report and its card.

`fit.json` has a record for each model, trainer and setting that was looked at, of the rows as they are now: a publication that
changes rows leaves none of it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.errors import ConfigError
from tasks.notices import tell
from tasks.publish.revisions import CARD, FIT_FILE, Publication, drafting, history, newest
from tasks.storage.files import write_atomically

ABOUT = ("model", "trainer", "loss", "pairs", "split")
"""What tells one look at a dataset from another."""
NOT_KEPT = ("dataset", "table")  # where they lie on this machine
BEFORE = "## Limits\n"


def fits_of(folder: Path) -> list[dict[str, Any]]:
    """What was found of the dataset in a folder, in the order of models. Raises ConfigError where the file is none."""
    path = folder / FIT_FILE
    try:
        found = json.loads(path.read_bytes()) if path.exists() else []
    except ValueError as error:
        raise ConfigError("not what `stillroom fit` writes", path, "remove it, and look again") from error
    return list(found)


def keep_fit(out: Path, found: Mapping[str, Any]) -> bool:
    """Keep what was found of a dataset of ours beside it, and say so in its card; whether it was kept.

    It is not where the folder is no dataset of ours, or not to be written to. `found`: a summary, with what `ABOUT` names.
    """
    line = published_here(out)
    if line is None:
        return False
    if not os.access(out, os.W_OK):
        tell(f"{out} may not be written to: what was found is not kept beside it")
        return False
    with drafting(out):
        if history(out)[-1] != line:
            return False  # another run has published since
        told = {name: value for name, value in found.items() if name not in NOT_KEPT}
        told["revision"] = line.revision
        kept = [one for one in fits_of(out) if any(one.get(name) != told.get(name) for name in ABOUT)]
        fits = sorted([*kept, told], key=lambda one: [str(one.get(name)) for name in ABOUT])
        write_beside(out, FIT_FILE, fits)
        put_section(out, fit_section(fits), "fit")
    return True


def published_here(out: Path) -> Publication | None:
    """The newest publication of the dataset of ours in a folder; None where there is none."""
    lines = history(out) if out.is_dir() else []
    return lines[-1] if lines and newest(out) == out else None


def write_beside(out: Path, name: str, told: Any) -> None:
    """Write what was found of a dataset, as JSON that people read too."""
    write_atomically(out / name, f"{json.dumps(told, indent=1, ensure_ascii=False)}\n".encode())


def put_section(out: Path, section: str, name: str) -> None:
    """Have the card of a dataset say it, where it has one."""
    if (out / CARD).exists():
        write_atomically(out / CARD, with_section((out / CARD).read_text(encoding="utf-8"), section, name).encode())


def carry_fits(before: Path | None, draft: Path) -> None:
    """Have what was found of a dataset go along with a publication that changes no row of it."""
    if before is not None and (before / FIT_FILE).exists():
        write_atomically(draft / FIT_FILE, (before / FIT_FILE).read_bytes())


def fit_section(fits: Sequence[Mapping[str, Any]]) -> str:
    """The section of the card, "" where nothing was looked at."""
    return "".join(["## Fit\n\n", *(f"{_told(one)}\n" for one in fits)]) if fits else ""


def with_section(card: str, section: str, name: str) -> str:
    """A card with this section in the place of the one of that name, or before its limits. "" takes it out."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    bare = re.sub(f"{re.escape(begin)}.*?{re.escape(end)}\n?", "", card, flags=re.DOTALL)
    head, mark, rest = bare.partition(BEFORE)
    return f"{head}{begin}{section}{end}\n{mark}{rest}" if section else f"{head}{mark}{rest}"


def fit_line(fit: Mapping[str, Any]) -> str:
    """What was found for one model, in a sentence or two."""
    loss = fit["loss_tokens"] / fit["kept_tokens"] if fit["kept_tokens"] else 0.0
    told = (
        f"{fit['trainer']} with max_length {fit['max_length']:,}: {fit['rows']:,} rows, {fit['kept_tokens']:,} tokens, "
        f"{loss:.0%} of them with loss; {fit['unfit']:,} rows are unfit."
    )
    lengths = ", ".join(f"{one['share']:.0%} at {one['max_length']:,}" for one in fit["lengths"])
    return f"{told} Rows stay whole: {lengths}." if lengths else told


def _told(fit: Mapping[str, Any]) -> str:
    lines = [f"For `{fit['model']}`, {fit_line(fit)}", ""]
    if fit["findings"]:
        lines += ["| finding | rows | share | what mends it |", "|---|---|---|---|"]
        lines += [
            f"| {one['what']} | {one['count']:,} | {one['share']:.1%} | {one['fix'] or '–'} |"
            for one in fit["findings"]
        ]
        lines.append("")
    return "\n".join(lines)
