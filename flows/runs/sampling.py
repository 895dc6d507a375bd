"""A few rows of a run, sent through its recipe in shards of one: what came of each, and what it took.

Each sampled row is a shard, so that the order of a request's shard tells the row that it was made for.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from flows.recipes.recipe import Steps, Tables
from flows.runs.forecast import ModelLimits, Usage
from flows.runs.plan import RunPlan
from flows.runs.run import Run
from flows.runs.timing import in_a_row, span_s
from tasks.engine.accounting import RequestRecord, cost_of, tokens_of
from tasks.engine.process import process
from tasks.engine.row import Row
from tasks.engine.table_step import TableStep
from tasks.engine.technique import Params, Technique
from tasks.errors import ConfigError
from tasks.storage.digest import digest
from tasks.storage.tables import Table, write_table

SAMPLE = 20


@dataclass(frozen=True, slots=True)
class Unit:
    """One sampled row (or prompt): the rows that came of it, and the requests that it took."""

    rows: int
    records: Sequence[RequestRecord]


@dataclass
class SampledRun:
    """A run of a few rows that publishes nothing. Its answers are in the ledger, for the run itself."""

    run: Run
    units: list[Unit] = field(default_factory=list)
    seconds: float = 0.0

    @classmethod
    @contextmanager
    def of(cls, plan: RunPlan) -> Iterator[SampledRun]:
        """A sampling for as long as the block runs. Raises ConfigError where the ledger cannot be opened.

        Its tables are its own and go with it: a shard that was cached would tell nothing of its requests.
        """
        run = Run.start(replace(plan, shard_rows=1, runner="threads"), "estimate")
        run.context.accounting.records = []
        run.context.one_by_one = True  # nobody waits a day for an estimate
        with run.under_way, TemporaryDirectory(prefix="estimate-", dir=run.settings.home) as tables:
            run.settings = run.workers.settings = run.settings.model_copy(update={"tables": tables})
            yield cls(run)

    @property
    def records(self) -> list[RequestRecord]:
        """The records of all requests so far, also of those that the ledger answered."""
        return self.run.context.accounting.records or []

    def through(self, tables: Sequence[Table]) -> list[Unit]:
        """Send rows drawn from the tables through the recipe, which makes one table of each, in order."""
        return self._through(tables, self.run)

    def through_the_rest(self, tables: Sequence[Table], made_by: str) -> list[Unit]:
        """As `through`, but only through the steps after the table step `made_by`, which has made these tables."""
        return self._through(tables, Rest(self.run, made_by))

    def _through(self, tables: Sequence[Table], steps: Steps) -> list[Unit]:
        sample = self._drawn(tables)

        def work() -> list[Table]:
            self.run.plan.recipe.function(steps, sample)
            return self.run.settled()

        records, made = self.timed(work)
        return self._kept(Unit(t.rows, [r for r in records if r.order == order]) for order, t in enumerate(made))

    def prompts(self, step: str, work: Callable[[], list[Table]]) -> tuple[list[Unit], list[Table]]:
        """Have a table step ask its prompts: each prompt with the rows that came of it, and the tables of these."""
        records, made = self.timed(work)
        row_ids = {row_id for table in made for row_id in table.read(["row_id"])["row_id"]}
        asked = {r.row_id: [other for other in records if other.row_id == r.row_id] for r in records}
        return self._kept(Unit(_children(prompt, step, row_ids), mine) for prompt, mine in asked.items()), made

    def timed(self, work: Callable[[], Any]) -> tuple[list[RequestRecord], Any]:
        """Do something; the records that it made, and what it gave. Raises ConfigError where the budget ends it."""
        before, started = len(self.records), time.perf_counter()
        done = work()
        self.seconds += time.perf_counter() - started
        if self.run.context.accounting.is_spent:
            raise ConfigError("the budget does not last for the sample", self.run.settings.budget, "give a higher one")
        if self.run.context.accounting.is_cut:
            raise ConfigError("rows of the sample are in batches under way", None, "run first, then estimate the rest")
        return self.records[before:], done

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


class Rest:
    """Implements `Steps` for the part of a recipe that comes after a table step: what it would make is there."""

    def __init__(self, run: Run, made_by: str) -> None:
        self._run, self._made_by = run, made_by
        self.options, self.has = run.options, run.has
        self._is_there = False

    def through(self, step: Technique[Any], tables: Tables, default: Params | None = None) -> Tables:
        """Send nothing before the table step has passed; afterwards do as the run does."""
        return self._run.through(step, tables, default) if self._is_there else tables

    def whole(self, step: TableStep[Any], tables: Tables, default: Params | None = None) -> Tables:
        """What the table step has made; of any other one what the run makes."""
        if self._is_there or step.name != self._made_by:
            return self._run.whole(step, tables, default)
        self._is_there = True
        return tables


def _children(row_id: str, technique: str, among: Collection[str]) -> int:
    """How many of these rows are a row's children."""
    row = Row(row_id, {}, technique=technique)
    return next(position for position in count() if row.child().row_id not in among)


