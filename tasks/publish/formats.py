"""Preference pairs in the shapes that trainers take: `dpo` (as they are), `reward`, `kto`, `binarized`.

    stillroom dpo --recipe basic --instructions instructions.jsonl --format reward

Each function takes a frame of `schemas.Pairs` (further columns are left out) and gives a frame; a lazy one stays lazy.
The shapes of `dpo`, `reward` and `kto` are those of TRL's trainers (huggingface.co/docs/trl/dataset_formats).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import polars as pl

from tasks.schemas import Pairs

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)

MARGIN = (pl.col("score_chosen") - pl.col("score_rejected")).fill_null(0.0)
WHOLE = {side: pl.concat_list("prompt", side) for side in ("chosen", "rejected")}


def dpo(pairs: Frame) -> Frame:
    """Explicit and conversational: `prompt`, `chosen`, `rejected`, and what speaks for each pair."""
    return pairs.select(list(Pairs.to_schema().columns))


def reward(pairs: Frame) -> Frame:
    """Whole conversations `chosen` and `rejected`, and `margin`, by how much the one scored higher.

    A pair without scores has the margin 0, which is what TRL's loss takes for none.
    """
    return pairs.select(**WHOLE, margin=MARGIN)


def kto(pairs: Frame) -> Frame:
    """`prompt`, `completion`, `label`: each pair as two rows, first the wanted one."""
    sides = [
        pl.struct(pl.col("prompt"), pl.col(side).alias("completion"), pl.lit(label).alias("label"))
        for side, label in (("chosen", True), ("rejected", False))
    ]
    return pairs.select(pl.concat_list(sides).alias("row")).explode("row").unnest("row")


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
    )


FORMATS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {"dpo": dpo, "reward": reward, "kto": kto, "binarized": binarized}
)
