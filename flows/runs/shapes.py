"""What a trainer takes of the rows of a run, by the kind of dataset that it makes."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from tasks.columns import FOUND_COLUMNS, RECORD
from tasks.engine.validate import schema_dtypes
from tasks.publish.dataset import OWN_COLUMNS, conversations
from tasks.publish.formats.conversations import SFT_FORMATS
from tasks.publish.formats.preference import FORMATS


def dataset_columns(rows_format: str) -> frozenset[str]:
    """The columns that a dataset may have of itself."""
    if rows_format in FORMATS:
        return frozenset(FORMATS[rows_format](pl.DataFrame(schema=schema_dtypes("Pairs"))).columns)
    return frozenset(OWN_COLUMNS) | ({"prompt", "completion"} if rows_format == "sft-prompt_completion" else set())


def as_conversations(name: str, more: Sequence[str], responses: pl.DataFrame) -> pl.DataFrame:
    """Responses as conversations in one of the formats, with the columns of the recipe."""
    return SFT_FORMATS[name](conversations(responses, more))


def as_they_stand(rows: pl.DataFrame) -> pl.DataFrame:
    """The records of a dataset that is curated, and what judges have found about them now."""
    found = [name for name in FOUND_COLUMNS if name in rows.columns]
    records = rows[RECORD].struct.unnest().drop(found, strict=False)
    return pl.concat([rows.select("row_id"), records, rows.select(found)], how="horizontal")
