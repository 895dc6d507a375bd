"""The section `curate` of a config: what is thrown away of the rows that a recipe has made, and in which order.

Row filters go first, each row by itself, shard by shard as a step of the recipe. Then sieves, which compare rows: of this
run in the order of their candidates, and of other data. `rows` counts what all of them have left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from flows.recipes.catalogue import roles_of
from flows.recipes.recipe import Kind, Outline, Recipe, Step, Steps, Tables
from tasks.curate.by_review import ByReview, ReviewSieve
from tasks.curate.decontaminate import Decontaminate, Decontaminator
from tasks.curate.deduplicate import Deduplicate, Deduplicator
from tasks.curate.diversify import DIVERSIFY, Diversify, default_embedder
from tasks.curate.filters import Filters, check_needs, filters
from tasks.curate.fit_filter import FitFor, check_fit, fit
from tasks.curate.pass_rate import PassRate, check_pass_rate, pass_rate
from tasks.engine.sieve import SieveParams
from tasks.engine.technique import Params, Technique
from tasks.errors import ConfigError
from tasks.generate.rejection_sampling import RejectionSampling
from tasks.generate.text_generation import TextGeneration
from tasks.judge.deita_complexity import deita_complexity
from tasks.judge.deita_quality import DeitaQuality, deita_quality
from tasks.judge.guard import Guard, check_guard, guard
from tasks.judge.magpie_tags import MagpieTags, check_tags, magpie_tags
from tasks.judge.rate import Rate, check_rate, rate
from tasks.judge.reward_model import RewardModel, reward_model
from tasks.judge.rubrics import Rubrics, rubrics
from tasks.models.config import EMBEDDER, ModelConfig, Roles
from tasks.text.prompts import Prompts

if TYPE_CHECKING:
    from tasks.engine.validate import Schema


SEVERAL_ANSWERS = (TextGeneration, DeitaQuality, RejectionSampling)
"""Parameters of steps that may give several rows to one instruction, side by side."""


class Curate(BaseModel, extra="forbid", frozen=True):
    """What is thrown away. `null` switches a part off."""

    filters: Filters | None = Filters()
    deduplicate: Deduplicate | None = Field(
        Deduplicate(), description="rows whose prompt says what an earlier one says"
    )
    decontaminate: Decontaminate | None = Field(None, description="rows that hold what a benchmark asks")
    by_review: ByReview | None = Field(
        None, description="rows that people threw out when they reviewed a dataset, and rows that they edited"
    )
    tags: MagpieTags | None = Field(
        None, description="Magpie's tags for rows of an SFT dataset; rows whose tags are not those wanted go"
    )
    fit: FitFor | None = Field(None, description="rows that a trainer of this model would refuse, drop or cut")
    guard: Guard | None = Field(None, description="rows of an SFT dataset that are not safe to train on")
    rate: Rate | None = Field(None, description="rows of an SFT dataset that a judge rates below a threshold")
    reward_model: RewardModel | None = Field(
        None, description="rows of an SFT dataset that a reward model scores too low"
    )
    rubrics: Rubrics | None = Field(
        None, description="rows of an SFT dataset that score too little by a rubric written for their instruction"
    )
    pass_rate: PassRate | None = Field(
        None, description="rows with a known answer that a student (roles.student) gets right too seldom, or too often"
    )

    diversify: Diversify | None = Field(
        None, description="choose the rows of the dataset out of more: the last step, once all candidates are there"
    )

    def of_rows(self) -> list[tuple[Technique[Any], Params]]:
        """The row filters that are on, in order: those that ask a model last."""
        told: list[tuple[Technique[Any], Params | None]] = [(filters, self.filters), (fit, self.fit), *self._judging()]
        return [(step, params) for step, params in told if params]

    def _judging(self) -> list[tuple[Technique[Any], Params | None]]:
        return [
            (magpie_tags, self.tags),
            (guard, self.guard),
            (reward_model, self.reward_model),
            (rate, self.rate),
            (rubrics, self.rubrics),
            (pass_rate, self.pass_rate),
        ]

    @property
    def asks_judges(self) -> bool:
        """Whether a part that is switched on has a judge or a model score the rows."""
        return any(params for _, params in self._judging())

    @property
    def asks_models(self) -> bool:
        """Whether a part of it asks a model anything."""
        scores = self.diversify is not None and self.diversify.by == "deita"
        return scores or any(roles_of(step) for step, _ in self.of_rows())

    def check(self, kind: Kind, prompts: Prompts) -> None:
        """Raise ConfigError where what a part needs is not there: a file of the user's, a tokenizer, a prompt."""
        if self.filters:
            check_needs(self.filters)
        if self.fit:
            check_fit(self.fit, kind)
        if asks := [step.name for step, params in self._judging() if params and kind != "sft"]:
            what = f"curate.{asks[0].removeprefix('magpie_')} is for rows that are trained on by themselves"
            raise ConfigError(what, kind, "leave it out: which response is better is for `judged_by` to say")
        if self.tags:
            check_tags(self.tags, prompts)
        if self.guard:
            check_guard(self.guard, prompts)
        if self.rate:
            check_rate(self.rate, prompts)
        if self.pass_rate:
            check_pass_rate(self.pass_rate, prompts)
        for sieve in self.sieves():
            sieve.check()
        if self.deduplicate and self.deduplicate.needs_all:
            self.deduplicate.check()
        if self.diversify:
            self.diversify.check()

    def of_recipe(self, recipe: Recipe, models: Roles) -> Curate:
        """These settings with the recipe's own parts, where the user says nothing of a part and its models are there."""
        own = {
            name: params
            for name, params in {**recipe.curate, "diversify": recipe.diversify}.items()
            if params is not None
            and name not in self.model_fields_set
            and (not params.needs_role or models.get(params.needs_role))
        }
        return self.model_copy(update=own) if own else self

    def choosing(self, rows: int | None) -> Curate:
        """These settings with the number of rows that the run has to have; the selector is told it too. Raises ConfigError."""
        if self.diversify is None:
            return self
        told = self.diversify.rows
        if told is not None and rows is not None and told != rows:
            raise ConfigError("two numbers of rows", f"rows {rows}, curate.diversify.rows {told}", "give one of them")
        if (most := told or rows) is None:
            raise ConfigError("curate.diversify needs to know how many rows to choose", None, "give --rows N")
        if isinstance(self.diversify.candidates, int) and self.diversify.candidates < most:
            value = f"{most} of {self.diversify.candidates}"
            raise ConfigError("more rows to choose than candidates", value, "raise curate.diversify.candidates")
        return self.model_copy(update={"diversify": self.diversify.model_copy(update={"rows": most})})

    def sieves(self, steps: Sequence[tuple[Step, Params]] = ()) -> list[SieveParams]:
        """The sieves that are on, in order, for rows that come of these steps."""
        duplicates = self._duplicates(steps)
        one_by_one = None if duplicates and duplicates.needs_all else duplicates
        return [sieve for sieve in (self.decontaminate, one_by_one, self.by_review) if sieve]

    def among_all(self, steps: Sequence[tuple[Step, Params]]) -> Deduplicate | None:
        """What duplicates are, where they are told among all rows that come of these steps; else None."""
        duplicates = self._duplicates(steps)
        return duplicates if duplicates and duplicates.needs_all else None

    def _duplicates(self, steps: Sequence[tuple[Step, Params]]) -> Deduplicate | None:
        several = any(isinstance(params, SEVERAL_ANSWERS) and params.rows_of_each > 1 for _, params in steps)
        written = any(_name_of(step.writes).endswith("Instructions") for step, _ in steps)
        given = not written or any(params.shares_texts for _, params in steps)
        return self.deduplicate and self.deduplicate.for_rows(given=given, several=several)


