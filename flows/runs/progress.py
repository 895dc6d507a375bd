"""How far each step of a run has come: from its finished tables, and of the shards under way from the tally.

Finished tables know what the tally does not: what Prefect's cache answered. The tally knows rows before their shard ends.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, cast

from tasks.engine.accounting import StepTally, Tally
from tasks.storage.tables import Table

PACE_S = 10.0
"""Tokens per second are those of the last so many seconds."""


@dataclass(frozen=True, slots=True)
class StepProgress:
    """One step at one moment. Rows: `done` of `known`, which is an estimate while earlier steps still run.

    `seconds` since its first row; `left_s` None: nobody can tell yet.
    """

    name: str
    shards: int
    shards_done: int
    shards_cached: int
    done: int
    known: int
    rows_out: int
    failed: int
    rejects: Counter[str]
    tally: StepTally
    tokens_per_s: float
    seconds: float
    left_s: float | None

    @property
    def is_over(self) -> bool:
        """Whether all shards that were submitted have ended well."""
        return self.shards_done == self.shards

    @property
    def percent(self) -> float:
        """Rows done of those known; 100 only when all shards are in."""
        return 100.0 if self.is_over else min(99.0, 100.0 * self.done / max(self.known, 1))


@dataclass(slots=True)
class StepCounts:
    """What is known of one step. `source`: the step that its rows come from; `given`: rows that come from none."""

    name: str
    source: str | None = None
    given: int = 0
    shards: int = 0
    shards_done: int = 0
    shards_cached: int = 0
    rows_in: int = 0
    rows_cached: int = 0
    rows_out: int = 0
    failed: int = 0
    known: float = 0.0
    rejects: Counter[str] = field(default_factory=Counter)
    tables: list[Table] = field(default_factory=list)
    began_s: float | None = None
    first_s: float | None = None
    ended_s: float | None = None
    paces: list[tuple[float, int]] = field(default_factory=list)

    def add(self, table: Table, cached: bool, at_s: float) -> None:
        """Count a shard that has ended."""
        self.first_s, self.ended_s = self.first_s or at_s, at_s
        self.shards_done += 1
        self.rows_in += table.rows_in
        self.rows_out += table.rows
        self.failed += table.failed
        self.rejects.update(table.rejects)
        self.tables.append(table)
        if cached:
            self.shards_cached += 1
            self.rows_cached += table.rows_in

    def tokens_per_s(self, now: float, tokens: int) -> float:
        """Tokens per second over the last PACE_S seconds."""
        if not self.paces:
            self.paces.append((now if self.began_s is None else self.began_s, 0))
        self.paces.append((now, tokens))
        while len(self.paces) > 2 and now - self.paces[1][0] >= PACE_S:
            del self.paces[0]
        then, tokens_then = self.paces[0]
        return (tokens - tokens_then) / (now - then) if now > then else 0.0


class Progress:
    """The steps of a run, in the order of their submission. One thread follows, any may look."""

    def __init__(self) -> None:
        self._looking = threading.Lock()
        self._steps: dict[str, StepCounts] = {}
        self._ended: SimpleQueue[tuple[str, Any, float]] = SimpleQueue()
        self._last: str | None = None

    def follow(self, step: str, tables: Sequence[Any], futures: Sequence[Any]) -> None:
        """Count what becomes of these task runs. `tables`: what they read, tables or futures of the step before."""
        counts = self._steps.get(step) or StepCounts(step)
        given = [table.rows for table in tables if isinstance(table, Table)]
        counts.given += sum(given)
        counts.source = counts.source if len(given) == len(tables) else self._last
        counts.shards += len(futures)
        if given and counts.began_s is None:
            counts.began_s = time.monotonic()
        self._steps[step], self._last = counts, step
        for future in futures:
            future.add_done_callback(lambda ended: self._ended.put((step, ended, time.monotonic())))

    def look(self, tally: Tally) -> list[StepProgress]:
        """All steps as they stand now."""
        with self._looking:
            self._take_in()
            now = time.monotonic()
            return [self._step(counts, tally, now) for counts in list(self._steps.values())]

    def tables(self) -> dict[str, list[Table]]:
        """The tables that have been finished, by step."""
        return {step: list(counts.tables) for step, counts in list(self._steps.items())}

    def _take_in(self) -> None:
        while True:
            try:
                step, future, at_s = self._ended.get_nowait()
            except Empty:
                return
            future.wait()  # it has ended: this only makes its state known
            state = future.state
            if state.is_completed():
                self._steps[step].add(table_made(state), state.name == "Cached", at_s)

    def _step(self, counts: StepCounts, tally: Tally, now: float) -> StepProgress:
        mine = tally.steps.get(counts.name) or StepTally()
        counts.known = counts.given + self._coming(counts.source)
        done = max(counts.rows_in, counts.rows_cached + tally.rows_done[counts.name])
        if counts.began_s is None and counts.source is not None:
            counts.began_s = self._steps[counts.source].first_s
        ended_s = counts.ended_s if counts.shards_done == counts.shards else None
        seconds = max(0.0, (ended_s or now) - (counts.began_s or now))
        worked = done - counts.rows_cached  # what the cache answered says nothing of the pace
        left_s = seconds * max(counts.known - done, 0) / worked if worked > 0 else None
        return StepProgress(
            counts.name,
            counts.shards,
            counts.shards_done,
            counts.shards_cached,
            done,
            max(done, round(counts.known)),
            counts.rows_out,
            counts.failed,
            Counter(counts.rejects),
            mine,
            counts.tokens_per_s(now, mine.completion_tokens),
            seconds,
            left_s,
        )

    def _coming(self, source: str | None) -> float:
        """Rows that a step gives to the next: those that are there, and what its other rows will become."""
        if source is None:
            return 0.0
        before = self._steps[source]
        each = before.rows_out / before.rows_in if before.rows_in else 1.0
        return before.rows_out + max(before.known - before.rows_in, 0.0) * each


def table_made(state: Any) -> Table:
    """The table that a task run has ended with, by its state. Raises what it ended with, where it did not end well."""
    made = getattr(state.data, "result", None) if state.is_completed() else None
    return made if isinstance(made, Table) else cast(Table, state.result())  # which goes through two other threads
