"""A few rows of a run, sent through its recipe in shards of one: what came of each, and what it took.

Each sampled row is a shard, so that the order of a request's shard tells the row that it was made for.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from flows.config import RunConfig
from flows.forecast import Usage, Window
from flows.run import Run
from flows.runs.timing import span_s
from tasks.engine.bill import Receipt, cost_of
from tasks.engine.digest import digest
from tasks.engine.process import process
from tasks.engine.row import Row
from tasks.engine.tables import Table, write_table
from tasks.errors import ConfigError

SAMPLE = 20


@dataclass(frozen=True, slots=True)
class Unit:
    """One sampled row (or prompt): the rows that came of it, and the requests that it took."""

    rows: int
    receipts: Sequence[Receipt]


@dataclass
class Sampling:
    """A run of a few rows that publishes nothing. Its answers are in the ledger, for the run itself."""

    run: Run
    units: list[Unit] = field(default_factory=list)
    seconds: float = 0.0

    @classmethod
    @contextmanager
    def of(cls, config: RunConfig, out: Path) -> Iterator[Sampling]:
        """A sampling for as long as the block runs. Raises ConfigError where the ledger cannot be opened.

        Its tables are its own and go with it: a shard that was cached would tell nothing of its requests.
        """
        run = Run.start("estimate", config.model_copy(update={"shard_rows": 1, "runner": "threads"}), out)
        run.context.receipts = []
        with TemporaryDirectory(prefix="estimate-", dir=run.settings.home) as tables:
            run.settings = run.workers.settings = run.settings.model_copy(update={"tables": tables})
            yield cls(run)

    @property
    def receipts(self) -> list[Receipt]:
        """Of all requests so far, those on record included."""
        return self.run.context.receipts or []

    def through(self, tables: Sequence[Table], recipe: Callable[[list[Table]], list[Table]]) -> list[Unit]:
        """Send rows drawn from the tables through a recipe, which makes one table of each, in order."""
        sample = self._drawn(tables)
        receipts, made = self.timed(lambda: recipe(sample))
        return self._kept(Unit(t.rows, [r for r in receipts if r.order == order]) for order, t in enumerate(made))

    def prompts(self, step: str, work: Callable[[], list[Table]]) -> tuple[list[Unit], list[Table]]:
        """Have a table step ask its prompts: each prompt with the rows that came of it, and the tables of these."""
        receipts, made = self.timed(work)
        row_ids = {row_id for table in made for row_id in table.read(["row_id"])["row_id"]}
        asked = {r.row_id: [other for other in receipts if other.row_id == r.row_id] for r in receipts}
        return self._kept(Unit(_children(prompt, step, row_ids), mine) for prompt, mine in asked.items()), made

    def timed(self, work: Callable[[], Any]) -> tuple[list[Receipt], Any]:
        """Do something; the receipts that it made, and what it gave. Raises ConfigError where the budget ends it."""
        before, started = len(self.receipts), time.perf_counter()
        done = work()
        self.seconds += time.perf_counter() - started
        if self.run.context.budget_reached:
            raise ConfigError("the budget does not last for the sample", self.run.settings.budget, "give a higher one")
        return self.receipts[before:], done

    def _kept(self, units: Iterable[Unit]) -> list[Unit]:
        kept = list(units)
        self.units += kept
        return kept

    def _drawn(self, tables: Sequence[Table]) -> list[Table]:
        """Some of the rows, in their order, each as a table of its own."""
        starts, rows = [], 0
        for table in tables:
            starts.append(rows)
            rows += table.rows
        chosen = sorted(random.Random(self.run.settings.seed).sample(range(rows), min(SAMPLE, rows)))
        drawn = []
        for start, table in zip(starts, tables, strict=True):
            if places := [place - start for place in chosen if start <= place < start + table.rows]:
                frame = table.read()
                drawn += [self._alone(frame[place]) for place in places]
        return drawn

    def _alone(self, row: pl.DataFrame) -> Table:
        place = f"{self.run.settings.tables}/sample/{digest(row['row_id'][0], *row.columns)}.parquet"
        return write_table(place, "sample", row, {}, rows_in=1)


def _children(row_id: str, technique: str, among: Collection[str]) -> int:
    """How many of these rows are a row's children."""
    row = Row(row_id, {}, technique=technique)
    return next(position for position in count() if row.child().row_id not in among)


class Latencies:
    """How long requests took, by model: of those on record the mean of the others."""

    def __init__(self, receipts: Sequence[Receipt]) -> None:
        self._mean_s: dict[str, float] = {}
        for model in {r.model.name for r in receipts}:
            took = [r.ended_s - r.begun_s for r in receipts if r.model.name == model and r.begun_s is not None]
            if took:
                self._mean_s[model] = sum(took) / len(took)
        self.are_known = all(r.model.name in self._mean_s for r in receipts)
        self.paid = sum(r.begun_s is not None for r in receipts)
        self.busy_s = sum(r.ended_s - r.begun_s for r in receipts if r.begun_s is not None)
        self.span_s = span_s((r.begun_s, r.ended_s) for r in receipts if r.begun_s is not None)

    @property
    def in_flight(self) -> float:
        """How many requests were under way on average, while any was (Little's law)."""
        return self.busy_s / self.span_s if self.span_s else 0.0

    def usage(self, unit: Unit) -> Usage:
        """What a unit took, for the forecast."""
        paid = [(r.begun_s, r.ended_s) for r in unit.receipts if r.begun_s is not None]
        usage: dict[Any, float] = {
            "rows": unit.rows, "requests": len(unit.receipts), "prompt_tokens": 0, "completion_tokens": 0, "cost": 0,
            "chain_s": span_s(paid) + sum(self._of(r) for r in unit.receipts if r.begun_s is None),
        }  # fmt: skip
        for r in unit.receipts:
            usage["prompt_tokens"] += r.prompt_tokens
            usage["completion_tokens"] += r.completion_tokens
            usage["cost"] += cost_of(r.model, r.prompt_tokens, r.completion_tokens)
            for name, amount in (
                ("busy_s", self._of(r)),
                ("requests", 1),
                ("tokens", r.prompt_tokens + r.completion_tokens),
            ):
                usage[name, r.model.name] = usage.get((name, r.model.name), 0.0) + amount
        return usage

    def _of(self, receipt: Receipt) -> float:
        if receipt.begun_s is None:
            return self._mean_s.get(receipt.model.name, 0.0)
        return receipt.ended_s - receipt.begun_s


def windows_of(config: RunConfig) -> dict[str, Window]:
    """What each model takes at once and a minute; of several settings for one the smallest holds."""
    windows: dict[str, Window] = {}
    for model in {model for models in config.models().values() for model in models}:
        mine = (process.model(model).max_in_flight, model.requests_per_minute, model.tokens_per_minute)
        held = windows.get(model.name, Window(*mine))
        windows[model.name] = Window(
            min(held.in_flight, mine[0]),
            min((n for n in (held.requests_per_minute, mine[1]) if n), default=None),
            min((n for n in (held.tokens_per_minute, mine[2]) if n), default=None),
        )
    return windows
