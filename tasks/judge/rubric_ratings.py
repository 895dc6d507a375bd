"""Responses rated by a rubric written for their instruction, in place of UltraFeedback's ratings.

stillroom dpo --recipe basic --instructions instructions.jsonl --model M --judge J --set judged_by=rubrics
"""

from __future__ import annotations

from tasks.engine.ask import Models
from tasks.engine.gather import gather_with_losses
from tasks.engine.row import Row
from tasks.engine.technique import technique
from tasks.judge.panel import answers_of_panel
from tasks.judge.rubric import PROMPTS_FOLDER, RUBRIC_ASPECT, Rubric, RubricParams, checked, rubric_score, written
from tasks.text.responses import Rating, Response, by_digest, conversation_text, make_response, prompt_of
from tasks.text.verdicts.ratings import HIGHEST, LOWEST
from tasks.text.verdicts.rubric import rubric_lines
from tasks.text.verdicts.scores import scores_of


class RubricRatings(RubricParams):
    """How responses are rated by rubrics."""


@technique(reads="Pools", writes="JudgedPools", prompts=PROMPTS_FOLDER)
async def rubric_ratings(row: Row, models: Models, params: RubricRatings) -> list[Row]:
    """Rate each response by one rubric, written for the instruction by the first judge (arXiv:2507.17746, 2510.07743).

    Each judge checks each response by itself. A rating is the rubric's score, 0 to 1, on UltraFeedback's scale of 1 to 5,
    its rationale the verdicts on the entries. Responses come out in the order of their digests; ratings already there are
    kept. What fails is as with UltraFeedback; where fewer than `min_judges` have rated a response it has no new rating.
    """
    responses = by_digest(make_response(**response) for response in row["responses"])
    prompt, reference = conversation_text(prompt_of(row)), row.get("reference") or ""
    rubric = await written(models, params, prompt, reference)
    asked = [(place, judge) for place in range(len(responses)) for judge in range(len(models.of("judge")))]
    answers = await gather_with_losses(
        _rating(models, params, rubric, (prompt, responses[place]["text"], reference), judge=judge, sample=place)
        for place, judge in asked
    )
    found = [(place, answer) for (place, _), answer in zip(asked, answers, strict=True)]
    answers_of_panel(row, answers)
    rated = [
        _with(one, [a for at, a in found if at == n and isinstance(a, dict)], params.min_judges)
        for n, one in enumerate(responses)
    ]
    judged = [make_response(**one | {"score": score}) for one, score in zip(rated, scores_of(rated), strict=True)]
    return [row.child(responses=judged, order_agreement=None)]


async def _rating(
    models: Models, params: RubricRatings, rubric: Rubric, told: tuple[str, str, str], *, judge: int, sample: int
) -> Rating:
    """One judge's rating of one response."""
    checks = await checked(models, params, rubric, told, judge=judge, sample=sample)
    rating = LOWEST + (HIGHEST - LOWEST) * rubric_score(rubric, checks, params.weights)
    name = models.of("judge")[judge].model.name
    return Rating(judge=name, aspect=RUBRIC_ASPECT, rating=rating, rationale=rubric_lines(rubric, checks), order=0)


def _with(response: Response, ratings: list[Rating], min_judges: int) -> Response:
    enough = ratings if len(ratings) >= min_judges else []
    return make_response(**response | {"ratings": response["ratings"] + enough})
