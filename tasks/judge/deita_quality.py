"""How good each answer of a row is, from 1 to 6: the other half of the score that Deita selects by.

    stillroom sft --recipe deita --seeds seeds.jsonl --rows 1000

Liu et al. 2023 (arXiv:2312.15685), section 3.2: variants of an answer are ranked and scored side by side where a row has them
(`responses`); else each turn has a score of its own.
"""

from __future__ import annotations

from statistics import fmean
from typing import Any

from tasks.engine.ask import Models
from tasks.engine.gather import gather_all, gather_with_losses
from tasks.engine.row import Row
from tasks.engine.technique import technique
from tasks.errors import Filtered
from tasks.judge.deita_scores import DeitaScores, mean_ranks, rank_form
from tasks.judge.panel import answers_of_panel
from tasks.text.exchanges import Exchange, exchanges_of
from tasks.text.responses import Response, by_digest, conversation_text, drawn_from, make_response, prompt_of
from tasks.text.verdicts.expectation import Expectation


class DeitaQuality(DeitaScores):
    """How a judge is asked for a score."""


@technique(reads="Rows", writes="QualityScored")
async def deita_quality(row: Row, models: Models, params: DeitaQuality) -> list[Row]:
    """Add `quality`, a score of 1 to 6 for each answer; of several judges the mean of those that answer.

    A row with `responses` becomes a row for each of them: they are ranked together, in an order drawn from their texts,
    and earlier turns keep their own scores. Raises Filtered (no_response) where a turn has no answer.
    """
    responses = by_digest(make_response(**one) for one in row.get("responses") or ())
    exchanges = exchanges_of(row)
    single = exchanges[:-1] if responses else exchanges
    if not all(one.response for one in single):
        raise Filtered("no_response", "a turn has no answer to be scored")
    scores = await gather_all(_single(row, models, params, one, at) for at, one in enumerate(single))
    if not responses:
        return [row.child(quality=scores)]
    if params.method == "rank" and len(responses) > 1:
        ranks = await _ranked(row, models, params, responses)
    else:
        pairs = [Exchange(exchanges[-1].instruction, one["text"]) for one in responses]
        ranks = await gather_all(_single(row, models, params, one, len(single) + at) for at, one in enumerate(pairs))
    return [row.child(**_answer(one), quality=[*scores, rank]) for one, rank in zip(responses, ranks, strict=True)]


def _answer(response: Response) -> dict[str, Any]:
    """The columns of a row with this response."""
    return {"response": response["text"], "response_model": response["model"], "responses": None}


async def _single(row: Row, models: Models, params: DeitaQuality, exchange: Exchange, turn: int) -> float:
    """The score of one answer by itself."""
    said = await gather_with_losses(
        models.ask(
            "deita_quality/score",
            by=f"judge[{judge}]",
            sample=turn,
            sampling=params.sampling,
            truncated="keep",
            quoting=True,
            parse=Expectation(),
            instruction=exchange.instruction,
            response=exchange.response,
        )
        for judge in range(len(models.of("judge")))
    )
    return fmean(answers_of_panel(row, said))


async def _ranked(row: Row, models: Models, params: DeitaQuality, responses: list[Response]) -> list[float]:
    """The scores of all responses, side by side."""
    order = drawn_from(responses, row.run_seed, "order").sample(range(len(responses)), len(responses))
    said = await gather_with_losses(
        models.ask(
            "deita_quality/rank",
            by=f"judge[{judge}]",
            sampling=params.rank_sampling,
            quoting=True,
            parse=rank_form("Response", len(order)),
            instruction=conversation_text(prompt_of(row)),
            responses=[responses[at]["text"] for at in order],
        )
        for judge in range(len(models.of("judge")))
    )
    return mean_ranks(answers_of_panel(row, said), order)
