"""The names of formats, and of where reasoning stands: apart from the formats, since a mistake is told before polars is imported."""

from __future__ import annotations

from typing import Literal

SFTFormat = Literal["messages", "openai", "prompt_completion", "sharegpt", "alpaca", "grpo", "verl", "open_instruct"]
DPOFormat = Literal["dpo", "reward", "kto", "binarized", "sharegpt", "alpaca"]
ReasoningShape = Literal["none", "column", "reasoning_content", "think"]
ALONE = frozenset({"openai", "prompt_completion", "reward", "kto", "binarized"})
"""Formats that a dataset may be in alone, without the rows that all formats are made of."""


def rows_format_of(kind: Literal["sft", "dpo"], formats: tuple[str, ...], reasoning: ReasoningShape) -> str:
    """The format of the rows that all formats are made of: the one that is asked for, where it can stand alone."""
    if len(formats) > 1 or reasoning != "none" or formats[0] not in ALONE:
        return kind
    return f"sft-{formats[0]}" if kind == "sft" else formats[0]
