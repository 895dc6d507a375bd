"""A reward model scores each row, and those below a threshold go, where there is one.

    stillroom sft --recipe respond --seeds seeds.jsonl --config reward.yaml

    roles: {reward: [Skywork/Skywork-Reward-V2-Qwen3-0.6B]}
    curate: {reward_model: {threshold: -10}}

    roles: {reward: [...], base: [Qwen/Qwen3-0.6B-Base]}
    curate: {reward_model: {above_base: 0}}       # better than what the base model would say itself

What a score means is the model's own business: look at the column `reward` of some rows before a threshold is set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, row_filter
from tasks.errors import ConfigError, Filtered
from tasks.judge.judged_row import JudgedRow, judged_row
from tasks.models.base import Sampling
from tasks.text.conversation import response_of

ROLE, BASE = "reward", "base"


class RewardModel(Params):
    """Which rows go by what a reward model says of them."""

    threshold: float | None = Field(
        None, allow_inf_nan=False, description="score below which a row goes; empty: all stay, with their scores"
    )

    above_base: float | None = Field(
        None,
        allow_inf_nan=False,
        description="a row goes whose score is not above that of an answer of roles.base to the same conversation by more "
        "than this; 0: it has to be better; empty: roles.base is not asked",
    )
    base_sampling: Sampling = Field(
        Sampling(temperature=0, max_new_tokens=1024), description="how the answer of roles.base is sampled"
    )

    @property
    def needs_role(self) -> str:
        """The reward model's."""
        return ROLE

    def check_models(self, models: Mapping[str, Sequence[Any]]) -> None:
        """Raise ConfigError where answers are to be above a base's, and there is none."""
        if self.above_base is not None and not models.get(BASE):
            raise ConfigError("curate.reward_model.above_base needs a model to be above", None, "give roles.base one")


@row_filter(reads="Rows", writes="RewardedRows")
async def reward_model(row: Row, models: Models, params: RewardModel) -> Mapping[str, Any]:
    """Add `reward`, the score of a row's last answer with the conversation before it (Xu et al. 2024, arXiv:2406.08464).

    Raises Filtered (low_reward, not_above_base) with the score, Unusable where the base gives no answer, and
    RequestRefused where a model takes no text as long as this.
    """
    shown = judged_row(row)
    score = await models.score(shown.turns, shown.response, by="reward")
    if params.threshold is not None and score < params.threshold:
        raise Filtered("low_reward", f"{score:.4g}, at least {params.threshold:g}")
    if params.above_base is not None:
        base = await _of_base(shown, models, params)
        if score <= base + params.above_base:
            raise Filtered("not_above_base", f"{score:.4g}, more than {base:.4g} + {params.above_base:g}")
    return {"reward": score}


async def _of_base(shown: JudgedRow, models: Models, params: RewardModel) -> float:
    """The score of what the base model answers to the same conversation."""
    answer = await models.chat(
        shown.turns, name="text_generation", by="base", sampling=params.base_sampling, parse=response_of
    )
    return await models.score(shown.turns, answer, by="reward", sample=1)
