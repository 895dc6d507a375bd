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

from tasks.engine.row import Loss
from tasks.engine.sieve import without
from tasks.publish.changes import id_column
from tasks.storage.digest import canonical
from tasks.storage.tables import Table, read_stream
from tasks.text.conversation import ASKED_IN, asked_turns
from tasks.text.responses import normalised
from tasks.text.words import nfc

STEP = "earlier_rows"
DUPLICATE = "duplicate_of_earlier"


def not_of_earlier(
    tables: Sequence[Table], earlier: Sequence[Path], folder: str, published: frozenset[str] = frozenset()
) -> list[Table]:
    """The tables without the rows that are in the dataset's files `earlier`, or say what one there says.

    `published`: ids of rows that stay because they are in the dataset from this very run (when it is retried). The
    tables made are written to `folder`.
    """
    asked = [prompts_of(table.read()) for table in tables]
    ids = [table.read(["row_id"])["row_id"].to_list() for table in tables]
    pairs = [pair for some, prompts in zip(ids, asked, strict=True) for pair in zip(some, prompts, strict=True)]
    own = {prompt for row_id, prompt in pairs if row_id in published}
    fresh = [(row_id, prompt) for row_id, prompt in pairs if row_id not in published]
    first = _first_with({row_id for row_id, _ in fresh} | ({prompt for _, prompt in fresh} - own), earlier)
    gone = {
        row_id: Loss("filtered", DUPLICATE, there)
        for row_id, prompt in fresh
        if (there := first.get(row_id) or first.get(prompt))
    }
    return [
        without(table, {row_id: gone[row_id] for row_id in some if row_id in gone}, STEP, folder)
        for table, some in zip(tables, ids, strict=True)
    ]


def prompts_of(frame: pl.DataFrame) -> list[str]:
    """The digest of each row's prompt (32 hex digits). Takes responses, pairs, and every format of a dataset."""
    asking = frame.select(column for column in ASKED_IN if column in frame.columns)
    return [_prompt(asked_turns(row)) for row in asking.iter_rows(named=True)]


def _prompt(turns: Sequence[Mapping[str, Any]]) -> str:
    said = [f"{turn['role']}: {_words(turn)}" for turn in turns]
    return blake2b("\n".join(said).encode(errors="surrogatepass"), digest_size=16).hexdigest()


def _words(turn: Mapping[str, Any]) -> str:
    """What a turn says, and what it calls."""
    words = normalised(turn["content"] or "")
    return words + nfc(canonical(turn["tool_calls"]).decode()) if turn.get("tool_calls") else words


def _first_with(wanted: set[str], earlier: Sequence[Path]) -> dict[str, str]:
    """For each of these ids and prompts that the dataset has, the row that has it first."""
    found: dict[str, str] = {}
    for row_id, prompt in _rows(earlier):
        for key in (row_id, prompt):
            if key in wanted:
                found.setdefault(key, row_id)
    return found


def _rows(earlier: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Id and prompt of each row of a dataset; where a format has no ids, its number."""
    number = 0
    for frame in read_stream(*earlier):
        column = id_column(frame.columns)
        ids = frame[column].to_list() if column else [f"row {number + at}" for at in range(frame.height)]
        yield from zip(ids, prompts_of(frame), strict=True)
        number += frame.height
