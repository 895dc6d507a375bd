"""A run from its first rows to its dataset: the same for every recipe and kind of dataset."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

from flows.recipes.recipe import SEEDS
from flows.runs.candidates import Candidates, candidates_of
from flows.runs.curation.distinct import without_duplicates
from flows.runs.curation.selection import select
from flows.runs.run import Run, flow_result
from tasks.curate.by_review import edit_by_review, has_edits
from tasks.curate.deduplicate import Deduplicate
from tasks.engine.sieve import Sieve, SieveParams
from tasks.notices import tell
from tasks.storage.tables import Table


def make(run: Run) -> dict[str, Any]:
    """First rows through the recipe and its curation, wave by wave, until there are rows enough; then publish. The summary."""
    plan = run.plan
    run.calibrate()
    taken, made = all_rows(run)
    if plan.incremental and not taken:
        return run.nothing_new()
    accepted = sum(table.rows for table in made)
    if plan.rows is not None and accepted < plan.rows and not run.context.accounting.is_cut:
        tell(f"{accepted:,} of {plan.rows:,} rows: {taken:,} candidates are used up, {_why(run, taken)}")
    return flow_result(run.pushed(run.publish(made)))


def all_rows(run: Run) -> tuple[int, list[Table]]:
    """How many first rows a run takes, and the tables of what becomes of them once they are curated."""
    plan = run.plan
    with ExitStack() as opened:
        candidates = opened.enter_context(closing(candidates_of(plan, run.settings, run.lineage)))
        sieves = [opened.enter_context(closing(_opened(run, told))) for told in plan.sieves()]
        for frame in run.lineage.rows_that_stay() if sieves else ():
            for sieve in sieves:
                sieve.hold(frame)
        source = AcceptedRows(run, candidates, sieves)
        made = source.until(plan.pool)
        if (duplicates := plan.curate.among_all(plan.outline())) is not None and source.taken:
            made = without_duplicates(run, duplicates, made, lambda count: source.until(source.accepted + count))
        if plan.curate.diversify is not None and source.taken:
            made = select(run, plan.curate.diversify, made, source.until)
        return source.taken, made


def _opened(run: Run, told: SieveParams) -> Sieve:
    """A sieve. What it holds of duplicates lies where the run's workers have room for it."""
    home = run.settings.home
    return told.open(home, run.workers.open_buckets()) if isinstance(told, Deduplicate) else told.open(home)


@dataclass
class AcceptedRows:
    """What becomes of first rows that are taken wave by wave. `taken`: how many were; `accepted`: how many rows came of them."""

    run: Run
    candidates: Candidates
    sieves: Sequence[Sieve]
    taken: int = 0
    accepted: int = 0

    def until(self, wanted: int | None) -> list[Table]:
        """More waves, until so many rows are accepted in all, or there are no more candidates; the tables of the new ones."""
        made: list[Table] = []
        while wave := self.candidates.take(self.run.plan.next_wave(self.taken, self.accepted, wanted)):
            made += self._through(wave)
            if wanted is None or self.accepted >= wanted or self.run.context.accounting.is_cut:
                break
        return made

    def _through(self, wave: list[Table]) -> list[Table]:
        """A wave through the recipe and all that curates it row by row."""
        run = self.run
        run.steps.setdefault(SEEDS[run.plan.kind], []).extend(wave)
        rows = through_recipe(run, wave)
        for sieve in self.sieves:
            rows = run.sift(sieve, rows)
        rows = with_edits(run, rows)
        rows = run.new_rows(rows)
        self.taken += sum(table.rows_in for table in wave)
        self.accepted += sum(table.rows for table in rows)
        return rows


def with_edits(run: Run, tables: Sequence[Table]) -> list[Table]:
    """The tables with what people have edited in them, where the plan takes up their decisions."""
    told = run.plan.curate.by_review
    changed = [] if told is None else [table for table in tables if has_edits(told, table)]
    if not changed:
        return list(tables)
    run.through(edit_by_review, changed, told)
    made = dict(zip((table.path for table in changed), run.settled(), strict=True))
    return [made.get(table.path, table) for table in tables]


def through_recipe(run: Run, tables: Sequence[Table]) -> list[Table]:
    """All steps of the recipe, each shard on its own way through them; the tables of the last one, in order.

    Where there is no step (curation without a filter), the tables themselves.
    """
    run.plan.recipe.function(run, tables)
    return run.settled() or list(tables)


def _why(run: Run, taken: int) -> str:
    """Why there are no more candidates."""
    most = run.plan.most_candidates
    if most is not None and taken >= most:
        return "as many as max_candidates allows; raise it, or ask for less"
    return "all that there are; give more seeds, or ask for less"
