"""Rows of responses as conversations, whatever fields their turns have, and conversations given more fields."""

from __future__ import annotations

from typing import Any

import polars as pl

from tasks.column_types import MESSAGE, message_type


def as_messages(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with `messages`: (system), the turns given or the one instruction, and the response.

    Turns have the fields of those given. Where some say whether they are to be trained on, one without a mark is where it
    is the assistant's.
    """
    message = _turns_in(frame.schema["messages"]) if "messages" in frame.columns else MESSAGE
    turns = pl.concat_list(_turn("user", pl.col("instruction"), message))
    if "messages" in frame.columns:
        turns = pl.coalesce(pl.col("messages").cast(pl.List(message)), turns)
    opens_with_system = turns.list.first().struct.field("role") == "system"
    system: pl.Expr = (
        pl.when((pl.col("system") != "") & ~opens_with_system)
        .then(pl.concat_list(_turn("system", pl.col("system"), message)))
        .otherwise(pl.lit([], dtype=pl.List(message)))
    )
    answer = pl.concat_list(_turn("assistant", pl.col("response"), message))
    made = frame.with_columns(pl.concat_list(system, turns, answer).alias("messages"))
    return made.with_columns(widened("messages", message)) if "train" in _names(message) else made


def _turns_in(conversations: Any) -> pl.Struct:
    """The type of a turn; that of a plain message where the column holds nothing."""
    inner = getattr(conversations, "inner", None)
    return inner if isinstance(inner, pl.Struct) else MESSAGE


def _turn(role: str, content: pl.Expr, message: pl.Struct) -> pl.Expr:
    there = {"role": pl.lit(role), "content": content}
    return pl.struct(_given(there, field) for field in message.fields)


def _given(there: dict[str, pl.Expr], field: pl.Field) -> pl.Expr:
    return there.get(field.name, pl.lit(None, dtype=field.dtype)).alias(field.name)


def turn_fields(conversations: Any) -> list[str]:
    """The names of what a turn holds in conversations of this type."""
    return _names(_turns_in(conversations))


def _names(message: pl.Struct) -> list[str]:
    return [field.name for field in message.fields]


def wider(one: Any, other: Any) -> pl.DataType | None:
    """The type of conversations that has room for the turns of both; None where one of them is no conversation."""
    names = [_names(kind.inner) for kind in (one, other) if isinstance(getattr(kind, "inner", None), pl.Struct)]
    if len(names) < 2 or any(set(MESSAGE.to_schema()) - set(some) for some in names):
        return None
    both = pl.List(message_type({*names[0], *names[1]}))
    return both if set(_names(both.inner)) == {*names[0], *names[1]} else None  # type: ignore[arg-type]


def widened(column: str, message: pl.Struct, has: pl.DataType | None = None) -> pl.Expr:
    """The conversations of a column with turns of this type; `has`: their type now, where it is another.

    What a turn has not is null, except that the assistant's without a mark is to be trained on, and no other.
    """
    there = {name: pl.element().struct.field(name) for name in _names(_turns_in(has) if has else message)}
    fields = {field.name: _given(there, field) for field in message.fields}
    if "train" in fields:
        fields["train"] = fields["train"].fill_null(there["role"] == "assistant")
    return pl.col(column).list.eval(pl.struct(fields.values()))
