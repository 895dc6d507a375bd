"""A judge checks each row by a rubric written for its instruction, and rows that score below the threshold go.

stillroom sft --recipe respond --seeds seeds.jsonl --model M --judge J --set curate.rubrics.threshold=0.7
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.gather import gather_with_losses
from tasks.engine.row import Row
from tasks.engine.technique import row_filter
from tasks.errors import Filtered
from tasks.judge.judged_row import judged_row
from tasks.judge.panel import answers_of_panel
from tasks.judge.rubric import PROMPTS_FOLDER, RUBRIC_ASPECT, RubricParams, checked, missed, rubric_score, written
from tasks.storage.digest import canonical
from tasks.text.responses import Rating
from tasks.text.verdicts.rubric import rubric_lines


class Rubrics(RubricParams):
    """How rows are checked by rubrics, and which of them go."""

    threshold: float = Field(0.6, ge=0, le=1, description="share of what can be gained below which a row goes")
    all_essential: bool = Field(
        True, description="a row goes, too, whose answer misses an essential entry in the eyes of most judges"
    )


@row_filter(reads="Rows", writes="CheckedRows", prompts=PROMPTS_FOLDER)
async def rubrics(row: Row, models: Models, params: Rubrics) -> Mapping[str, Any]:
    """Have a rubric written for a row's instruction, and each judge say which entries its last answer meets.

    The first judge writes it before it sees the answer. Adds `rubric` (the entries with their kinds), `rubric_score` (the
    mean of the judges' scores, 0 to 1), and to `ratings` one of each judge, aspect `rubric`, with its verdicts as rationale.
    Raises Filtered (low_rubric_score, essential_missing) with what the judges said as `raw`, and as `rate` does where
    judges fail. (Gunjal et al. 2025, arXiv:2507.17746; Liu et al. 2025, arXiv:2510.07743)
    """
    shown = judged_row(row)
    rubric = await written(models, params, shown.instruction, shown.reference)
    told = (shown.instruction, shown.response, shown.reference)
    judges = models.of("judge")
    answers = await gather_with_losses(
        _said_by(models, number, checked(models, params, rubric, told, judge=number)) for number in range(len(judges))
    )
    said = answers_of_panel(row, answers, params.min_judges)
    scores = [rubric_score(rubric, checks, params.weights) for _, checks in said]
    ratings = [
        Rating(judge=name, aspect=RUBRIC_ASPECT, rating=score, rationale=rubric_lines(rubric, checks), order=0)
        for (name, checks), score in zip(said, scores, strict=True)
    ]
    raw, score = canonical(ratings).decode(), fmean(scores)
    if score < params.threshold:
        raise Filtered("low_rubric_score", f"score {score:.3g}, at least {params.threshold:g}", raw=raw)
    misses = [entry for _, checks in said for entry in missed(rubric, checks)]
    often = [entry for entry in dict.fromkeys(misses) if 2 * misses.count(entry) > len(said)]
    if often and params.all_essential:
        raise Filtered("essential_missing", often[0], raw=raw)
    return {
        "rubric": [str(entry) for entry in rubric],
        "rubric_score": score,
        "ratings": [*(row.get("ratings") or []), *ratings],
    }


async def _said_by(models: Models, judge: int, verdicts: Any) -> tuple[str, Any]:
    return models.of("judge")[judge].model.name, await verdicts
