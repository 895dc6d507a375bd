"""Rows of a run that say what the dataset holds already: `filtered: duplicate_of_earlier`, with the row that was first.

Two rows say the same where their prompts do, after `normalised`: all turns before the answer, but no system prompt. The
dataset is read through once for all tables of a wave; what is held in memory is of the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import polars as pl

from tasks.engine.digest import canonical, digest
from tasks.engine.tables import REJECTS, Table, read_stream, sidecar, write_table
from tasks.publish.changes import IDS
from tasks.publish.turns import as_messages
from tasks.responses import normalised

STEP = "earlier_rows"
REASON = "duplicate_of_earlier"


def not_of_earlier(
    tables: Sequence[Table], earlier: Path, folder: str, published: frozenset[str] = frozenset()
) -> list[Table]:
    """The tables without the rows that are in the dataset file `earlier`, or say what one there says.

    `published`: ids of rows that stay because they are in the dataset from this very run (when it is retried). The
    tables made are written to `folder`.
    """
    asked = [prompts_of(table.read()) for table in tables]
    ids = [table.read(["row_id"])["row_id"].to_list() for table in tables]
    pairs = [pair for some, prompts in zip(ids, asked, strict=True) for pair in zip(some, prompts, strict=True)]
    own = {prompt for row_id, prompt in pairs if row_id in published}
    fresh = [(row_id, prompt) for row_id, prompt in pairs if row_id not in published]
    first = _first_with({row_id for row_id, _ in fresh} | ({prompt for _, prompt in fresh} - own), earlier)
    return [
        _without(table, [None if row_id in published else first.get(row_id) or first.get(prompt) for row_id, prompt in zip(some, prompts, strict=True)], folder)
        for table, some, prompts in zip(tables, ids, asked, strict=True)
    ]  # fmt: skip


def prompts_of(frame: pl.DataFrame) -> list[str]:
    """The digest of each row's prompt (32 hex digits). Takes responses, pairs, and every format of a dataset."""
    if "response" in frame.columns:
        turns = _before_the_answer(as_messages(frame)["messages"])
    elif frame.schema.get("prompt", pl.String) != pl.String:
        turns = frame["prompt"]
    else:
        turns = _before_the_answer(frame["messages" if "messages" in frame.columns else "chosen"])
    return [_prompt(conversation) for conversation in turns.to_list()]


def _before_the_answer(conversations: pl.Series) -> pl.Series:
    turns = pl.DataFrame({"turns": conversations})
    return turns.select(pl.col("turns").list.head(pl.col("turns").list.len() - 1)).to_series()


def _prompt(turns: Sequence[Mapping[str, Any]]) -> str:
    said = [f"{turn['role']}: {_words(turn)}" for turn in turns if turn["role"] != "system"]
    return blake2b("\n".join(said).encode(errors="surrogatepass"), digest_size=16).hexdigest()


def _words(turn: Mapping[str, Any]) -> str:
    """What a turn says, and what it calls."""
    words = normalised(turn["content"] or "")
    return words + canonical(turn["tool_calls"]).decode() if turn.get("tool_calls") else words


def _first_with(wanted: set[str], earlier: Path) -> dict[str, str]:
    """For each of these ids and prompts that the dataset has, the row that has it first."""
    found: dict[str, str] = {}
    for row_id, prompt in _rows(earlier):
        for key in (row_id, prompt):
            if key in wanted:
                found.setdefault(key, row_id)
    return found


def _rows(earlier: Path) -> Iterator[tuple[str, str]]:
    """Id and prompt of each row of a dataset; where a format has no ids, its number."""
    number = 0
    for frame in read_stream(earlier):
        column = next((name for name in IDS if name in frame.columns), None)
        ids = frame[column].to_list() if column else [f"row {number + at}" for at in range(frame.height)]
        yield from zip(ids, prompts_of(frame), strict=True)
        number += frame.height


def _without(table: Table, earlier: Sequence[str | None], folder: str) -> Table:
    """The table without the rows that have an earlier one."""
    frame = table.read()
    rejects = pl.DataFrame(
        [(row_id, "filtered", REASON, first, STEP, 0, None, None) for row_id, first in zip(frame["row_id"], earlier, strict=True) if first],
        schema=REJECTS, orient="row",
    )  # fmt: skip
    place = f"{folder}/{STEP}/{digest(table.fingerprint, *(first or '' for first in earlier))}.parquet"
    kept = frame.filter(pl.Series([first is None for first in earlier], dtype=pl.Boolean))
    return sidecar(place) or write_table(place, STEP, kept, {"rejects": rejects}, rows_in=frame.height)
