"""A run's place among the runs that made its dataset: what is there already, what stays, and what the next night skips.

    stillroom sft --seeds seeds.jsonl --incremental          # every night: only seeds that the dataset has not had

A run makes the whole dataset, or (incremental) adds to it. A retry takes the place of the run that it heals: where that
made the whole dataset it does so again, where other runs have added to it since, the healed rows join at their places.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from flows.runs.about import about_run, config_text
from flows.runs.kept.epochs import as_tables
from flows.runs.kept.figures import instructions_before
from flows.runs.kept.rows import first_tables, published_rows
from flows.runs.manifests import (
    epochs_to_make_anew,
    epochs_to_retry,
    is_latest,
    latest_retry,
    manifest,
    run_folder,
    was_published,
)
from flows.runs.plan import RunPlan
from tasks.engine.process import Settings
from tasks.errors import ConfigError
from tasks.publish.card import write_card
from tasks.publish.changes import Changes, id_column
from tasks.publish.cross_run_dedup import STEP, not_of_earlier
from tasks.publish.dataset import PublishInput, PublishResult, write_dataset
from tasks.publish.describe.fits import carry_fits
from tasks.publish.describe.run_figures import RunFigures, write_run_figures
from tasks.publish.report.page import publish_report
from tasks.publish.revisions import (
    CONFIG_FILE,
    SEEDS_FILE,
    Publication,
    all_data_files,
    count_rejects,
    drafting,
    history,
    leave_rejects,
    makers,
    newest,
    switch,
)
from tasks.storage.files import write_atomically
from tasks.storage.home import tables_root
from tasks.storage.tables import Table, read_stream


@dataclass(frozen=True)
class Lineage:
    """A run and its dataset.

    `adds`: the rows that are there stay. `retried`: the manifest of the run that it heals. `made_by`: the publications
    that the dataset holds.
    """

    out: Path
    plan: RunPlan
    adds: bool
    retried: dict[str, Any] | None
    made_by: list[Publication]

    @classmethod
    def begin(cls, plan: RunPlan, retried: str | None) -> Lineage:
        """Look at the dataset. Raises ConfigError where it does not hold what is to be healed, or cannot be added to."""
        past = None if retried is None else manifest(retried)
        if past is not None:
            _first_tables(past)
        return cls._with(plan, past)

    @classmethod
    def _with(cls, plan: RunPlan, past: dict[str, Any] | None) -> Lineage:
        """How the run stands to the dataset as it is now."""
        out = plan.folder
        published = history(out)
        lines = makers(published)
        adds = plan.incremental and bool(lines)
        if past is not None:
            holds, retried = {line.run for line in lines}, past["run"]
            if lines and retried not in holds and not is_latest(past, published):
                fix = f"retry {lines[-1].run}, which made it anew"
                raise ConfigError("the dataset does not hold the rows of this run any more", retried, fix)
            if was_published(past, published):
                adds = bool(holds - {retried})
        if adds and lines[-1].format != plan.rows_format:
            raise ConfigError("the dataset has another format", f"{out}: {lines[-1].format}", "choose another --out")
        return cls(out, plan, adds, past, lines)

    @property
    def last(self) -> Publication | None:
        """The newest publication."""
        return self.made_by[-1] if self.made_by else None

    def epochs(self, run: str, root: str) -> dict[str, Table]:
        """How often each row has failed before `run`, by step: in the run that it heals, or else in the dataset as it is.

        As tables below `root`.
        """
        before = epochs_to_retry(self.retried["run"]) if self.retried else epochs_to_make_anew(self.made_by)
        return as_tables(before, f"{root}/epochs/{run}")

    @property
    def seen(self) -> Path | None:
        """The file with the seeds that the dataset has done with, where they are to be skipped."""
        folder = newest(self.out) if self.adds and self.retried is None else None
        return folder / SEEDS_FILE if folder else None

    @property
    def first_blank(self) -> int:
        """The index of the first blank row to take."""
        return self.last.blank_rows if self.last and self.adds else 0

    def given(self) -> list[Table] | None:
        """The tables that the healed run began with; None where this run is no retry."""
        return None if self.retried is None else _first_tables(self.retried)

    def rows_that_stay(self) -> Iterator[pl.DataFrame]:
        """The rows of the dataset, where the run adds to them or heals it.

        Of a run that is healed the rows come again, and where they have no ids nothing would tell them from copies.
        """
        folder = newest(self.out) if self.adds or self.retried else None
        for frame in read_stream(*all_data_files(folder)) if folder else ():
            if self.retried is None or id_column(frame.columns):
                yield frame

    def new_rows(self, tables: Sequence[Table], settings: Settings) -> list[Table]:
        """The tables without rows that the dataset has from other runs."""
        folder = newest(self.out)
        files = all_data_files(folder) if folder else []
        if not files:
            return list(tables)
        retried = self.retried
        own = published_rows(retried, run_folder(retried["run"])) if retried else frozenset[str]()
        return not_of_earlier(tables, files, settings.tables, own)

    def publish(
        self,
        settings: Settings,
        given: PublishInput,
        offered: Sequence[Table],
        steps: dict[str, list[Table]],
        models: list[str],
        figures: RunFigures | None = None,
    ) -> dict[str, Any]:
        """Write the dataset, its card and its history; of the summary what is about them.

        Whether the rows join those of the dataset is decided here, under its lock: another run may have published since
        this one began. `offered`: the last tables as they were before `new_rows`. Of 0 rows nothing is published (unless
        the config says so): where there is no dataset yet only the rejects are written.
        """
        keep = self.plan.keep_revisions
        with drafting(self.out) as draft:
            lines = history(self.out)
            now = self._with(self.plan, self.retried)
            if now.adds and now.made_by != self.made_by:
                given = now._joining(given, offered, steps, settings)
            splits = lines[-1].splits if lines else self.plan.splits
            written = write_dataset(draft, given, newest(self.out), joins=now.adds, splits_before=splits)
            if not (written.rows or self.plan.allow_empty):
                if not lines:
                    leave_rejects(self.out, draft)
                return _as_it_was(lines, written.rejects)
            before = lines[-1].revision if lines else 0
            line = now._publication(settings.run, before, written, models, self._blanks(now, given, written))
            about = about_run(self.plan, steps, written, figures.cost if figures else None)
            write_atomically(draft / CONFIG_FILE, config_text(self.plan).encode())
            if figures is not None:
                before_them = instructions_before(draft, given.steps) if self.plan.report else {}
                write_run_figures(draft, figures.model_copy(update={"instructions": before_them}))
            if line.revision == before:
                carry_fits(newest(self.out), draft)
            write_card(draft, self.out, [*lines, line], written.rejects, steps, keep, about, given.selection)
            if self.plan.report:
                publish_report(draft, line, self.out)
            switch(self.out, draft, line, keep)
        return _about(line, written, len(lines) + 1)

    def _publication(
        self, run: str, before: int, written: PublishResult, models: list[str], blank_rows: int
    ) -> Publication:
        """The line of the history about this run. `before`: the newest revision so far, 0 where there is none."""
        return Publication(
            revision=before + (written.changes is not None or not before),
            run=run,
            replaces=not self.adds,
            retried=self.retried["run"] if self.retried else None,
            kind=self.plan.kind,
            recipe=self.plan.recipe.name,
            format=self.plan.rows_format,
            models=models,
            prompt_set=self.plan.prompts.set,
            rows=written.rows,
            splits=dict(self.plan.splits),
            formats=list(self.plan.derived.formats),
            changes=written.changes or Changes(),
            blank_rows=blank_rows,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def _joining(
        self, given: PublishInput, offered: Sequence[Table], steps: dict[str, list[Table]], settings: Settings
    ) -> PublishInput:
        """What is handed over, without rows that say what the dataset says by now. A row that it has is no duplicate."""
        folder = newest(self.out)
        assert folder is not None, "a dataset that is added to is there"
        files = all_data_files(folder)
        column = id_column(pl.read_parquet_schema(files[0]))
        ids = pl.scan_parquet(files).select(column).collect()[column].to_list() if column else []
        steps[STEP] = not_of_earlier(offered, files, settings.tables, frozenset(ids))
        tables = [table for some in steps.values() for table in some]
        return replace(given, last=steps[STEP], steps=tables)

    def unchanged(self) -> dict[str, Any]:
        """The part of the summary that is about the dataset, for a run that had nothing to do."""
        assert self.last is not None, "only a dataset that is there has seen all seeds"
        return self.as_it_is()

    def as_it_is(self) -> dict[str, Any]:
        """The part of the summary that is about the dataset, of a run that has published nothing yet."""
        lines = history(self.out)
        return _as_it_was(lines, count_rejects(self.out) if lines else 0)

    def _blanks(self, now: Lineage, given: PublishInput, written: PublishResult) -> int:
        """How many blank rows are used up: all up to the first that is not done with. `now`: as it is published."""
        heals = self.retried is not None and was_published(self.retried, now.made_by)
        before = now.last.blank_rows if now.last and (now.adds or heals) else 0
        if not given.blank or heals:
            return before
        ids = [row_id for table in given.seeds for row_id in table.read(["row_id"])["row_id"]]
        done = next((at for at, row_id in enumerate(ids) if row_id in written.unsettled), len(ids))
        return max(before, self.first_blank + done)


def healed_run(retry: str | None, run: str, runs_again: bool) -> str | None:
    """The run whose failed rows to ask for again: the latest retry of the one named, or this one where it runs again."""
    if retry is not None:
        return latest_retry(retry)
    return run if runs_again else None


def _about(line: Publication, written: PublishResult, publications: int) -> dict[str, Any]:
    return {
        "published": True,
        "publications": publications,
        "rows": line.rows,
        "rejects": written.rejects,
        "revision": line.revision,
        "changes": line.changes.model_dump(),
        "brought_along": dict(written.brought_along),
        "left_out": {name: dict(counts) for name, counts in written.left_out.items()},
    }


def _as_it_was(lines: Sequence[Publication], rejects: int) -> dict[str, Any]:
    """What is said of a dataset that a run left alone; of one that there is not, 0 rows at revision 0."""
    rows, revision = (lines[-1].rows, lines[-1].revision) if lines else (0, 0)
    return {
        "published": False,
        "publications": len(lines),
        "rows": rows,
        "rejects": rejects,
        "revision": revision,
        "changes": Changes().model_dump(),
    }


def _first_tables(past: dict[str, Any]) -> list[Table]:
    """The tables that a run began with. Raises ConfigError where they are gone, and the run has kept none (an old home)."""
    found = first_tables(past, run_folder(past["run"]), tables_root())
    if found is None:
        raise ConfigError("the tables of the run are gone", past["run"], "run it again")
    return found
