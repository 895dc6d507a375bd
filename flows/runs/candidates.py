"""Where the first rows of a run come from: seeds read in a stream, blank rows where the model starts by itself, or the
very rows that an earlier run began with.

All give tables in order, and go on where the last `take` ended. The tables grow with their position, up to `shard_rows`
rows each (`tasks/storage/shard_sizes.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from flows.runs.curation.dataset_rows import DatasetRows, first_lines
from flows.runs.lineage import Lineage
from flows.runs.plan import RunPlan
from tasks.columns import KEPT_COLUMNS, LANGUAGE, SOURCE_COLUMNS
from tasks.engine.process import Settings
from tasks.engine.row import language_for
from tasks.models.open import BUILT_IN_SEEDS
from tasks.notices import tell
from tasks.publish.processed_seeds import seen_seeds
from tasks.seeds.batches import COMPOSED_ID, Refused, SeedBatch, Source
from tasks.seeds.seen import SeenIds
from tasks.storage.digest import canonical, digest
from tasks.storage.shard_sizes import shard_end, shard_sizes
from tasks.storage.tables import REJECTS, Table, sidecar, write_table

READ_AT_ONCE = 1000


def candidates_of(plan: RunPlan, settings: Settings, lineage: Lineage) -> Candidates:
    """Where the first rows of a run come from."""
    if (given := lineage.given()) is not None:
        return GivenRows(given)
    if plan.kind == "curate":
        return DatasetRows(plan.records, settings, plan.shard_rows)
    if not plan.recipe.blank:
        return SeedRows(plan.source(), settings, plan.shard_rows, plan.max_seeds, lineage.seen)
    step, params = plan.first_step
    fills = {one.language: params.blank_rows(one.lists(step.name)) for one in plan.prompts.each}
    return BlankRows((step.name, params), settings, plan.shard_rows, fills, lineage.first_blank)


class Candidates(Protocol):
    """First rows, in order. `take` gives tables of at most `count` rows together; an empty list at the end."""

    def take(self, count: int | None) -> list[Table]:
        """The next rows, as tables."""

    def close(self) -> None:
        """Let go of what is held open."""


class SeedRows:
    """Seeds from a source, each with the digest of its mapped columns as id; a repeated one is a reject, and so is one
    that the source refuses.

    `seen`: a file with the ids of seeds that are left out as if they were not there. `most`: of those that are not.
    """

    def __init__(
        self, source: Source, settings: Settings, shard_rows: int, most: int | None, seen: Path | None = None
    ) -> None:
        self._source, self._unseen = source, None if seen is None else UnseenSeeds(source, seen, settings.home)
        self._folder, self._shard_rows = f"{settings.tables}/seeds", shard_rows
        self._left, self._read = most, 0
        self._seen, self._settings = SeenIds(settings.home), settings
        if source.unused and source.name not in map(str, BUILT_IN_SEEDS.values()):  # nobody chose their columns
            tell(f"{source.name} holds what is not used: {source.unused}")

    def take(self, count: int | None) -> list[Table]:
        """The next `count` seeds (all that are left where None), as tables."""
        limit = min((n for n in (count, self._left) if n is not None), default=None)
        tables = []
        if limit != 0:
            for batch in self._batches(limit):
                self._read += batch.read
                tables.append(self._table(batch))
        if self._left is not None:
            self._left -= sum(table.rows_in for table in tables)
        return tables

    def close(self) -> None:
        """Forget which ids were seen."""
        self._seen.close()
        if self._unseen is not None:
            self._unseen.close()

    def _batches(self, limit: int | None) -> Iterator[SeedBatch]:
        sizes = shard_sizes(self._read, self._shard_rows)
        if self._unseen is not None:
            return self._unseen.take(sizes, limit)
        return self._source.read(sizes, start=self._read, limit=limit)

    def _table(self, batch: SeedBatch) -> Table:
        ids = batch.frame["row_id"].to_list()
        new = pl.Series(self._seen.new(batch.same_ids), dtype=pl.Boolean)
        repeated = [
            (row["row_id"], "filtered", "duplicate_seed", "", "seeds", 0, None, _held(row))
            for row in batch.frame.filter(~new).iter_rows(named=True)
        ]
        refused = [
            (one.row_id, "filtered", one.reason, one.detail, "seeds", 0, None, one.held) for one in batch.refused
        ]
        rejects = pl.DataFrame(repeated + refused, schema=REJECTS, orient="row")
        rows, own = batch.frame.filter(new).drop(COMPOSED_ID), _sources(batch.frame.filter(new))
        rows = with_drawn_language(rows, self._settings).drop(SOURCE_COLUMNS)
        parts = [self._source.composition, *(str(part) for one in batch.refused for part in (one.row_id, one.detail))]
        parts += [part for line in own.select("row_id", SOURCE_COLUMNS).iter_rows() for part in line]
        parts += rows[KEPT_COLUMNS].to_list() if KEPT_COLUMNS in rows.columns else []
        parts += rows[LANGUAGE].to_list() if self._settings.prompts.languages else []
        place = f"{self._folder}/{digest(*ids, *map(int, new), *rows.columns, *filter(None, parts))}.parquet"
        rows_in = batch.frame.height + len(batch.refused)
        beside = {"rejects": rejects, "provenance": own}
        return sidecar(place) or write_table(place, "seeds", rows, beside, rows_in=rows_in)


def _sources(seeds: pl.DataFrame) -> pl.DataFrame:
    """A line of provenance for each seed whose record held more than its row is made of."""
    return first_lines(seeds.select("row_id", SOURCE_COLUMNS).drop_nulls(), "seeds")


def _held(row: Mapping[str, Any]) -> str:
    left_out = {"row_id", COMPOSED_ID, KEPT_COLUMNS} | (set() if row.get(SOURCE_COLUMNS) else {SOURCE_COLUMNS})
    return canonical({name: value for name, value in row.items() if name not in left_out}).decode()


def with_drawn_language(seeds: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """The seeds of a run in several languages with the one of each: its own where its record says so, else one drawn."""
    languages = settings.prompts.languages
    if not languages:
        return seeds
    told = zip(seeds["row_id"], seeds[SOURCE_COLUMNS], strict=True)
    named = [_told_language(held, languages) or language_for(settings.seed, row_id, languages) for row_id, held in told]
    return seeds.with_columns(pl.Series(LANGUAGE, named, dtype=pl.String))


def _told_language(held: str | None, languages: Sequence[str]) -> str | None:
    """The language that a record names in its column `language`, as `vi` or `vi-VN`, where it is one of these."""
    told = json.loads(held).get(LANGUAGE) if held else None
    code = re.split("[-_]", told)[0].strip().lower() if isinstance(told, str) else None
    return code if code in languages else None


class UnseenSeeds:
    """The seeds of a source without those whose ids are in a file, read in a stream."""

    def __init__(self, source: Source, seen: Path, folder: Path) -> None:
        self._seen = seen_seeds(seen, folder)
        self._batches, self._held, self._refused = source.read(READ_AT_ONCE), pl.DataFrame(), list[Refused]()

    def take(self, sizes: Iterator[int], limit: int | None) -> Iterator[SeedBatch]:
        """The next seeds, in frames of these sizes, `limit` rows in all. Those refused go with the frame after them."""
        left = limit
        while left != 0:
            wanted = next(sizes) if left is None else min(next(sizes), left)
            while self._held.height < wanted and (batch := next(self._batches, None)) is not None:
                self._hold(batch)
            refused, self._refused = self._refused, []
            taken, self._held = self._held[:wanted], self._held[wanted:]
            if not taken.height and not refused:
                return
            left = None if left is None else left - taken.height
            yield SeedBatch(taken, refused, taken.height + len(refused))

    def _hold(self, batch: SeedBatch) -> None:
        known = [self._seen.known(ids) for ids in (batch.frame["row_id"].to_list(), batch.same_ids)]
        unseen = batch.frame.filter([not (own or same) for own, same in zip(*known, strict=True)])
        self._held = pl.concat([self._held, unseen]) if self._held.width else unseen
        told = self._seen.known([one.row_id for one in batch.refused])
        self._refused += [one for one, is_told in zip(batch.refused, told, strict=True) if not is_told]

    def close(self) -> None:
        """Forget which ids were seen."""
        self._seen.close()


class GivenRows:
    """The tables that an earlier run began with, for a run that heals it."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self._tables = list(tables)

    def take(self, count: int | None) -> list[Table]:
        """The next tables, with `count` rows together or up to a table more."""
        taken: list[Table] = []
        while self._tables and (count is None or sum(table.rows_in for table in taken) < count):
            taken.append(self._tables.pop(0))
        return taken

    def close(self) -> None:
        """Do nothing: no file is open."""