def _name_of(schema: Schema) -> str:
    return schema if isinstance(schema, str) else schema.__name__


def with_scores(
    recipe: Recipe, diversify: Diversify | None, options: Mapping[str, Any], told: Mapping[str, Any]
) -> Recipe:
    """The recipe with the steps at its end that give the scores by which rows are selected, where it has no such step itself."""
    if diversify is None or diversify.by != "deita":
        return recipe
    outline = Outline(options, lambda step: step.name in told)
    recipe.function(outline, [])
    there = {step.name for step, _ in outline.steps}
    return with_steps(recipe, [(step, None) for step in (deita_complexity, deita_quality) if step.name not in there])


NO_CURATION = Curate(filters=None, deduplicate=None)


def as_told(told: Mapping[str, Any], curate: Curate | None, recipe: Recipe) -> dict[str, Any]:
    """A config as plain JSON without the parts of `curate` that its recipe fills in: told again as null, they would be off."""
    if curate is None:
        return dict(told)
    own = {*recipe.curate, *(("diversify",) if recipe.diversify else ())} - curate.model_fields_set
    return {**told, "curate": {name: part for name, part in told["curate"].items() if name not in own}}


def taken_out(steps: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """What curation took out, in one line; "" where there was none. `steps`: the tables of a manifest, by step.

    "curation took out 3 of 40 rows: near_duplicate 2, refusal 1"
    """
    judging = (step.name for step, _ in NO_CURATION._judging())
    names = {filters.name, fit.name, *judging, Decontaminator.name, Deduplicator.name, ReviewSieve.name, DIVERSIFY}
    ours = [tables for step, tables in steps.items() if step in names]
    reasons = sum((Counter(table["rejects"]) for tables in ours for table in tables), Counter[str]())
    if not ours:
        return ""
    rows = sum(table["rows_in"] for table in ours[0])
    if not reasons:
        return f"curation took out none of {rows:,} rows"
    told = ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common())
    return f"curation took out {reasons.total():,} of {rows:,} rows: {told}"


def whole_records(run: Steps, records: Tables) -> Tables:  # noqa: ARG001 - every recipe has a run
    """A dataset's own records, as they are."""
    return records


CURATION = Recipe("curate", "curate", whole_records)
"""The recipe of `stillroom curate`: what happens is its curation alone."""


def with_filters(recipe: Recipe, steps: Sequence[tuple[Technique[Any], Params]]) -> Recipe:
    """The recipe, extended by row filters at its end."""
    return with_steps(recipe, steps)


def with_steps(recipe: Recipe, steps: Sequence[tuple[Technique[Any], Params | None]]) -> Recipe:
    """The recipe, extended by these steps at its end."""
    if not steps:
        return recipe

    @wraps(recipe.function)
    def longer(run: Steps, seeds: Tables) -> Tables:
        made = recipe.function(run, seeds)
        for step, params in steps:
            made = run.through(step, made, params)
        return made

    return replace(recipe, function=longer)


def with_embedder(models: Roles, curate: Curate, rows: int | None) -> Roles:
    """The models with one that embeds, where rows are compared by embeddings and the user names none."""
    diversify, duplicates = curate.diversify, curate.deduplicate
    if EMBEDDER in models:
        return models
    if diversify is not None and diversify.embeds:
        return {**models, EMBEDDER: (ModelConfig(name=diversify.default_embedder()),)}
    if duplicates is not None and duplicates.embeds:
        return {**models, EMBEDDER: (ModelConfig(name=default_embedder(rows)),)}
    return models
