"""Judges rate the responses to an instruction from 1 to 5, with reasons: overall, or aspect by aspect side by side.

stillroom dpo --recipe critiqued --instructions instructions.jsonl --model MODEL --judge JUDGE_A --judge JUDGE_B
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.gather import gather_with_losses
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import RowLoss
from tasks.judge.panel import answers_of_panel
from tasks.models.base import Sampling
from tasks.text.responses import Rating, Response, by_digest, conversation_text, drawn_from, make_response, prompt_of
from tasks.text.verdicts.forms import TEXT, Form, fields_of_each, whole_number, whole_number_or_none
from tasks.text.verdicts.ratings import HIGHEST, Verdict, overall_of, ratings_of
from tasks.text.verdicts.scores import agreement_of, scores_of

ASPECTS = {
    "paper": ("instruction_following", "truthfulness", "honesty", "helpfulness"),
    "chapter": ("helpfulness", "relevance", "deepening", "creativity"),
}
Rated = list[tuple[int, Rating]]  # (position of the response, what was said of it)
Judging = Coroutine[Any, Any, Rated]


class JudgeContext(NamedTuple):
    """What a judge is told besides the responses. `reference`: an answer that is known to be right, "" for none."""

    instruction: str
    reference: str


class UltraFeedback(Params):
    """How responses are judged."""

    aspects: Literal["overall", "paper", "chapter"] = Field(
        "overall", description="overall: one rating, a call for each response; else four aspects, a call for each"
    )
    second_order: bool = Field(False, description="aspects: ask with the responses reversed too, record the agreement")
    scale: Literal[5, 10] = Field(
        5, description="overall: the highest rating that a judge may give; mapped onto 1 to 5"
    )
    min_judges: int = Field(1, ge=1, description="judges that have to have rated, else the row is rejected as failed")
    sampling: Sampling = Field(Sampling(temperature=0.0, max_new_tokens=1024), description="how a judge is sampled")


@technique(reads="Pools", writes="JudgedPools")
async def ultrafeedback(row: Row, models: Models, params: UltraFeedback) -> list[Row]:
    """Add ratings and the mean of them (`score`) to each response (Cui et al. 2023, arXiv:2310.01377).

    Where the row has a `reference`, an answer that is known to be right, the judges are told it.
    Ratings are 1 to 5, None for N/A, each with its judge, aspect and rationale; ratings already there are kept.
    Responses are shown in an order drawn from their texts, and come out in the order of their digests. A judge that
    fails is a loss; where none answers the row is rejected (no_rating) with the last raw text, and where fewer than
    `min_judges` do, likewise (too_few_judges).
    """
    responses = by_digest(make_response(**response) for response in row["responses"])
    asks = list(_asks(row, models, params, responses))
    answers = await gather_with_losses(ask for _, ask in asks)
    who = [judge for (judge, _), answer in zip(asks, answers, strict=True) if not isinstance(answer, RowLoss)]
    said = answers_of_panel(row, answers, params.min_judges, len(set(who)))
    judged = with_ratings(responses, said)
    return [row.child(responses=judged, order_agreement=agreement_of(judged))]


def _asks(
    row: Row, models: Models, params: UltraFeedback, responses: Sequence[Response]
) -> Iterator[tuple[int, Judging]]:
    """Every question to every judge, in a fixed order, with the judge's number."""
    told = JudgeContext(conversation_text(prompt_of(row)), row.get("reference") or "")
    orders = shown_orders(responses, row.run_seed, params.second_order)
    for judge in range(len(models.of("judge"))):
        if params.aspects == "overall":
            for position in range(len(responses)):
                yield judge, rate_one(models, params, told, responses[position], judge, position)
            continue
        for aspect in ASPECTS[params.aspects]:
            for number, order in enumerate(orders):
                shown = [(i, responses[i]) for i in order]
                yield judge, rate_all(models, params, told, shown, judge, aspect, number)


def shown_orders(responses: Sequence[Response], run_seed: int, second: bool) -> list[list[int]]:
    """The orders in which responses (sorted by digest) are shown: one drawn from their texts, and its reverse."""
    first = drawn_from(responses, run_seed, "order").sample(range(len(responses)), len(responses))
    return [first, first[::-1]] if second and len(first) > 1 else [first]


async def rate_one(
    models: Models, params: UltraFeedback, told: JudgeContext, response: Response, judge: int, position: int
) -> Rated:
    """One judge's overall rating of one response."""
    name = "overall" if params.scale == HIGHEST else f"overall_of_{params.scale}"
    verdict: Verdict = await models.ask(
        f"ultrafeedback/{name}",
        by=f"judge[{judge}]",
        sample=position,
        sampling=params.sampling,
        parse=Form(
            partial(overall_of, highest=params.scale), {"reason": TEXT, "rating": whole_number(params.scale)}, "Reason:"
        ),
        quoting=True,
        instruction=told.instruction,
        reference=told.reference,
        response=response["text"],
    )
    return [(position, _rating(models, judge, "overall", verdict, 0))]


async def rate_all(
    models: Models,
    params: UltraFeedback,
    told: JudgeContext,
    ordered: Sequence[tuple[int, Response]],
    judge: int,
    aspect: str,
    number: int,
) -> Rated:
    """One judge's ratings of all responses by one aspect, shown in this order and mapped back by index."""
    verdicts: list[Verdict] = await models.ask(
        f"ultrafeedback/{aspect}",
        by=f"judge[{judge}]",
        sample=number,
        sampling=params.sampling,
        parse=Form(
            partial(ratings_of, count=len(ordered)),
            fields_of_each("Response", len(ordered), {"reason": TEXT, "rating": whole_number_or_none(HIGHEST)}),
            "Response 1\n",
        ),
        quoting=True,
        instruction=told.instruction,
        reference=told.reference,
        responses=[response["text"] for _, response in ordered],
    )
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
    judged = [
        make_response(**one | {"ratings": one["ratings"] + more}) for one, more in zip(responses, new, strict=True)
    ]
    return [make_response(**one | {"score": score}) for one, score in zip(judged, scores_of(judged), strict=True)]
