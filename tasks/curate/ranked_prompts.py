"""The prompts of all rows of a run, looked at in the order of a score: of each group of duplicates the best row stays.

What is kept does not depend on the order in which the rows come: a higher score goes first, of equal ones the lower row id.
Without a score the order is that of the rows. Prompts lie on disk; ids and scores are all that is held of a row.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tasks.columns import RECORD
from tasks.curate.deduplicate import Deduplicate, PromptUnit
from tasks.engine.row import Loss
from tasks.storage.arrays import GrowingTexts
from tasks.text.near.shingles import figures
from tasks.text.responses import normalised

if TYPE_CHECKING:
    import polars as pl

    from tasks.curate.held_texts import Buckets

UNITS_AT_ONCE = 4096


class RankedPrompts:
    """What is left of rows once those that ask the same are taken out.

    `gone`: why each other row goes. `ranks`: of what is left by the id that it is called by, 0 for the best; `members`: the
    rows that stay or go with each; `figures`: what has to be the same in two prompts that are compared any further, by embeddings.
    """

    def __init__(self) -> None:
        self.gone: dict[str, Loss] = {}
        self.ranks: dict[str, int] = {}
        self.members: dict[str, Sequence[str]] = {}
        self.figures: dict[str, str] = {}

    def drop(self, gone: Mapping[str, Loss]) -> None:
        """Take out those of these names, each with all its rows."""
        self.gone |= {row_id: loss for name, loss in gone.items() for row_id in self.members[name]}


def ranked_prompts(
    params: Deduplicate,
    frames: Iterable[pl.DataFrame],
    held: Iterable[pl.DataFrame],
    home: Path,
    buckets: Buckets | None = None,
) -> RankedPrompts:
    """The rows of tables without those that ask what a better one asks, word for word or nearly so.

    `held`: rows that stay in any case, before all others; those of them that come again stay, too. What is needed on disk
    lies below `home`, and goes; what is held of prompts lies in the `buckets`, where there are any. Raises ConfigError as opening the sieve does.
    """
    found, sieve = RankedPrompts(), params.open(home, buckets)
    try:
        for frame in held:
            sieve.hold(frame)
        with tempfile.TemporaryDirectory(prefix="prompts-", dir=home) as folder:
            prompts, scores = GrowingTexts(Path(folder), "prompts"), list[float]()
            units: list[tuple[str, Sequence[str]]] = []
            for frame in frames:
                some, gone = sieve.units(frame)
                found.gone |= gone
                prompts.append([unit.prompt for unit in some])
                scores += _scores(some, gone, frame, params.best_by)
                units += [(unit.name, unit.row_ids) for unit in some]
            order = np.arange(len(units))
            if params.best_by is not None:
                order = np.lexsort([np.array([name for name, _ in units], np.str_), -np.array(scores)])
            ordered = (PromptUnit(*units[at], prompts.at(at)) for at in order.tolist())
            while some := list(islice(ordered, UNITS_AT_ONCE)):
                found.gone |= sieve.match(some)
                if params.embeds:
                    told = compared_by(params, (unit.prompt for unit in some))
                    found.figures |= dict(zip((unit.name for unit in some), told, strict=True))
        for name, row_ids in (units[at] for at in order.tolist()):
            if name not in found.gone:
                found.ranks[name] = len(found.ranks)
                found.members[name] = row_ids
    finally:
        sieve.close()
    return found


def compared_by(params: Deduplicate, prompts: Iterable[str]) -> list[str]:
    """What has to be the same in two prompts for them to be compared: their figures, or nothing."""
    return [figures(normalised(prompt)) if params.same_figures else "" for prompt in prompts]


def column_scores(frame: pl.DataFrame, column: str) -> NDArray[np.float64]:
    """A column of rows as numbers, of a dataset's own records too; NaN where a row has none. Raises KeyError without it."""
    import polars as pl

    if column in frame.columns:
        values = frame[column]
    elif RECORD in frame.columns:
        values = frame[RECORD].struct.field(column)
    else:
        raise KeyError(column)
    numbers: NDArray[np.float64] = values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return numbers


def _scores(
    units: Sequence[PromptUnit], gone: Mapping[str, Loss], frame: pl.DataFrame, column: str | None
) -> Iterator[float]:
    """The score of each unit: that of the best of its rows; minus infinity where none has one."""
    if column is None:
        yield from [0.0] * len(units)
        return
    of_rows = dict(zip(frame["row_id"], column_scores(frame, column).tolist(), strict=True))
    for unit in units:
        there = [of_rows[row_id] for row_id in unit.row_ids if row_id not in gone]
        yield max((score for score in there if score == score), default=float("-inf"))
