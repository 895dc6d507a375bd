"""Whose rule a dataset is looked at by, as the user names it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol

from pydantic import Field

from tasks.engine.technique import Params
from tasks.models.target import Target
from tasks.publish.trainers.axolotl import Axolotl
from tasks.publish.trainers.example import Example, Shape
from tasks.publish.trainers.llamafactory import LlamaFactory
from tasks.publish.trainers.seen import Seen
from tasks.publish.trainers.trl import Trl
from tasks.publish.trainers.unsloth import Unsloth

TrainerName = Literal["trl", "axolotl", "llamafactory", "unsloth"]
DEFAULT_LENGTH = {"trl": 1024, "axolotl": 2048, "llamafactory": 2048, "unsloth": 2048}
"""Tokens, where a user's configuration does not say: TRL 1.16's `max_length`, LLaMA-Factory 0.9.5's `cutoff_len`; Axolotl and
Unsloth have none of their own, and their examples say 2048."""


class Fit(Params):
    """Who is to train on the dataset, and how."""

    trainer: TrainerName = Field("trl", description="trl, axolotl, llamafactory or unsloth")
    max_length: int | None = Field(None, ge=1, description="tokens of a row; empty: what the trainer takes by itself")
    loss: Literal["default", "assistant"] = Field(
        "default", description="assistant: TRL's assistant_only_loss; default: what the trainer does by itself"
    )
    pairs: Literal["dpo", "reward"] = Field("dpo", description="who trains on pairs: DPOTrainer or RewardTrainer")

    @property
    def length(self) -> int:
        """The tokens that a row may have."""
        return self.max_length or DEFAULT_LENGTH[self.trainer]


class TrainerRule(Protocol):
    """What a trainer makes of examples."""

    def check(self, shape: Shape) -> None:
        """Raise ConfigError where the trainer does not take this shape, or its settings."""

    def see(self, examples: Sequence[Example]) -> Iterator[Seen]:
        """What becomes of each example, in order; of a pair both sides, the chosen one first."""


def rule_of(params: Fit, target: Target) -> TrainerRule:
    """The rule of the trainer that is named."""
    if params.trainer == "trl":
        return Trl(target, params.length, params.loss, params.pairs)
    if params.trainer == "unsloth":
        return Unsloth(target, params.length)
    if params.trainer == "llamafactory":
        return LlamaFactory(target, params.length)
    return Axolotl(target, params.length)