class BlankRows:
    """Rows with no text of their own: an id from the config and a running index, and the columns given by `fills`.

    `fills`: what the rows of each language hold, in turn; None: nothing. `first`: the index to begin with, where the
    dataset has rows of this kind already.
    """

    def __init__(
        self,
        about: Any,
        settings: Settings,
        shard_rows: int,
        fills: Mapping[str, Sequence[dict[str, Any]]] | None = None,
        first: int = 0,
    ) -> None:
        self._about, self._folder, self._shard_rows = canonical(about), f"{settings.tables}/blank", shard_rows
        self._fills, self._first, self._next = fills or {}, first, first
        self._settings = settings

    def take(self, count: int | None) -> list[Table]:
        """The next `count` rows, as tables."""
        end = self._next + (self._shard_rows if count is None else count)
        tables = []
        while self._next < end:
            stop = min(end, self._first + shard_end(self._next - self._first, self._shard_rows))
            tables.append(self._table(range(self._next, stop)))
            self._next = stop
        return tables

    def close(self) -> None:
        """Do nothing: no file is open."""

    def _table(self, indices: range) -> Table:
        records = [self._record(index) for index in indices]
        place = f"{self._folder}/{digest(canonical(records))}.parquet"
        return sidecar(place) or write_table(place, "blank", pl.DataFrame(records), {}, rows_in=len(records))

    def _record(self, index: int) -> dict[str, Any]:
        prompts, row_id = self._settings.prompts, digest("blank", self._about, index)
        own = language_for(self._settings.seed, row_id, prompts.languages) if prompts.languages else prompts.language
        fill = self._fills.get(own, ({},))
        filled = dict(fill[index % len(fill)])
        own = filled.pop(LANGUAGE, own)
        return {"row_id": row_id, **filled, **({LANGUAGE: own} if prompts.languages else {})}
