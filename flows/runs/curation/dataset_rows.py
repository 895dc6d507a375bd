"""The rows of a dataset that is curated: its records whole, each with the row that is looked at.

A row keeps the id that a dataset of ours gave it; else its id is the digest of all that its record holds. A record that
stands there word for word a second time is refused as `duplicate_record`, whatever else is switched off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from tasks.columns import RECORD
from tasks.engine.process import Settings
from tasks.notices import tell
from tasks.seeds.seen import SeenIds
from tasks.seeds.whole_records import WholeBatch, WholeRecords
from tasks.storage.digest import canonical, digest
from tasks.storage.shard_sizes import shard_sizes
from tasks.storage.tables import PROVENANCE, REJECTS, Table, sidecar, with_all_of, write_table

RECORDS_STEP = "records"
NO_ANSWER, EQUAL_SIDES, REPEATED = "no_answer", "equal_sides", "duplicate_record"


class DatasetRows:
    """Implements `Candidates`: the records of a dataset, in order."""

    def __init__(self, records: WholeRecords, settings: Settings, shard_rows: int) -> None:
        self._records, self._folder, self._shard_rows = records, f"{settings.tables}/{RECORDS_STEP}", shard_rows
        self._whole, self._ids, self._read = SeenIds(settings.home), SeenIds(settings.home), 0
        if mixed := ", ".join(sorted(records.as_text)):
            tell(f"{records.source.name} has columns whose values have no type in common, kept as JSON: {mixed}")

    def take(self, count: int | None) -> list[Table]:
        """The next `count` records (all that are left where None), as tables."""
        if count == 0:
            return []
        tables, start = [], self._read
        for batch in self._records.read(shard_sizes(start, self._shard_rows), start=start, limit=count):
            self._read += batch.read
            tables.append(self._table(batch))
        return tables

    def close(self) -> None:
        """Forget which records were seen."""
        self._whole.close()
        self._ids.close()

    def _table(self, batch: WholeBatch) -> Table:
        ids = self._row_ids(batch)
        frame = batch.frame.with_columns(pl.Series("row_id", ids, dtype=pl.String))
        reasons = [
            REPEATED if not is_new else reason
            for is_new, reason in zip(self._whole.new(batch.digests), self._faults(frame), strict=True)
        ]
        rejects = [
            (row["row_id"], "filtered", reason, "", RECORDS_STEP, 0, None, canonical(row[RECORD]).decode())
            for row, reason in zip(frame.iter_rows(named=True), reasons, strict=True)
            if reason
        ]
        rejects += [
            (one.row_id, "filtered", one.reason, one.detail, RECORDS_STEP, 0, None, one.held) for one in batch.refused
        ]
        rows = frame.filter(pl.Series([not reason for reason in reasons], dtype=pl.Boolean))
        refused = [part for one in rejects for part in (one[0], one[2], one[3])]
        types = [f"{name} {kind}" for name, kind in frame.schema.items()]
        place = f"{self._folder}/{digest(*ids, *batch.digests, *refused, *types)}.parquet"
        beside = {
            "rejects": pl.DataFrame(rejects, schema=REJECTS, orient="row"),
            "provenance": first_lines(rows.select("row_id"), RECORDS_STEP),
        }
        return sidecar(place) or write_table(place, RECORDS_STEP, rows, beside, rows_in=batch.read)

    def _row_ids(self, batch: WholeBatch) -> list[str]:
        """The ids that the dataset gives, each once; else those of what the records hold."""
        own = [own or whole for own, whole in zip(batch.row_ids, batch.digests, strict=True)]
        return [
            row_id if is_new else whole
            for row_id, whole, is_new in zip(own, batch.digests, self._ids.new(own), strict=True)
        ]

    def _faults(self, frame: pl.DataFrame) -> Sequence[str | None]:
        """For each row why it is none to train on; None where it is one."""
        if not self._records.has_answers:
            return [None] * frame.height
        if self._records.is_paired:
            pairs = frame.select("chosen", "rejected").iter_rows()
            return [
                NO_ANSWER if not chosen else EQUAL_SIDES if chosen == rejected else None for chosen, rejected in pairs
            ]
        looked_at = [name for name in ("response", "messages", "label") if name in frame.columns]
        return [None if _is_answered(row) else NO_ANSWER for row in frame.select(looked_at).iter_rows(named=True)]


def _is_answered(row: dict[str, object]) -> bool:
    """Whether the assistant says or calls something in a row. An answer that is labelled as unwanted is not looked at."""
    turns = row.get("messages")
    spoke = isinstance(turns, list) and any(map(_speaks, turns))
    return bool(row.get("response")) or spoke or row.get("label") is False


def _speaks(turn: Mapping[str, Any]) -> bool:
    said = bool((turn["content"] or "").strip()) or bool(turn.get("tool_calls"))
    return turn["role"] == "assistant" and said


def first_lines(rows: pl.DataFrame, step: str) -> pl.DataFrame:
    """A line of provenance for each row: it begins with this step. `rows`: `row_id`, and what else their lines say."""
    here = {"technique": pl.lit(step), "parents": pl.lit([], dtype=pl.List(pl.String))}
    return with_all_of(rows.with_columns(**here), PROVENANCE)
