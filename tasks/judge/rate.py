"""A judge looks at each row before it is trained on: ratings by several criteria, and rows below the threshold go.

    stillroom sft --recipe respond --seeds seeds.jsonl --model M --judge J --set curate.rate.threshold=3.5

The criteria are ours (correct, complete, clear, safe), in the words of the run's prompts, or the user's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from statistics import fmean
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks.engine.ask import Models
from tasks.engine.gather import gather_with_losses
from tasks.engine.row import Row
from tasks.engine.technique import Params, row_filter
from tasks.errors import ConfigError, Filtered, did_you_mean
from tasks.judge.judged_row import JudgedRow, judged_row
from tasks.judge.panel import answers_of_panel
from tasks.models.base import Sampling
from tasks.storage.digest import canonical
from tasks.text.prompts import Prompts
from tasks.text.responses import Rating
from tasks.text.verdicts.forms import TEXT, Form, fields_of_each, whole_number
from tasks.text.verdicts.ranks import criteria_of
from tasks.text.verdicts.ratings import HIGHEST, Verdict, rating_of

PROMPT = "rate/response"
ROUNDING = 1e-9  # a mean of 3.6, 3.9 and 3 is 3.5


class Criterion(BaseModel):
    """What a response is rated by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=60, description="a word or two, such as correct")
    text: str = Field(
        "", description="what it asks, and what each grade means, a line each; empty: our own criterion of this name"
    )
    weight: float = Field(1.0, gt=0, allow_inf_nan=False, description="of its rating in the score")
    least: float | None = Field(None, description="rating below which a row goes, whatever its score")


class Rate(Params):
    """How rows are rated, and which of them go."""

    criteria: tuple[Criterion, ...] = Field(
        (), description="what a response is rated by, each `{name: ..., text: ..., weight: ...}`; empty: all of ours"
    )
    scale: int = Field(
        HIGHEST, ge=2, le=100, description="highest rating; the lowest is 1. Our criteria have five grades"
    )
    threshold: float = Field(3.0, description="weighted mean of the ratings below which a row goes")
    min_judges: int = Field(1, ge=1, description="judges that have to have rated a row, else it is rejected as failed")
    sampling: Sampling = Field(Sampling(temperature=0.0, max_new_tokens=1024), description="how a judge is sampled")

    @model_validator(mode="after")
    def _on_the_scale(self) -> Self:
        for name, limit in [("threshold", self.threshold), *((one.name, one.least) for one in self.criteria)]:
            if limit is not None and not 1 <= limit <= self.scale:
                raise ValueError(f"{name}: {limit:g} is not on the scale of 1 to {self.scale}")
        names = [one.name.casefold() for one in self.criteria]
        if len(set(names)) < len(names):
            raise ValueError("two criteria have the same name")
        return self


@row_filter(reads="Rows", writes="RatedRows")
async def rate(row: Row, models: Models, params: Rate) -> Mapping[str, Any]:
    """Rate a row's last answer, with the conversation before it shown, and keep it from the threshold on.

    Where the row has a `reference`, an answer that is known to be right, the judges are told it. Adds `ratings` (each
    with its judge, the criterion as `aspect`, and a reason) and `score`: of each criterion the mean over the judges, of
    these the weighted mean, on the scale that was asked for. Raises Filtered (low_rating) with the figures, and what the
    judges said as `raw`. A judge that fails is a loss; fewer than `min_judges` reject the row (no_rating, too_few_judges).
    """
    shown, criteria = judged_row(row), criteria_in(params.criteria, models.lists("rate"))
    judges = range(len(models.of("judge")))
    answers = await gather_with_losses(_rated(models, params, shown, criteria, judge) for judge in judges)
    ratings = [one for answer in answers_of_panel(row, answers, params.min_judges) for one in answer]
    means = means_of(ratings, list(criteria))
    if not means:
        raise Filtered("not_rated", "the judges find that no criterion applies", raw=canonical(ratings).decode())
    score = weighted(means, params.criteria)
    if refusal := below(score, means, params):
        raise Filtered("low_rating", refusal, raw=canonical(ratings).decode())
    return {"score": score, "ratings": ratings}


