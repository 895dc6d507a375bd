"""Responses of the model that is to be trained, as many as asked for, and of other models beside them.

    stillroom dpo --recipe on_policy --instructions datasets/demo-sft --model MODEL --judge JUDGE

What a model says itself (on-policy) shows a preference where it stands now; what others say (off-policy) shows it what it does
not say yet. Lambert et al. 2024 (arXiv:2411.15124), section 5, put one of its own answers into each pair of both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.gather import gather_with_losses
from tasks.engine.losses import lose_all
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import ConfigError
from tasks.generate.pool_responses import answering, too_few, written_by
from tasks.models.base import Sampling
from tasks.text.alike import place
from tasks.text.conversation import asked_last
from tasks.text.responses import Response, by_digest, given, prompt_of

ON_POLICY, OFF_POLICY = "on_policy", "off_policy"


class PolicyPool(Params):
    """How many responses come of the model that is to be trained, and how many of others."""

    on_policy: int = Field(
        5, ge=1, le=64, description="responses of the model that is to be trained (roles.policy, else the model)"
    )
    off_policy: int = Field(
        0, ge=0, le=64, description="models of roles.pool that give a response as well, drawn for each instruction"
    )
    keep_responses: bool = Field(
        False, description="the responses that a row came with are members of its pool, as off-policy ones"
    )
    max_rouge_l: float = Field(0.9, gt=0, le=1, description="responses more alike are drawn again; 1: only equal texts")
    redraws: int = Field(
        2, ge=0, description="further on-policy responses asked for, a row, in place of those too alike"
    )
    sampling: Sampling = Field(
        Sampling(temperature=0.8, top_p=1.0, max_new_tokens=1024), description="a model's own settings go before this"
    )

    @property
    def keeps_given_responses(self) -> bool:
        """Whether responses that a seed brings along are members of its pool."""
        return self.keep_responses

    def check_models(self, models: Mapping[str, Sequence[Any]]) -> None:
        """Raise ConfigError where others are to answer, and there are not so many, or nothing makes a pair."""
        others = len(models.get("pool", ()))
        if self.off_policy > others:
            fix = f"roles.pool has {others}: give it more models, or leave off_policy at {others}"
            raise ConfigError("policy_pool.off_policy needs more models than there are", self.off_policy, fix)
        if self.on_policy + self.off_policy < 2 and not self.keep_responses:
            raise ConfigError("a pair needs two responses", "policy_pool.on_policy 1", "raise it, or off_policy")


@technique(reads="Rows", writes="Pools")
async def policy_pool(row: Row, models: Models, params: PolicyPool) -> list[Row]:
    """Ask the policy for several responses, and others for one each (Tulu 3's pools, arXiv:2411.15124, section 5.2).

    Writes `responses`, of origin `on_policy`, `off_policy` or `given`, and `instruction` (the user's last turn). A response
    that fails is a loss; so is one too alike to one kept (`too_alike`), and the policy is asked again in its place. Raises
    no_response or one_response where there are not two: Filtered where all that is missing was too alike, Unusable otherwise.
    """
    offered = by_digest(given(row)) if params.keep_responses else []
    kept: list[Response] = []
    losses = [loss for response in offered if (loss := place(response, kept, params.max_rouge_l))]
    others = row.rng("off_policy").sample(range(len(models.of("pool"))), params.off_policy)
    samples = count()
    wave = [_own(row, models, params, next(samples)) for _ in range(params.on_policy)]
    wave += [_other(row, models, params, member) for member in others]
    spare = params.redraws
    while wave:
        found = [place(answer, kept, params.max_rouge_l) for answer in await gather_with_losses(wave)]
        losses += [loss for loss in found if loss]
        again = min(spare, sum(1 for loss in found if loss and loss.reason == "too_alike"))
        spare -= again
        wave = [_own(row, models, params, next(samples)) for _ in range(again)]
    if len(kept) < 2:
        raise too_few(kept, losses)
    lose_all(row, losses)
    return [row.child(instruction=asked_last(prompt_of(row)), responses=kept)]


async def _own(row: Row, models: Models, params: PolicyPool, sample: int) -> Response:
    text: str = await models.chat(by="policy", sample=sample, **answering(row, models, "policy_pool", params.sampling))
    return written_by(models.of("policy")[0], text, params.sampling, ON_POLICY)


async def _other(row: Row, models: Models, params: PolicyPool, member: int) -> Response:
    text: str = await models.chat(by=f"pool[{member}]", **answering(row, models, "policy_pool", params.sampling))
    return written_by(models.of("pool")[member], text, params.sampling, OFF_POLICY)
