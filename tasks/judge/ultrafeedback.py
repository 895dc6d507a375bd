"""Judges rate the responses to an instruction from 1 to 5, with reasons: overall, or aspect by aspect side by side.

stillroom dpo --recipe critiqued --instructions instructions.jsonl --model MODEL --judge JUDGE_A --judge JUDGE_B
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Sequence
from functools import partial
from typing import Any, Literal

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import RowLoss, Unusable
from tasks.judge.ratings import Verdict, overall_of, ratings_of
from tasks.judge.scores import agreement_of, scores_of
from tasks.models.base import Sampling
from tasks.responses import Rating, Response, by_digest, drawn_from, prompt_of, response_of, shown
from tasks.schemas import JudgedPools, Pools
from tasks.together import each

ASPECTS = {
    "paper": ("instruction_following", "truthfulness", "honesty", "helpfulness"),
    "chapter": ("helpfulness", "relevance", "deepening", "creativity"),
}
Rated = list[tuple[int, Rating]]  # (position of the response, what was said of it)
Ask = Coroutine[Any, Any, Rated]


class UltraFeedback(Params):
    """How responses are judged."""

    aspects: Literal["overall", "paper", "chapter"] = Field(
        "overall", description="overall: one rating, a call for each response; else four aspects, a call for each"
    )
    second_order: bool = Field(False, description="aspects: ask with the responses reversed too, record the agreement")
    sampling: Sampling = Field(Sampling(temperature=0.0, max_new_tokens=1024), description="how a judge is sampled")


@technique(reads=Pools, writes=JudgedPools)
async def ultrafeedback(row: Row, models: Models, params: UltraFeedback) -> list[Row]:
    """Add ratings and the mean of them (`score`) to each response (Cui et al. 2023, arXiv:2310.01377).

    Ratings are 1 to 5, None for N/A, each with its judge, aspect and rationale; ratings already there are kept.
    Responses are shown in an order drawn from their texts, and come out in the order of their digests. A judge that
    fails is a loss; where none answers the row is rejected (no_rating) with the last raw text.
    """
    responses = by_digest(response_of(**response) for response in row["responses"])
    answers = await each(_asks(row, models, params, responses))
    losses = [answer for answer in answers if isinstance(answer, RowLoss)]
    if len(losses) == len(answers):
        raise Unusable("no_rating", "; ".join(map(str, losses)), raw=losses[-1].raw, attempts=losses[-1].attempts)
    for loss in losses:
        row.lose(loss)
    judged = with_ratings(responses, [answer for answer in answers if not isinstance(answer, RowLoss)])
    return [row.child(responses=judged, order_agreement=agreement_of(judged))]


def _asks(row: Row, models: Models, params: UltraFeedback, responses: Sequence[Response]) -> Iterator[Ask]:
    """Every question to every judge, in a fixed order."""
    prompt = shown(prompt_of(row))
    orders = shown_orders(responses, row.run_seed, params.second_order)
    for judge in range(len(models.of("judge"))):
        if params.aspects == "overall":
            for position in range(len(responses)):
                yield rate_one(models, params, prompt, responses, judge, position)
            continue
        for aspect in ASPECTS[params.aspects]:
            for number, order in enumerate(orders):
                yield rate_all(models, params, prompt, [(i, responses[i]) for i in order], judge, aspect, number)


def shown_orders(responses: Sequence[Response], run_seed: int, second: bool) -> list[list[int]]:
    """The orders in which responses (sorted by digest) are shown: one drawn from their texts, and its reverse."""
    first = drawn_from(responses, run_seed, "order").sample(range(len(responses)), len(responses))
    return [first, first[::-1]] if second and len(first) > 1 else [first]


async def rate_one(models: Models, params: UltraFeedback, prompt: str, responses: Sequence[Response], judge: int,
                   position: int) -> Rated:  # fmt: skip
    """One judge's overall rating of one response."""
    verdict: Verdict = await models.ask(
        "ultrafeedback/overall", by=f"judge[{judge}]", sample=position, sampling=params.sampling, parse=overall_of, quoting=True,
        instruction=prompt, response=responses[position]["text"],
    )  # fmt: skip
    return [(position, _rating(models, judge, "overall", verdict, 0))]


async def rate_all(models: Models, params: UltraFeedback, prompt: str, ordered: Sequence[tuple[int, Response]],
                   judge: int, aspect: str, number: int) -> Rated:  # fmt: skip
    """One judge's ratings of all responses by one aspect, shown in this order and mapped back by index."""
    verdicts: list[Verdict] = await models.ask(
        f"ultrafeedback/{aspect}", by=f"judge[{judge}]", sample=number, sampling=params.sampling,
        parse=partial(ratings_of, count=len(ordered)), quoting=True,
        instruction=prompt, responses=[response["text"] for _, response in ordered],
    )  # fmt: skip
    positions = (position for position, _ in ordered)
    return [(i, _rating(models, judge, aspect, said, number)) for i, said in zip(positions, verdicts, strict=True)]


def _rating(models: Models, judge: int, aspect: str, verdict: Verdict, order: int) -> Rating:
    name = models.of("judge")[judge].model.name
    return Rating(judge=name, aspect=aspect, rating=verdict.rating, rationale=verdict.rationale, order=order)


def with_ratings(responses: Sequence[Response], answers: Sequence[Rated]) -> list[Response]:
    """The responses with new ratings beside those they had, and the score that comes of them all."""
    new: list[list[Rating]] = [[] for _ in responses]
    for position, rating in (said for answer in answers for said in answer):
        new[position].append(rating)
    judged = [response_of(**one | {"ratings": one["ratings"] + more}) for one, more in zip(responses, new, strict=True)]
    return [response_of(**one | {"score": score}) for one, score in zip(judged, scores_of(judged), strict=True)]
