"""Preference pairs in the shapes that trainers take: `dpo` (as they are), `reward`, `kto`, `binarized`.

    stillroom dpo --recipe basic --instructions instructions.jsonl --format reward

Each function takes a frame of `schemas.Pairs` and gives a frame; a lazy one stays lazy. Of further columns only
`tools`, `principles` and `kept_columns`, the user's own, are not left out.
The shapes of `dpo`, `reward` and `kto` are those of TRL's trainers (huggingface.co/docs/trl/dataset_formats).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import polars as pl

from tasks.columns import KEPT_COLUMNS
from tasks.engine.validate import schema_dtypes

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)

OF_SOME_PAIRS = ("tools", "principles")
"""What some pairs have besides: the tools that their prompts call, and what a response was revised by."""
MARGIN = (pl.col("score_chosen") - pl.col("score_rejected")).fill_null(0.0)
WHOLE = {side: pl.concat_list("prompt", side) for side in ("chosen", "rejected")}


def preference_pairs(pairs: Frame) -> Frame:
    """Explicit and conversational: `prompt`, `chosen`, `rejected`, and what speaks for each pair."""
    return pairs.select(*schema_dtypes("Pairs"), *_kept(pairs))


def reward(pairs: Frame) -> Frame:
    """Whole conversations `chosen` and `rejected`, and `margin`, by how much the one scored higher.

    A pair without scores has the margin 0, which is what TRL's loss takes for none.
    """
    return pairs.select(*_kept(pairs), **WHOLE, margin=MARGIN).select("chosen", "rejected", "margin", *_kept(pairs))


def kto(pairs: Frame) -> Frame:
    """`prompt`, `completion`, `label`: each pair as two rows, first the wanted one."""
    sides = [
        pl.struct(pl.col("prompt"), pl.col(side).alias("completion"), pl.lit(label).alias("label"))
        for side, label in (("chosen", True), ("rejected", False))
    ]
    rows = pairs.select(pl.concat_list(sides).alias("row"), *_kept(pairs)).explode("row").unnest("row")
    return rows.select("prompt", "completion", "label", *_kept(pairs))


def binarized(pairs: Frame) -> Frame:
    """The columns of HuggingFaceH4/ultrafeedback_binarized, for trainers that grew up on it: `prompt` is the
    user's last turn as text, `chosen` and `rejected` are whole conversations. TRL's DPOTrainer takes `dpo` instead."""
    return pairs.select(
        prompt=pl.col("prompt").list.last().struct.field("content"),
        prompt_id=pl.col("row_id"),
        **WHOLE,
        messages=WHOLE["chosen"],
        score_chosen=pl.col("score_chosen"),
        score_rejected=pl.col("score_rejected"),
        **{name: pl.col(name) for name in _kept(pairs)},
    )


def _kept(pairs: pl.DataFrame | pl.LazyFrame) -> list[str]:
    """What pairs have besides, and the column that holds the user's own, where there are any."""
    there = pairs.collect_schema()
    own = {field.name for field in getattr(there.get(KEPT_COLUMNS), "fields", ())}
    return [name for name in (*OF_SOME_PAIRS, KEPT_COLUMNS) if name in there and name not in own]


FORMATS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {"dpo": preference_pairs, "reward": reward, "kto": kto, "binarized": binarized}
)
