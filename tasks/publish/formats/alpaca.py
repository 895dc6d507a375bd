"""`alpaca`: `instruction`, `input`, `output`, as Stanford's Alpaca had them, with `system` and `history` as LLaMA-Factory reads them.

    stillroom export datasets/demo-sft --format alpaca

`instruction` is the user's last turn and `input` is empty; `history` has the earlier turns as pairs of question and answer. Of a
pair, `chosen` and `rejected` are texts. There is no room for tools, nor for marks of turns: a trainer takes the answers of the
history as it is told to. (github.com/hiyouga/LLaMA-Factory, data/README.md)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from tasks.publish.formats.sharegpt import system_of_turns

PAIRS_OF_TURNS = pl.List(pl.List(pl.String))


def alpaca(rows: pl.DataFrame) -> pl.DataFrame:
    """`instruction`, `input`, `output`, `system`, `history` in place of `messages`."""
    output = pl.col("messages").list.last().struct.field("content").alias("output")
    return rows.select(
        "row_id",
        *_asked(rows.select(pl.col("messages").list.head(pl.col("messages").list.len() - 1)).to_series()),
        output,
    ).hstack(rows.drop("row_id", "messages", "tools", strict=False))


def alpaca_pairs(pairs: pl.DataFrame) -> pl.DataFrame:
    """`instruction`, `input`, `chosen`, `rejected`, `system`, `history`, and all else that a pair has."""
    sides = [pl.col(side).list.last().struct.field("content").alias(side) for side in ("chosen", "rejected")]
    made = pairs.select("row_id", *_asked(pairs["prompt"]), *sides)
    return made.hstack(pairs.drop("row_id", "prompt", "chosen", "rejected"))


def not_in_alpaca(turns: Sequence[Mapping[str, Any]]) -> str | None:
    """Why a conversation, or a prompt, is not said so; None where it is."""
    if any(turn["role"] == "tool" or turn.get("tool_calls") for turn in turns):
        return "tool_turns"
    if any(turn["role"] == "assistant" and turn.get("train") is False for turn in turns):
        return "turns_not_to_be_trained_on"
    said = [turn["role"] for turn in (turns[1:] if turns[0]["role"] == "system" else turns)]
    if any(role != ("user", "assistant")[at % 2] for at, role in enumerate(said)):
        return "turns_do_not_alternate"
    return None


def _asked(prompts: pl.Series) -> list[pl.Series | pl.Expr]:
    """Of conversations up to the user's last turn: that turn, the system prompt, and what was said between."""
    talks = prompts.to_list()
    return [
        pl.Series("instruction", [turns[-1]["content"] for turns in talks], dtype=pl.String),
        pl.lit("").alias("input"),
        pl.Series("system", [system_of_turns(turns) for turns in talks], dtype=pl.String),
        pl.Series("history", [_history(turns) for turns in talks], dtype=PAIRS_OF_TURNS),
    ]


def _history(turns: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    said = [turn["content"] for turn in turns[:-1] if turn["role"] != "system"]
    return [said[at : at + 2] for at in range(0, len(said), 2)]
