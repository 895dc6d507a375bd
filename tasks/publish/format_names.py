"""The names of formats, and of where reasoning stands: apart from the formats, since a mistake is told before polars is imported."""

from __future__ import annotations

from typing import Literal

SFTFormat = Literal["messages", "openai", "prompt_completion", "sharegpt", "alpaca", "grpo", "verl", "open_instruct"]
DPOFormat = Literal["dpo", "reward", "kto", "binarized", "sharegpt", "alpaca"]
ReasoningShape = Literal["none", "column", "reasoning_content", "think"]
ALONE = frozenset({"openai", "prompt_completion", "reward", "kto", "binarized"})
"""Formats that a dataset may be in alone, without the rows that all formats are made of."""

OF_KTO = (
    "Shuffle the rows of `kto` once before training (`.shuffle(seed=0)`): TRL's KTOTrainer keeps their order, and takes the "
    "next row's answer for one to another question, where here it is the same pair's other side."
)
"""What whoever trains on that format has to know (findings/trl_kto_order.sh)."""


def rows_format_of(kind: Literal["sft", "dpo"], formats: tuple[str, ...], reasoning: ReasoningShape) -> str:
    """The format of the rows that all formats are made of: the one that is asked for, where it can stand alone."""
    if len(formats) > 1 or reasoning != "none" or formats[0] not in ALONE:
        return kind
    return f"sft-{formats[0]}" if kind == "sft" else formats[0]
