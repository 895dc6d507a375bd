"""The user's own columns as columns of the dataset: out of the JSON that went with each row, under types that fit all rows.

Whole numbers, numbers, true or false, texts and lists of one of these keep their type. Where rows differ in it, or one holds
an object, the column is text: a text as it stands, all else as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from tasks.columns import KEPT_COLUMNS, LANGUAGE
from tasks.storage.tables import column_of

SIMPLE: dict[type, pl.DataType] = {bool: pl.Boolean(), int: pl.Int64(), float: pl.Float64(), str: pl.String()}
MOST = 2**63  # of a whole number of 64 bits


def types_of(frames: Iterable[pl.DataFrame], keep: Sequence[str]) -> dict[str, pl.DataType]:
    """The names and types of the columns that rows bring along; those in `keep` first, whether any has them or not."""
    types: dict[str, pl.DataType | None] = {name: None for name in keep if name != "*"}
    for frame in frames:
        for text in frame[KEPT_COLUMNS].drop_nulls() if KEPT_COLUMNS in frame.columns else ():
            for name, value in json.loads(text).items():
                types[name] = common(types.get(name), _type_of(value))
    return {name: kind or pl.String() for name, kind in types.items()}


def unpacked(frame: pl.DataFrame, types: dict[str, pl.DataType]) -> pl.DataFrame:
    """The frame with what its rows bring along as one struct of these types."""
    texts = frame[KEPT_COLUMNS].to_list() if KEPT_COLUMNS in frame.columns else [None] * frame.height
    values = [json.loads(text) if text else {} for text in texts]
    fields = [column_of(name, [_as(one.get(name), kind) for one in values], kind) for name, kind in types.items()]
    return frame.with_columns(pl.DataFrame(fields).to_struct(KEPT_COLUMNS))


def with_language(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with the language of its rows before the user's own columns, in the same struct."""
    language = pl.col(LANGUAGE) if LANGUAGE in frame.columns else pl.lit(None, pl.String).alias(LANGUAGE)
    own = frame[KEPT_COLUMNS].struct.fields if KEPT_COLUMNS in frame.columns else []
    fields = [pl.col(KEPT_COLUMNS).struct.field(name) for name in own]
    return frame.with_columns(pl.struct(language, *fields).alias(KEPT_COLUMNS))


def common(one: pl.DataType | None, other: pl.DataType | None) -> pl.DataType | None:
    """The type for values of both; None where nothing is known of either."""
    if one is None or other is None or one == other:
        return other if one is None else one
    numbers = {pl.Int64(), pl.Float64()}
    return pl.Float64() if {one, other} == numbers else pl.String()


def is_simple(kind: pl.DataType) -> bool:
    """Whether a column of the user's own may have this type."""
    return (kind.inner if isinstance(kind, pl.List) else kind) in SIMPLE.values()


def cast(column: str, has: pl.DataType, kind: pl.DataType) -> pl.Expr:
    """A column of one of these types as one of another."""
    if isinstance(has, pl.List):
        return pl.col(column).map_elements(lambda held: _as(held.to_list(), kind), return_dtype=kind)
    return pl.col(column).cast(kind)


def _type_of(value: Any) -> pl.DataType:
    if type(value) is list:
        inner: pl.DataType | None = None
        for one in value:
            inner = common(inner, None if one is None else _type_of(one))
        kinds = {type(one) for one in value if one is not None}
        is_plain = inner is None or (inner in SIMPLE.values() and (len(kinds) == 1 or inner == pl.Float64()))
        return pl.List(inner or pl.String()) if is_plain and not kinds & {list, dict} else pl.String()
    if type(value) is int and not -MOST <= value < MOST:
        return pl.String()
    return SIMPLE.get(type(value), pl.String())


def _as(value: Any, kind: pl.DataType) -> Any:
    if value is None:
        return None
    if kind == pl.String():
        return value if type(value) is str else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if isinstance(kind, pl.List):
        return [_as(one, kind.inner) for one in value]  # type: ignore[arg-type]
    return float(value) if kind == pl.Float64() else value
