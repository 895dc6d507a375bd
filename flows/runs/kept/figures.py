"""The figures that a run leaves in its dataset's folder, from its finished tables and what was counted on the way."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl

from flows.runs.progress import StepProgress
from tasks.publish.describe.run_figures import Evolution, StepFigures, TextLengths
from tasks.publish.report.histories import histories_of
from tasks.publish.report.measures import shown_ids
from tasks.storage.tables import Table
from tasks.text.words import word_count

EVOLVES = "evol_instruct"
MOST_CHARS = 1_000
Z = 1.96  # of an interval of 95 %


def figures_of_steps(steps: Mapping[str, Sequence[Table]], counted: Iterable[StepProgress]) -> list[StepFigures]:
    """A line for each step of a run, in order."""
    seen = {step.name: step for step in counted}
    return [_of_step(name, tables, seen.get(name)) for name, tables in steps.items()]


def _of_step(name: str, tables: Sequence[Table], counted: StepProgress | None) -> StepFigures:
    told: dict[str, Any] = {}
    if counted is not None:
        told = counted.tally.figures()
        told |= {"shards": counted.shards, "cached": counted.shards_cached, "seconds": round(counted.seconds, 2)}
    return StepFigures(
        name=name,
        rows_in=sum(table.rows_in for table in tables),
        rows=sum(table.rows for table in tables),
        rejects=_sum(table.rejects for table in tables),
        losses=_sum(table.losses for table in tables),
        **told,
    )


def evolutions_in(steps: Mapping[str, Sequence[Table]]) -> list[Evolution]:
    """How instructions became longer where a step evolves them: its rows in beside its rows out."""
    found = []
    for (_, given), (name, made) in pairwise(steps.items()):
        if name == EVOLVES and any(table.rows for table in given):
            operations, unchanged = _operations(made)
            found.append(
                Evolution(
                    step=name,
                    before=_lengths(given),
                    after=_lengths(made),
                    operations=operations,
                    unchanged=unchanged,
                )
            )
    return found


def instructions_before(draft: Path, tables: Iterable[Table]) -> dict[str, str]:
    """What the rows of a run said that the rows which the report will show were made of, by id, sorted."""
    histories = histories_of(draft / "provenance.parquet", shown_ids(draft))
    wanted = sorted({one for history in histories.values() for one in history.ids})
    found: dict[str, str] = {}
    for table in tables if wanted else ():
        if table.rows:
            frame = table.read()
            if "instruction" in frame.columns:
                some = frame.filter(pl.col("row_id").is_in(wanted)).select(
                    "row_id", pl.col("instruction").str.head(MOST_CHARS)
                )
                found |= {row_id: text for row_id, text in some.iter_rows() if text}
    return dict(sorted(found.items()))


def _operations(tables: Sequence[Table]) -> tuple[dict[str, int], int]:
    """How often each operation was done, and how many rows have none that was."""
    counts, unchanged = Counter[str](), 0
    for done in _column(tables, "operations"):
        counts.update(name for name in done if name)
        unchanged += not any(done)
    return dict(sorted(counts.items())), unchanged


def _lengths(tables: Sequence[Table]) -> TextLengths:
    count, total, squares = 0, 0, 0
    for text in _column(tables, "instruction"):
        length = word_count(text)
        count, total, squares = count + 1, total + length, squares + length * length
    mean = total / count if count else 0.0
    spread = max(0.0, squares / count - mean * mean) if count else 0.0
    error = Z * math.sqrt(spread / (count - 1)) if count > 1 else 0.0
    return TextLengths(rows=count, mean=round(mean, 2), error=round(error, 2))


def _column(tables: Sequence[Table], name: str) -> Iterator[Any]:
    """The values of a column of the tables that have it, one table at a time."""
    for table in tables:
        frame: pl.DataFrame = table.read() if table.rows else pl.DataFrame()
        yield from (value for value in frame[name] if value is not None) if name in frame.columns else ()


def _sum(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    return dict(sorted(sum((Counter(one) for one in counts), Counter[str]()).items()))
