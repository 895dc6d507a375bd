"""The types of columns that hold more than one value: turns, ratings, responses of a pool."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import polars as pl

MESSAGE = pl.Struct({"role": pl.String, "content": pl.String})
TOOL_CALL = pl.Struct(
    {"id": pl.String, "type": pl.String, "function": pl.Struct({"name": pl.String, "arguments": pl.String})}
)
TOOL_FIELDS: dict[str, pl.DataType] = {
    "tool_calls": pl.List(TOOL_CALL),
    "tool_call_id": pl.String(),
    "name": pl.String(),
}
"""What a turn has more where tools are called; `arguments` is JSON text. A user may have a name without them."""
TRAIN: dict[str, pl.DataType] = {"train": pl.Boolean()}
"""Whether a turn is to be trained on, where some are not."""
CONSTRAINT = pl.Struct({"kind": pl.String, "parameters": pl.String, "language": pl.String, "text": pl.String})
"""A constraint on an answer; `parameters` is JSON text, `text` the words that say it."""
RATING = pl.Struct(
    {"judge": pl.String, "aspect": pl.String, "rating": pl.Float64, "rationale": pl.String, "order": pl.Int32}
)
RESPONSE = pl.Struct(
    {
        "text": pl.String,
        "model": pl.String,
        "arguments": pl.String,
        "principle": pl.String,
        "template": pl.String,
        "origin": pl.String,
        "parent": pl.String,
        "operations": pl.List(pl.String),
        "critique": pl.String,
        "ratings": pl.List(RATING),
        "score": pl.Float64,
    }
)
TEXT_EDIT = pl.Struct({"column": pl.String, "turn": pl.Int64, "text": pl.String})
"""A text that a person has written anew: of which column, and which turn there."""
ATTRIBUTE = pl.Struct({"name": pl.String, "value": pl.String})
"""What holds for a row, by the name of the attribute."""

SEQUENCE = pl.Struct(
    {
        "side": pl.String,
        "tokens": pl.Int64,
        "loss_tokens": pl.Int64,
        "kept_tokens": pl.Int64,
        "kept_loss_tokens": pl.Int64,
        "turns": pl.List(
            pl.Struct({"role": pl.String, "tokens": pl.Int64, "shown": pl.String, "reasoning": pl.String})
        ),
    }
)
"""What a trainer sees of a row, or of one side of a pair, in tokens: in all, with loss, and of both what is left of the cut."""


def message_type(fields: Collection[str]) -> pl.Struct:
    """The type of a turn in which some of these fields are there."""
    tools = TOOL_FIELDS if {"tool_calls", "tool_call_id"} & set(fields) else {}
    name = {"name": TOOL_FIELDS["name"]} if "name" in fields else {}
    train = TRAIN if TRAIN.keys() & set(fields) else {}
    return pl.Struct({"role": pl.String(), "content": pl.String(), **tools, **name, **train})


TOOL_TURN = message_type(TOOL_FIELDS)
"""A turn of a conversation in which tools are called."""


def with_turns_of(dtypes: Mapping[str, Any], conversations: Any) -> dict[str, Any]:
    """The types of columns, with room in plain conversations for what turns hold in those that they are made of.

    `conversations`: the type of the column `messages` that the rows have already, None where they have none.
    """
    names = {field.name for field in getattr(getattr(conversations, "inner", None), "fields", ())}
    if not names:
        return dict(dtypes)
    made = pl.List(TOOL_TURN if "tool_calls" in names else MESSAGE)
    wide = {name: conversations if name == "messages" else made for name in dtypes}
    return {name: wide[name] if dtype == pl.List(MESSAGE) else dtype for name, dtype in dtypes.items()}


def plain_turns(dtype: Any) -> Any:
    """The type of conversations whose turns hold role and content alone, for one of ours that hold more; any other as it is."""
    turn = getattr(dtype, "inner", None)
    is_ours = isinstance(turn, pl.Struct) and turn == message_type(turn.to_schema())
    return pl.List(MESSAGE) if is_ours else dtype


def with_plain_turns(frame: pl.DataFrame, dtypes: Mapping[str, Any]) -> pl.DataFrame:
    """The frame with role and content alone of turns, in those columns that are to hold plain conversations and hold more."""
    turn = pl.struct(pl.element().struct.field(name) for name in MESSAGE.to_schema())
    there = {
        name: frame.schema[name]
        for name, dtype in dtypes.items()
        if dtype == pl.List(MESSAGE) and name in frame.columns
    }
    wide = [name for name, dtype in there.items() if dtype != pl.List(MESSAGE) == plain_turns(dtype)]
    return frame.with_columns(pl.col(name).list.eval(turn) for name in wide) if wide else frame
