"""Two datasets side by side: figures with their intervals, and which rows differ.

stillroom compare datasets/one datasets/other
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from tasks.publish.changes import IDS, Changes, changes_between
from tasks.publish.export import published_at
from tasks.publish.report.measures import Measures, counted_answers, distinct_shares, measures_of
from tasks.publish.report.said import texts_of_row
from tasks.publish.report.shown_rows import short
from tasks.publish.report.spread import Spread, interval_of_share
from tasks.publish.revisions import all_data_files, count_rejects
from tasks.storage.tables import height_of

GROUPS = 30
"""Of answers, whose shares of different n-grams are averaged: the more answers, the smaller that share, so both have groups of one size."""
SHOWN, SHOWN_CHARS = 3, 160
"""Rows of each kind of change, and characters of each text."""
COMPARED_ROWS = 1_000_000
"""Among so many of each dataset, at most, examples are looked for."""


def comparison_of(one: Path, other: Path) -> dict[str, Any]:
    """`figures`: by name, of both, in words; `changes`: rows added, changed and gone from the first to the second; `examples`: some of each.

    Raises ConfigError where one of the folders is no dataset.
    """
    folders = [published_at(folder)[0] for folder in (one, other)]
    measured = [measures_of(folder) for folder in folders]
    group = max(1, min(measures.counted for measures in measured) // GROUPS)
    told = [dict(_figures(folder, measures, group)) for folder, measures in zip(folders, measured, strict=True)]
    names = dict.fromkeys([*told[0], *told[1]])
    before, after = (all_data_files(folder) for folder in folders)
    with TemporaryDirectory() as scratch:
        changes = changes_between(before, after, Path(scratch)) or Changes()
    figures = {name: [some.get(name, "–") for some in told] for name in names}
    return {"figures": figures, "changes": changes.model_dump(), "examples": _examples(before, after)}


def _figures(folder: Path, measures: Measures, group: int) -> Iterator[tuple[str, str]]:
    rejects = count_rejects(folder)
    yield "rows", f"{measures.rows:,}"
    yield "rejected", _share(rejects, rejects + measures.rows)
    yield "question, characters", _mean(measures.asked)
    yield "answer, characters", _mean(measures.answered)
    if measures.pairs:
        yield "chosen is longer", _share(measures.longer, measures.pairs)
    if measures.margins.count:
        yield "margin", _mean(measures.margins)
    for name, scores in measures.scores.items():
        yield name, _mean(scores)
    for n, shares in _distinct(counted_answers(measures), group).items():
        yield f"distinct {n}-grams, %", _mean(shares)


def _distinct(answers: Sequence[str], group: int) -> dict[int, Spread]:
    """Of each n, the percentage of different n-grams in each group of so many answers."""
    shares = dict[int, Spread]()
    groups = len(answers) // group
    for number in range(groups):
        for n, share in distinct_shares(answers[number::groups][:group]).items():
            shares.setdefault(n, Spread(1.0)).add([100 * share])
    return shares


def _examples(before: list[Path], after: list[Path]) -> dict[str, list[dict[str, str]]]:
    """Some rows of each kind of change, by their ids; none where rows have no id, or a dataset has no rows."""
    sides = [_known(files) for files in (before, after)]
    old, new = sides
    if old is None or new is None:
        return {}
    both = old.join(new, on="row_id", how="full", coalesce=True, suffix="_new")
    is_of = {
        "added": pl.col("content").is_null(),
        "changed": pl.col("content") != pl.col("content_new"),
        "gone": pl.col("content_new").is_null(),
    }
    found = {
        kind: both.filter(holds).select("row_id").sort("row_id").head(SHOWN).collect()["row_id"].to_list()
        for kind, holds in is_of.items()
    }
    wanted = [row_id for ids in found.values() for row_id in ids]
    texts = [_texts(files, wanted) for files in (before, after)]
    return {kind: [_told(row_id, *texts) for row_id in ids] for kind, ids in found.items() if ids}


def _known(files: list[Path]) -> pl.LazyFrame | None:
    """What each row is known by and what it says, as `row_id` and `content`: of many rows those of a part of the ids."""
    if not files or (name := _id_column(files)) is None:
        return None
    rows = pl.scan_parquet(files)
    content = pl.struct(sorted(rows.collect_schema())).hash().alias("content")
    parts = height_of(*files) // COMPARED_ROWS + 1
    return rows.select(pl.col(name).alias("row_id"), content).filter(pl.col("row_id").hash() % parts == 0)


def _id_column(files: list[Path]) -> str | None:
    there = pl.scan_parquet(files).collect_schema()
    return next((name for name in IDS if name in there), None)


def _texts(files: list[Path], ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """What is asked and answered in rows, by their ids."""
    name = str(_id_column(files))
    rows = pl.scan_parquet(files).filter(pl.col(name).is_in(ids)).collect(engine="streaming")
    said = {row[name]: texts_of_row(row) for row in rows.iter_rows(named=True)}
    return {
        row_id: (short(one.question, SHOWN_CHARS), short(" / ".join(text for _, text in one.answers), SHOWN_CHARS))
        for row_id, one in said.items()
    }


def _told(row_id: str, before: Mapping[str, tuple[str, str]], after: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """A row that differs: what it asks, and its answer on each side where it stands there."""
    question = (after.get(row_id) or before[row_id])[0]
    sides = {name: there[row_id][1] for name, there in (("before", before), ("after", after)) if row_id in there}
    return {"row_id": row_id, "question": question, **sides}


def _mean(spread: Spread) -> str:
    return f"{spread.mean:.4g} ± {spread.error:.2g}"


def _share(part: int, whole: int) -> str:
    low, high = interval_of_share(part, whole)
    return f"{100 * part / whole:.1f} % ({100 * low:.1f}-{100 * high:.1f})" if whole else "–"
