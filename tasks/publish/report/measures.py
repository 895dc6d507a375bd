"""Figures of a dataset, in one pass over its rows: lengths, scores, margins, how varied its words are. Memory is flat.

What compares rows is of a sample of `SAMPLED_ROWS`, evenly spaced; n-grams are counted in `COUNTED_ROWS` of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from tasks.publish.report.columns import ColumnFigures
from tasks.publish.report.said import Said, texts_of_row
from tasks.publish.report.spread import Spread, number_in
from tasks.publish.revisions import all_data_files
from tasks.storage.tables import height_of, read_stream
from tasks.text.words import word_count, words

SAMPLED_ROWS = 5_000
COUNTED_ROWS = 1_000
SHOWN_ROWS = 20
SAMPLED_CHARS = 2_000
"""Of what a sampled row asks, and of what it answers."""
NGRAMS = (1, 2, 3)
MOST_WORDS = 1_000
"""Of an answer, whose n-grams are counted."""
BINS = {"score": 0.5, "rubric_score": 0.1, "reward": 1.0, "score_chosen": 0.5, "score_rejected": 0.5}
"""Columns that are scores, and how wide a bin of each is."""
SCORES_OF_TURNS = {"complexity": 0.5, "quality": 0.5}
"""Columns with a score for each turn, whose mean counts."""
ROW_IDS = ("row_id", "prompt_id")


class SampledRow(NamedTuple):
    """What is compared of a row."""

    row_id: str
    asked: str
    answered: str

    @property
    def text(self) -> str:
        """All of it."""
        return f"{self.asked}\n{self.answered}"


@dataclass(slots=True)
class Measures:
    """Figures of a dataset. Lengths are in characters; `longer`: pairs whose chosen answer is the longer one.

    `distinct`: the share of different n-grams of words among those of `counted` answers, by n. `evolved`: words of the
    question, by how often it was made harder; `samples`: whole rows to read.
    """

    rows: int = 0
    asked: Spread = field(default_factory=Spread)
    answered: Spread = field(default_factory=Spread)
    margins: Spread = field(default_factory=lambda: Spread(0.5))
    scores: dict[str, Spread] = field(default_factory=dict)
    evolved: dict[int, Spread] = field(default_factory=dict)
    columns: ColumnFigures = field(default_factory=ColumnFigures)
    pairs: int = 0
    longer: int = 0
    counted: int = 0
    distinct: dict[int, float] = field(default_factory=dict)
    turns: Counter[int] = field(default_factory=Counter)
    sampled: list[SampledRow] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)


def measures_of(folder: Path) -> Measures:
    """The figures of the dataset whose files lie in a folder."""
    files = all_data_files(folder)
    rows = (row for frame in read_stream(*files) for row in frame.iter_rows(named=True))
    return measures_of_rows(rows, height_of(*files))


def measures_of_rows(rows: Iterable[Mapping[str, Any]], count: int) -> Measures:
    """The figures of so many rows."""
    measures, at = Measures(rows=count), 0
    for batch in _batches(rows):
        said = [texts_of_row(row) for row in batch]
        measures.asked.add([len(one.question) for one in said])
        measures.answered.add([len(text) for one in said for _, text in one.answers])
        measures.turns.update(sum(role == "user" for role, _ in one.before) for one in said)
        measures.columns.add(batch)
        for row, one in zip(batch, said, strict=True):
            _of_row(measures, row, one)
            if is_sampled(at, count, SAMPLED_ROWS):
                measures.sampled.append(_sampled(row, one))
            if is_sampled(at, count, SHOWN_ROWS):
                measures.samples.append(dict(row))
            at += 1
    _count_grams(measures)
    return measures


def shown_ids(folder: Path) -> list[str]:
    """The ids of the rows that a report of the dataset in this folder shows."""
    files = all_data_files(folder)
    count, at, ids = height_of(*files), 0, list[str]()
    for file in files:
        found = pl.scan_parquet(file)
        name = next((name for name in ROW_IDS if name in found.collect_schema()), None)
        column = found.select(name).collect()[name] if name else ()
        ids += [row_id for place, row_id in enumerate(column, at) if is_sampled(place, count, SHOWN_ROWS)]
        at += height_of(file)
    return ids


def is_sampled(at: int, count: int, wanted: int) -> bool:
    """Whether the row at this place, counted from 0, is one of so many that lie evenly among all of them."""
    return at == 0 or at * wanted // count > (at - 1) * wanted // count


def row_id_of(row: Mapping[str, Any]) -> str:
    """The id of a row, "" where it has none."""
    return next((str(row[name]) for name in ROW_IDS if row.get(name)), "")


def _batches(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    each = iter(rows)
    while batch := list(islice(each, 1_000)):
        yield batch


def _sampled(row: Mapping[str, Any], said: Said) -> SampledRow:
    asked = "\n".join(text for role, text in said.before if role != "system")
    answered = said.answers[0][1] if said.answers else ""
    return SampledRow(row_id_of(row), asked[:SAMPLED_CHARS], answered[:SAMPLED_CHARS])


def _of_row(measures: Measures, row: Mapping[str, Any], said: Said) -> None:
    for name, width in BINS.items():
        if name in row and (value := number_in(row[name])) is not None:
            measures.scores.setdefault(name, Spread(width)).add([value])
    for name, width in SCORES_OF_TURNS.items():
        given = row.get(name)
        numbers = [number_in(one) for one in given] if isinstance(given, list) else []
        values = [one for one in numbers if one is not None]
        if values and len(values) == len(numbers):
            measures.scores.setdefault(name, Spread(width)).add([sum(values) / len(values)])
    operations = row.get("operations")
    if isinstance(operations, list):
        times = sum(bool(name) for name in operations)
        measures.evolved.setdefault(times, Spread()).add([word_count(said.question)])
    if len(said.answers) > 1:
        _of_pair(measures, row, [text for _, text in said.answers])


def _of_pair(measures: Measures, row: Mapping[str, Any], answers: Sequence[str]) -> None:
    measures.pairs += 1
    measures.longer += len(answers[0]) > len(answers[1])
    chosen, rejected, margin = (number_in(row.get(name)) for name in ("score_chosen", "score_rejected", "margin"))
    if chosen is not None and rejected is not None:
        margin = chosen - rejected
    if margin is not None:
        measures.margins.add([margin])


def _count_grams(measures: Measures) -> None:
    answers = counted_answers(measures)
    measures.counted = len(answers)
    measures.distinct = distinct_shares(answers)


def counted_answers(measures: Measures) -> list[str]:
    """The answers whose n-grams are counted: `COUNTED_ROWS` of the sample at most."""
    total = len(measures.sampled)
    return [row.answered for at, row in enumerate(measures.sampled) if is_sampled(at, total, COUNTED_ROWS)]


def distinct_shares(answers: Iterable[str]) -> dict[int, float]:
    """The share of different n-grams of words among all those of these answers, by n."""
    counts, seen = Counter[int](), {n: set[int]() for n in NGRAMS}
    for answer in answers:
        found = words(answer)[:MOST_WORDS]
        for n, those in seen.items():
            some = [hash(tuple(found[first : first + n])) for first in range(len(found) - n + 1)]
            counts[n] += len(some)
            those.update(some)
    return {n: len(seen[n]) / counts[n] if counts[n] else 0.0 for n in NGRAMS}
