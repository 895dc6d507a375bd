"""Two datasets side by side: figures with their intervals, and which rows differ."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tasks.publish.changes import Changes, changes_between
from tasks.publish.export import published_at
from tasks.publish.report.measures import Measures, measures_of
from tasks.publish.report.spread import Spread, interval_of_share
from tasks.publish.revisions import all_data_files, count_rejects


def comparison_of(one: Path, other: Path) -> dict[str, Any]:
    """`figures`: by name, of both, in words; `changes`: rows added, changed and gone from the first to the second.

    Raises ConfigError where one of the folders is no dataset.
    """
    folders = [published_at(folder)[0] for folder in (one, other)]
    told = [dict(_figures(folder, measures_of(folder))) for folder in folders]
    names = dict.fromkeys([*told[0], *told[1]])
    with TemporaryDirectory() as scratch:
        before, after = (all_data_files(folder) for folder in folders)
        changes = changes_between(before, after, Path(scratch)) or Changes()
    figures = {name: [some.get(name, "–") for some in told] for name in names}
    return {"figures": figures, "changes": changes.model_dump()}


def _figures(folder: Path, measures: Measures) -> Iterator[tuple[str, str]]:
    rejects = count_rejects(folder)
    yield "rows", f"{measures.rows:,}"
    yield "rejected", _share(rejects, rejects + measures.rows)
    yield "question, characters", _mean(measures.asked)
    yield "answer, characters", _mean(measures.answered)
    if measures.pairs:
        yield "chosen is longer", _share(measures.longer, measures.pairs)
    if measures.margins.count:
        yield "margin", _mean(measures.margins)
    for n, share in measures.distinct.items():
        yield f"distinct {n}-grams", f"{100 * share:.1f} %"


def _mean(spread: Spread) -> str:
    return f"{spread.mean:.4g} ± {spread.error:.2g}"


def _share(part: int, whole: int) -> str:
    low, high = interval_of_share(part, whole)
    return f"{100 * part / whole:.1f} % ({100 * low:.1f}-{100 * high:.1f})" if whole else "–"
