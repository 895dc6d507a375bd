"""A reward model scores each row, and those below a threshold go, where there is one.

    stillroom sft --recipe respond --seeds seeds.jsonl --config reward.yaml

    roles: {reward: [Skywork/Skywork-Reward-V2-Qwen3-0.6B]}
    curate: {reward_model: {threshold: -10}}

What a score means is the model's own business: look at the column `reward` of some rows before a threshold is set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, row_filter
from tasks.errors import Filtered
from tasks.judge.judged_row import judged_row

ROLE = "reward"


class RewardModel(Params):
    """Which rows go by what a reward model says of them."""

    threshold: float | None = Field(
        None, allow_inf_nan=False, description="score below which a row goes; empty: all stay, with their scores"
    )

    @property
    def needs_role(self) -> str:
        """The reward model's."""
        return ROLE


@row_filter(reads="Rows", writes="RewardedRows")
async def reward_model(row: Row, models: Models, params: RewardModel) -> Mapping[str, Any]:
    """Add `reward`, the score of a row's last answer with the conversation before it (Xu et al. 2024, arXiv:2406.08464).

    Raises Filtered (low_reward) with the score, and RequestRefused where the model takes no text as long as this.
    """
    shown = judged_row(row)
    score = await models.score(shown.turns, shown.response, by="reward")
    if params.threshold is not None and score < params.threshold:
        raise Filtered("low_reward", f"{score:.4g}, at least {params.threshold:g}")
    return {"reward": score}
