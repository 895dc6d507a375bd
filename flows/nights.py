"""A run's place among the runs that made its dataset: what is there already, what stays, and what the next night skips.

    stillroom sft --seeds seeds.jsonl --incremental          # every night: only seeds that the dataset has not had

A run makes the whole dataset, or (incremental) adds to it. A retry takes the place of the run that it heals: where that
made the whole dataset it does so again, where other runs have added to it since, the healed rows join at their places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from flows.config import RunConfig
from flows.manifests import epochs_after, epochs_before, is_latest, latest_retry, manifest, was_published
from tasks.engine.process import Settings
from tasks.engine.tables import Table, sidecar
from tasks.errors import ConfigError
from tasks.publish.card import write_card
from tasks.publish.changes import Changes
from tasks.publish.dataset import Handed, Written, write_dataset
from tasks.publish.earlier import STEP, not_of_earlier
from tasks.publish.revisions import (
    SEEDS,
    TRAIN,
    Publication,
    drafting,
    history,
    leave_rejects,
    makers,
    newest,
    switch,
)


@dataclass(frozen=True)
class Night:
    """A run and its dataset.

    `adds`: the rows that are there stay. `retried`: the manifest of the run that it heals. `made_by`: the publications
    that the dataset holds.
    """

    out: Path
    kind: str
    config: RunConfig
    adds: bool
    retried: dict[str, Any] | None
    made_by: list[Publication]

    @classmethod
    def begin(cls, out: Path, kind: str, config: RunConfig, retried: str | None) -> Night:
        """Look at the dataset. Raises ConfigError where it does not hold what is to be healed, or cannot be added to."""
        published = history(out)
        lines = makers(published)
        past = None
        adds = config.incremental and bool(lines)
        if retried is not None:
            past = manifest(retried)
            _check_tables(past)
            holds = {line.run for line in lines}
            if lines and retried not in holds and not is_latest(past, published):
                fix = f"retry {lines[-1].run}, which made it anew"
                raise ConfigError("the dataset does not hold the rows of this run any more", retried, fix)
            if was_published(past):
                adds = bool(holds - {retried})
        if adds and lines[-1].format != config.rows_format:
            raise ConfigError("the dataset has another format", f"{out}: {lines[-1].format}", "choose another --out")
        return cls(out, kind, config, adds, past, lines)

    @property
    def last(self) -> Publication | None:
        """The newest publication."""
        return self.made_by[-1] if self.made_by else None

    def epochs(self, run: str) -> dict[str, Table]:
        """How often each row has failed before `run`, by step: in the run that it heals, or else in the dataset as it is."""
        return epochs_before(run, self.made_by) if self.retried is None else epochs_after(self.retried["run"])

    @property
    def seen(self) -> Path | None:
        """The file with the seeds that the dataset has done with, where they are to be skipped."""
        folder = newest(self.out) if self.adds and self.retried is None else None
        return folder / SEEDS if folder else None

    @property
    def first_blank(self) -> int:
        """The index of the first blank row to take."""
        return self.last.blank_rows if self.last and self.adds else 0

    def given(self) -> list[Table] | None:
        """Of a retry, the tables that the healed run began with; else None."""
        if self.retried is None:
            return None
        steps = self.retried["steps"]
        return [Table.model_validate(table) for table in next(iter(steps.values()), [])]

    def new_rows(self, tables: Sequence[Table], settings: Settings) -> list[Table]:
        """The tables without rows that the dataset has from other runs."""
        folder = newest(self.out)
        if folder is None or not (folder / TRAIN).exists():
            return list(tables)
        return not_of_earlier(tables, folder / TRAIN, settings.tables, self._published())

    def _published(self) -> frozenset[str]:
        """The ids of the rows that the healed run has published."""
        if self.retried is None:
            return frozenset()
        steps = self.retried["steps"]
        tables: list[Any] = steps.get(STEP) or next(reversed(steps.values()), [])
        return frozenset(row_id for t in tables for row_id in Table.model_validate(t).read(["row_id"])["row_id"])

    def publish(
        self, run: str, recipe: str, handed: Handed, steps: dict[str, list[Table]], models: list[str]
    ) -> dict[str, Any]:
        """Write the dataset, its card and its history; of the summary what is about them.

        Of 0 rows nothing is published (unless the config says so): where there is no dataset yet only the rejects are
        written.
        """
        keep = self.config.keep_revisions
        with drafting(self.out) as draft:
            lines = history(self.out)
            written = write_dataset(draft, handed, newest(self.out), joins=self.adds)
            if not (written.rows or self.config.allow_empty):
                if not lines:
                    leave_rejects(self.out, draft)
                return _as_it_was(lines, written.rejects)
            before = lines[-1].revision if lines else 0
            line = Publication(
                revision=before + (written.changes is not None or not before),
                run=run,
                replaces=not self.adds,
                retried=self.retried["run"] if self.retried else None,
                kind=self.kind,
                recipe=recipe,
                format=self.config.rows_format,
                models=models,
                rows=written.rows,
                changes=written.changes or Changes(),
                blank_rows=self._blanks(handed, written),
                at=datetime.now(UTC).isoformat(timespec="seconds"),
            )
            write_card(draft, self.out, [*lines, line], written.rejects, steps, keep)
            switch(self.out, draft, line, keep)
        return _about(line, written.rejects, len(lines) + 1)

    def unchanged(self) -> dict[str, Any]:
        """Of the summary what is about the dataset, where the run had nothing to do."""
        assert self.last is not None, "only a dataset that is there has seen all seeds"
        rejects = pl.scan_parquet(self.out / "rejects.parquet").select(pl.len()).collect().item()
        return _as_it_was(history(self.out), rejects)

    def _blanks(self, handed: Handed, written: Written) -> int:
        """How many blank rows are used up: all up to the first that is not done with."""
        heals = self.retried is not None and was_published(self.retried)
        before = self.last.blank_rows if self.last and (self.adds or heals) else 0
        if not handed.blank or heals:
            return before
        ids = [row_id for table in handed.seeds for row_id in table.read(["row_id"])["row_id"]]
        return before + next((at for at, row_id in enumerate(ids) if row_id in written.unsettled), len(ids))


def healed_run(retry: str | None, run: str, runs_again: bool) -> str | None:
    """The run whose failed rows to ask for again: the latest retry of the one named, or this one where it runs again."""
    if retry is not None:
        return latest_retry(retry)
    return run if runs_again else None


def _about(line: Publication, rejects: int, publications: int) -> dict[str, Any]:
    return {
        "published": True,
        "publications": publications,
        "rows": line.rows,
        "rejects": rejects,
        "revision": line.revision,
        "changes": line.changes.model_dump(),
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


def _check_tables(past: dict[str, Any]) -> None:
    """Raise ConfigError where a table that a retry begins with, or whose rejects it needs, is gone."""
    for step, tables in past["steps"].items():
        first = step == next(iter(past["steps"]))
        for table in map(Table.model_validate, tables):
            if (first or table.failed) and sidecar(table.path) is None:
                raise ConfigError("the tables of the run are gone", f"{past['run']}: {table.path}", "run it again")
