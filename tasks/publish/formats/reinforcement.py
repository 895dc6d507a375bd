r"""Problems for reinforcement learning with rewards that a program gives, as three trainers read them.

    stillroom sft --recipe reasoning --seeds gsm8k.jsonl --set rejection_sampling.user_turn=asked --format messages --format grpo
    stillroom export datasets/sft-reasoning --format verl

- `grpo`: TRL's GRPOTrainer. `prompt` is the conversation up to the answer; all further columns go to the reward functions by
  their names: `ground_truth`, `verifier`, `pass_rate` (huggingface.co/docs/trl/grpo_trainer, "Using a custom reward function").
- `verl`: `data_source`, `prompt`, `ability`, `reward_model` {style, ground_truth}, `extra_info` (verl.readthedocs.io,
  "Prepare data for post-training"). `data_source` chooses verl's reward function: for final answers it is that of MATH, which
  compares what \boxed{} holds. For unit tests it has none of this shape: `data_source` is `tests`, for a function of your own.
- `open_instruct`: `messages`, `ground_truth`, `dataset`, which names the verifier (github.com/allenai/open-instruct,
  `dataset_transformation.py`: `rlvr_tokenize_v1` takes all turns but the last for the prompt, so the answer stays there). Unit tests
  are a JSON list of programs there too (verifier `code`).

A model can only mark its answer if the prompt says how: give `rejection_sampling.user_turn=asked`.
Each function takes a frame of `schemas.Conversations` with `ground_truth`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import polars as pl

from tasks.columns import GROUND_TRUTH

VERIFIER = pl.col("verifier")
REWARDS_OF_VERL: Mapping[str, str] = MappingProxyType({"answer": "lighteval/MATH"})
"""Which of verl's reward functions does what a verifier of ours does, by `data_source`."""
VERIFIERS_OF_OPEN_INSTRUCT: Mapping[str, str] = MappingProxyType({"answer": "math", "tests": "code"})
ABILITIES: Mapping[str, str] = MappingProxyType({"answer": "math", "tests": "code"})
ASKED = pl.col("messages").list.head(pl.col("messages").list.len() - 1).alias("prompt")


def grpo(rows: pl.DataFrame) -> pl.DataFrame:
    """`prompt`, `ground_truth`, `verifier`, `pass_rate` in place of `messages`."""
    rows = _with_pass_rate(rows)
    first = (GROUND_TRUTH, "verifier", "pass_rate")
    return rows.select("row_id", ASKED, *first, *_others(rows, *first))


def verl(rows: pl.DataFrame) -> pl.DataFrame:
    """One row a problem: `data_source`, `prompt`, `ability`, `reward_model`, `extra_info`, and nothing else.

    A verifier that verl has no reward function for keeps its name: the user's own `custom_reward_function` reads it.
    """
    rows = _with_pass_rate(rows)
    return rows.select(
        VERIFIER.replace(dict(REWARDS_OF_VERL)).alias("data_source"),
        ASKED,
        VERIFIER.replace(dict(ABILITIES)).alias("ability"),
        pl.struct(pl.lit("rule").alias("style"), GROUND_TRUTH).alias("reward_model"),
        pl.struct(pl.col("row_id").alias("index"), "verifier", "pass_rate").alias("extra_info"),
    )


def open_instruct(rows: pl.DataFrame) -> pl.DataFrame:
    """`messages` with the answer, `ground_truth`, and the verifier's name there in `dataset`."""
    named = VERIFIER.replace(dict(VERIFIERS_OF_OPEN_INSTRUCT)).alias("dataset")
    return rows.select("row_id", "messages", GROUND_TRUTH, named, *_others(rows, GROUND_TRUTH))


def _with_pass_rate(rows: pl.DataFrame) -> pl.DataFrame:
    return rows if "pass_rate" in rows.columns else rows.with_columns(pass_rate=pl.lit(None, pl.Float64))


def _others(rows: pl.DataFrame, *taken: str) -> list[str]:
    return [name for name in rows.columns if name not in ("row_id", "messages", *taken)]


REINFORCEMENT_FORMATS: Mapping[str, Callable[[pl.DataFrame], pl.DataFrame]] = MappingProxyType(
    {"grpo": grpo, "verl": verl, "open_instruct": open_instruct}
)
