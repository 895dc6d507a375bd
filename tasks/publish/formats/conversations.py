"""Conversations in the shapes that trainers take, with the marks of turns in the dialect of each.

    stillroom sft --recipe respond --seeds conversations.jsonl --format prompt_completion

- `messages`: where turns are marked, `train` is true or false on each: Axolotl's `message_field_training: train`. TRL does
  not read it, and trains on every turn of the assistant.
- `openai`: `weight` is 1 or 0 on each turn of the assistant, and on no other, as OpenAI's fine-tuning takes it.
- `prompt_completion`: TRL's way to train on some turns only: a row for each turn to be trained on, with all before it as the
  prompt.

Each function takes and gives a frame of `schemas.Conversations`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import polars as pl

from tasks.publish.turns import turn_fields
from tasks.storage.digest import digest


def messages(rows: pl.DataFrame) -> pl.DataFrame:
    """Conversations in our own form: nothing is changed."""
    return rows


def openai(rows: pl.DataFrame) -> pl.DataFrame:
    """`train` of a turn as `weight`."""
    fields = turn_fields(rows.schema["messages"])
    if "train" not in fields:
        return rows
    turn = {name: pl.element().struct.field(name) for name in fields}
    train = turn.pop("train")
    weight = pl.when(turn["role"] == "assistant").then(train.cast(pl.Int64)).alias("weight")
    return rows.with_columns(pl.col("messages").list.eval(pl.struct(*turn.values(), weight)))


def prompt_completion(rows: pl.DataFrame) -> pl.DataFrame:
    """`prompt` and `completion` in place of `messages`: one row a conversation, or one for each turn that is marked."""
    others = [column for column in rows.columns if column not in ("row_id", "messages")]
    fields = turn_fields(rows.schema["messages"])
    if "train" in fields:
        rows = pl.DataFrame(list(_one_a_turn(rows)), rows.schema, orient="row")
        turn = [pl.element().struct.field(name) for name in fields if name != "train"]
        rows = rows.with_columns(pl.col("messages").list.eval(pl.struct(turn)))
    turns = pl.col("messages").list
    asked, answered = turns.head(turns.len() - 1).alias("prompt"), turns.tail(1).alias("completion")
    return rows.select("row_id", asked, answered, *others)


def _one_a_turn(rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Each conversation up to each of the assistant's turns that is to be trained on; the last one keeps the row's id."""
    for row in rows.iter_rows(named=True):
        turns = row["messages"]
        for at, turn in enumerate(turns[:-1], 1):
            if turn["role"] == "assistant" and turn["train"]:
                given = {"row_id": digest(row["row_id"], "turn", at), "messages": turns[:at], "response_model": ""}
                yield row | given
        yield row


SFT_FORMATS: Mapping[str, Callable[[pl.DataFrame], pl.DataFrame]] = MappingProxyType(
    {"messages": messages, "openai": openai, "prompt_completion": prompt_completion}
)
