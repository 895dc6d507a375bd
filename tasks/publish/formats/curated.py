"""What was curated in a form of its own, as rows of ours: Alpaca, `prompt` with `completion`, ShareGPT, and all that `curate` reads.

Where it was curated each record stays as it is: only an export makes rows of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from tasks.columns import RECORD
from tasks.engine.validate import schema_dtypes
from tasks.errors import ConfigError
from tasks.publish.turns import as_messages
from tasks.seeds.whole_records import open_records

AT_ONCE = 1_000
OURS = ("row_id", "messages", "tools")


def kind_of_records(file: Path) -> str | None:
    """sft or dpo, by what is read in the records of a Parquet file; None where they hold no answers in a form that is known."""
    try:
        records = open_records(file)
    except ConfigError:
        return None
    if records.is_paired:
        return "dpo"
    return "sft" if any("response" in batch.frame.columns for batch in records.read(1, limit=1)) else None


def rows_of_records(*files: Path) -> Iterator[pl.DataFrame]:
    """The records of Parquet files as conversations (`messages`) or as pairs, at most 1,000 at once, under their own ids."""
    for file in files:
        for batch in open_records(file).read(AT_ONCE):
            own = pl.Series("row_id", batch.row_ids, dtype=pl.String)
            rows = batch.frame.drop(RECORD).with_columns(pl.coalesce(own, "row_id").alias("row_id"))
            yield _conversations(rows) if "response" in rows.columns else _pairs(rows)


def _conversations(rows: pl.DataFrame) -> pl.DataFrame:
    made = as_messages(rows)
    return made.select(name for name in OURS if name in made.columns)


def _pairs(rows: pl.DataFrame) -> pl.DataFrame:
    """What nobody has said about them, scores among it, is null."""
    unsaid = {name: kind for name, kind in schema_dtypes("Pairs").items() if name not in rows.columns}
    return rows.with_columns(pl.lit(None, kind).alias(name) for name, kind in unsaid.items())