async def _rated(
    models: Models, params: Rate, shown: JudgedRow, criteria: Mapping[str, Sequence[str]], judge: int
) -> list[Rating]:
    """One judge's ratings by all criteria."""
    names = list(criteria)
    verdicts: dict[str, Verdict] = await models.ask(
        PROMPT,
        by=f"judge[{judge}]",
        sampling=params.sampling,
        parse=Form(
            partial(verdicts_of, names=names, highest=params.scale),
            fields_of_each("Criterion", len(names), {"reason": TEXT, "rating": whole_number(params.scale)}),
            "Criterion 1\n",
        ),
        quoting=True,
        instruction=shown.instruction,
        response=shown.response,
        reference=shown.reference,
        criteria=criteria,
        highest=params.scale,
    )
    name = models.of("judge")[judge].model.name
    return [
        Rating(judge=name, aspect=aspect, rating=said.rating, rationale=said.rationale, order=0)
        for aspect, said in verdicts.items()
    ]


def verdicts_of(text: str, names: Sequence[str], highest: int) -> dict[str, Verdict]:
    """A verdict by each criterion. Where there is only one, a judge need not say which. Raises Unusable."""
    if len(names) > 1 or "criterion" in text.casefold():
        return criteria_of(text, names, highest)
    return {names[0]: rating_of(text, highest)}


def criteria_in(told: Sequence[Criterion], ours: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """The criteria by name, each as lines: the user's, in which those without a text are `ours`, else all of ours.

    Raises ConfigError for one without a text that is none of ours.
    """
    if not told:
        return dict(ours)
    for one in told:
        if not one.text.strip() and one.name not in ours:
            fix = did_you_mean(one.name, ours, f"give it a text; ours: {', '.join(ours)}")
            raise ConfigError("a criterion without a text is none of ours", one.name, fix)
    return {one.name: one.text.strip().splitlines() or ours[one.name] for one in told}


def means_of(ratings: Sequence[Rating], names: Sequence[str]) -> dict[str, float]:
    """The mean of each criterion over the judges; those that nobody rated are left out."""
    by_name = {name: [one["rating"] for one in ratings if one["aspect"] == name] for name in names}
    rated = {name: [value for value in values if value is not None] for name, values in by_name.items()}
    return {name: fmean(values) for name, values in rated.items() if values}


def weighted(means: Mapping[str, float], told: Sequence[Criterion]) -> float:
    """The weighted mean."""
    weights = {one.name: one.weight for one in told}
    whole = sum(weights.get(name, 1.0) for name in means)
    return sum(weights.get(name, 1.0) * value for name, value in means.items()) / whole


def below(score: float, means: Mapping[str, float], params: Rate) -> str:
    """Why a row goes, with the figures and the limit; "" where it stays."""
    for one in params.criteria:
        if one.least is not None and one.name in means and means[one.name] < one.least - ROUNDING:
            return f"{one.name} {means[one.name]:.3g}, at least {one.least:g}"
    if score >= params.threshold - ROUNDING:
        return ""
    each = f" ({', '.join(f'{name} {value:.3g}' for name, value in means.items())})" if len(means) > 1 else ""
    return f"score {score:.3g}, at least {params.threshold:g}{each}"


def check_rate(params: Rate, prompts: Prompts) -> None:
    """Raise ConfigError where the run's prompts cannot ask what `rate` is told to ask."""
    for one in prompts.each:
        if PROMPT not in one.names():
            where = f"{one.set}/{one.language}"
            raise ConfigError("these prompts have none for curate.rate", where, "give --set prompt_set=full")
        if "criteria" not in one.variables_of(PROMPT) and (params.criteria or params.scale != HIGHEST):
            what = "the prompts of the built-in model have one criterion of their own"
            raise ConfigError(
                what, f"{one.set}/{one.language}", "leave out criteria and scale, or give prompt_set=full"
            )
        ours = criteria_in(params.criteria, one.lists("rate"))
        if not ours:
            raise ConfigError("no criteria to rate by", f"{one.set}/{one.language}", "give curate.rate.criteria")
        if params.scale != HIGHEST and (named := [name for name in ours if not _own_text(name, params)]):
            fix = f"give them a text of their own, or scale {HIGHEST}"
            raise ConfigError(f"our criteria have grades of 1 to {HIGHEST}, not {params.scale}", ", ".join(named), fix)


def _own_text(name: str, params: Rate) -> bool:
    return any(one.name == name and one.text.strip() for one in params.criteria)