def rounds_of(units: Sequence[Unit]) -> int:
    """How many batches a run makes one after another, at least: a request that needs an answer goes in a later one."""
    return max((_rounds(unit) for unit in units), default=0)


def _rounds(unit: Unit) -> int:
    """Of one unit: its requests in a row; of those that were on record it is known only which step made them."""
    batched = [r for r in unit.records if r.model.batch is not None]
    paid = in_a_row((r.begun_s, r.ended_s) for r in batched if r.begun_s is not None)
    return max(paid, len({r.step for r in batched}))


class Latencies:
    """How long requests took, by model. A request that the ledger answered counts with the mean of its model."""

    def __init__(self, records: Sequence[RequestRecord]) -> None:
        self._mean_s: dict[str, float] = {}
        for model in {r.model.name for r in records}:
            took = [r.ended_s - r.begun_s for r in records if r.model.name == model and r.begun_s is not None]
            if took:
                self._mean_s[model] = sum(took) / len(took)
        self.are_known = all(r.model.name in self._mean_s for r in records)
        self.paid = sum(r.begun_s is not None for r in records)
        self.busy_s = sum(r.ended_s - r.begun_s for r in records if r.begun_s is not None)
        self.span_s = span_s((r.begun_s, r.ended_s) for r in records if r.begun_s is not None)

    @property
    def in_flight(self) -> float:
        """How many requests were under way on average, while any was (Little's law)."""
        return self.busy_s / self.span_s if self.span_s else 0.0

    def usage(self, unit: Unit) -> Usage:
        """What a unit took, for the forecast."""
        paid = [(r.begun_s, r.ended_s) for r in unit.records if r.begun_s is not None]
        usage: dict[Any, float] = {
            "rows": unit.rows,
            "requests": len(unit.records),
            "prompt_tokens": 0,
            "completion_tokens": 0,
            "cached_tokens": 0,
            "cost": 0,
            "chain_s": span_s(paid) + sum(self._of(r) for r in unit.records if r.begun_s is None),
        }
        for r in unit.records:
            usage["prompt_tokens"] += r.prompt_tokens
            usage["completion_tokens"] += r.completion_tokens
            usage["cached_tokens"] += r.cached_tokens
            usage["cost"] += cost_of(r.model, *tokens_of(r)) * (r.model.batch.price if r.model.batch else 1)
            for name, amount in (
                ("busy_s", self._of(r)),
                ("requests", 1),
                ("tokens", r.prompt_tokens + r.completion_tokens),
            ):
                usage[name, r.model.name] = usage.get((name, r.model.name), 0.0) + amount
        return usage

    def _of(self, record: RequestRecord) -> float:
        if record.begun_s is None:
            return self._mean_s.get(record.model.name, 0.0)
        return record.ended_s - record.begun_s


def windows_of(plan: RunPlan) -> dict[str, ModelLimits]:
    """What each model takes at once and a minute; of several settings for one the smallest holds."""
    windows: dict[str, ModelLimits] = {}
    for model in {model for models in plan.models.values() for model in models}:
        mine = (process.model(model).max_in_flight, model.requests_per_minute, model.tokens_per_minute)
        held = windows.get(model.name, ModelLimits(*mine))
        windows[model.name] = ModelLimits(
            min(held.in_flight, mine[0]),
            min((n for n in (held.requests_per_minute, mine[1]) if n), default=None),
            min((n for n in (held.tokens_per_minute, mine[2]) if n), default=None),
        )
    return windows
