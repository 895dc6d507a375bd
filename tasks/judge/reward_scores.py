"""Responses scored by a reward model in place of a judge: pairs by the best and the worst of N.

stillroom dpo --recipe basic --instructions instructions.jsonl --set judged_by=reward --set model_pool.responses=5
"""

from __future__ import annotations

from tasks.engine.ask import Models
from tasks.engine.gather import gather_with_losses
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.judge.panel import answers_of_panel
from tasks.text.responses import Rating, by_digest, make_response, prompt_of

ROLE = "reward"
ASPECT = "reward"


class RewardScores(Params):
    """How a reward model scores responses: there is nothing to be told."""

    @property
    def needs_role(self) -> str:
        """The reward model's."""
        return ROLE


@technique(reads="Pools", writes="JudgedPools")
async def reward_scores(row: Row, models: Models, params: RewardScores) -> list[Row]:  # noqa: ARG001 - as every technique
    """Score each response by a reward model (Magpie's pairs: Xu et al. 2024, arXiv:2406.08464, appendix on DPO).

    The `score` of a response is the model's, on its own scale, whatever ratings it had; a rating of aspect `reward` says
    the same, with the model's name. A response that the model refuses is a loss and has no score; where it refuses all of
    them the row is rejected (no_rating). Responses come out in the order of their digests.
    """
    responses = by_digest(make_response(**response) for response in row["responses"])
    turns, name = prompt_of(row), models.of("reward")[0].model.name
    answers = await gather_with_losses(
        models.score(turns, response["text"], by="reward", sample=place) for place, response in enumerate(responses)
    )
    answers_of_panel(row, answers, 1)
    scored = []
    for response, answer in zip(responses, answers, strict=True):
        score = answer if isinstance(answer, float) else None
        said = [] if score is None else [Rating(judge=name, aspect=ASPECT, rating=score, rationale="", order=0)]
        scored.append(make_response(**response | {"ratings": response["ratings"] + said}) | {"score": score})
    return [row.child(responses=scored, order_agreement=None)]
