"""The plan of a run: its settings, resolved once from the command, a YAML file or Prefect's form, and frozen.

All behind the door (runs, recipes, what the UI shows) reads only this.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import polars as pl

from flows.config import RunConfig
from flows.curation import CURATION, NO_CURATION, Curate, as_told, with_embedder, with_filters, with_scores
from flows.recipes.composition import check_composition, quotas
from flows.recipes.duplicates import check_among_all
from flows.recipes.judges import check_calibration, check_judges
from flows.recipes.known_answers import answers_read, check_known_answers, found_by, look_at_seeds
from flows.recipes.needs import check_columns, check_languages, check_sandbox, says_language
from flows.recipes.recipe import Kind, Outline, Recipe, RunKind, Step, laid_over, params_from
from flows.runs.hub import PushPlan
from flows.runs.planning.kinds import kind_plan
from flows.runs.prompt_set import set_of
from flows.runs.runners.checks import check_runner
from flows.runs.runners.ray_workers import RayWorkers
from flows.runs.shapes import dataset_columns
from tasks.columns import FOUND_COLUMNS, LANGUAGE
from tasks.curate.shares import Shares
from tasks.engine.accounting import Budget
from tasks.engine.process import Settings, process
from tasks.engine.sieve import SieveParams
from tasks.engine.table_step import TableStep
from tasks.engine.technique import Params
from tasks.errors import ConfigError
from tasks.judge.calibration import Calibrate
from tasks.models.config import EMBEDDER, Roles
from tasks.publish.dataset import check_folder
from tasks.publish.derive import Derived
from tasks.publish.mirror import check_url, fetch_mirror
from tasks.seeds.batches import Source
from tasks.seeds.known_formats import Reading
from tasks.seeds.mixing.parts import shares_of
from tasks.seeds.sources import StepReads, open_source
from tasks.storage.home import home, ledger_url
from tasks.storage.places import is_url, root
from tasks.storage.tables import Table
from tasks.text.catalogue.own_folder import check_own
from tasks.text.language_id import check_identifier
from tasks.text.prompts import Prompts

if TYPE_CHECKING:
    from tasks.seeds.whole_records import WholeRecords

SPARE = 1.1  # a first wave asks for this much more than it needs, where a number of rows is wanted
BLANKS_PER_ROW = 10  # a recipe without seeds gives up on reaching `rows` after this many tries for each


@dataclass(frozen=True)
class RunPlan:
    """All that a run is told, in one frozen object.

    `dataset`: its name; `title`: the run's; `folder`: of the dataset, where that is at a `url` its mirror here; `seeds`: what the user names as such, `columns` and `max_seeds` with it;
    `params`: of each step that was told any, `always_told`: those of them that the config has a section of though the user says nothing; `own`: likewise, of steps that are not ours, not checked yet; `shape`: what
    a trainer takes of a table, `rows_format`: its name; `told`: all that was told, as plain JSON.
    """

    kind: RunKind
    recipe: Recipe
    dataset: str
    title: str
    folder: Path
    models: Roles
    seeds: Any
    columns: Mapping[str, str]
    max_seeds: int | None
    bad_seeds: Any
    keep_columns: tuple[str, ...]
    rows: int | None
    max_candidates: int | None
    calibrate: Calibrate | None
    curate: Curate
    options: Mapping[str, Any]
    params: Mapping[str, Params]
    always_told: frozenset[str]
    own: Mapping[str, Mapping[str, Any]]
    shape: Callable[[pl.DataFrame], pl.DataFrame]
    rows_format: str
    splits: Mapping[str, float]
    derived: Derived
    report: bool
    licence: str | None
    seed: int
    prompts: Prompts
    check_language: bool
    runner: str
    ray: RayWorkers
    shard_rows: int
    max_attempts: int
    max_reject_fraction: float
    budget: Budget
    incremental: bool
    allow_empty: bool
    keep_revisions: int
    retry: str | None
    url: str | None
    push: PushPlan | None
    told: Mapping[str, Any]

    def with_params(self, step: str, **changes: Any) -> Self:
        """A copy of the plan in which these parameters of one step are changed."""
        changed = self.params_of(next(one for one, _ in self.outline() if one.name == step)).model_copy(update=changes)
        return replace(self, params={**self.params, step: changed})

    @property
    def is_priced(self) -> bool:
        """Whether anything of what the run costs is known."""
        return any(model.is_priced for models in self.models.values() for model in models)

    def model_names(self) -> list[str]:
        """Every model that may have written a row."""
        return sorted({model.name for role, models in self.models.items() if role != EMBEDDER for model in models})

    def params_of(self, step: Step, default: Params | None = None) -> Params:
        """The parameters of a step: the user's, else the recipe's, else its own."""
        if step.name in self.own:
            return params_from(step, self.own[step.name])
        told = self.params.get(step.name)
        if told is None or default is None or step.name not in self.always_told:
            return told or default or step.params()
        return laid_over(default, told)

    def has(self, step: Step) -> bool:
        """Whether the user has said anything about a step."""
        return step.name in self.params or step.name in self.own

    def settings(self, run: str, tables: str, epochs: dict[str, Table]) -> Settings:
        """How a run of this plan runs. `epochs`: the rows of each step that are asked for again."""
        return Settings(
            run=run,
            home=home(),
            ledger=ledger_url(),
            tables=tables,
            seed=self.seed,
            prompts=self.prompts,
            max_attempts=self.max_attempts,
            check_language=self.check_language,
            budget=self.budget,
            epochs=epochs,
        )

    def outline(self) -> list[tuple[Step, Params]]:
        """The steps of the recipe in their order, with their parameters."""
        outline = Outline(self.options, self.has)
        self.recipe.function(outline, [])
        return [(step, self.params_of(step, default)) for step, default in outline.steps]

    def sieves(self) -> list[SieveParams]:
        """What compares rows, in order."""
        parts = [Shares(rows=shares_of(self.seeds, self.rows))] if isinstance(self.seeds, tuple) and self.rows else []
        return [*self.curate.sieves(self.outline()), *quotas(self.outline(), self.rows), *parts]

    @property
    def takes_all_at_once(self) -> bool:
        """Whether a step works on the whole table, so that all rows have to be there first."""
        return any(isinstance(step, TableStep) for step, _ in self.outline())

    @property
    def first_step(self) -> tuple[Step, Params]:
        """The step that the first rows go to."""
        return self.outline()[0]

    def source(self) -> Source:
        """The seeds. Raises ConfigError where there are none, or they cannot be read."""
        _, params = self.first_step
        reading = Reading(
            answers=params.keeps_given_responses,
            joined=not params.makes_turn_of_columns,
            pools=self.kind == "dpo",
            bad=self.bad_seeds,
            **answers_read(self.outline()),
        )
        if self.seeds is None:
            if self.kind == "dpo":
                raise ConfigError("no instructions", None, "give --instructions FILE, or the folder of a dataset")
            raise ConfigError("no seeds", None, "give --seeds FILE; only the demo model has seeds of its own")
        taken = dataset_columns(self.rows_format) | {*self.recipe.columns} if self.keep_columns else frozenset()
        taken |= frozenset(FOUND_COLUMNS) if self.curate.asks_judges else found_by(self.outline())
        used = {LANGUAGE} if self.prompts.languages else set()
        return open_source(
            self.seeds,
            columns=self.columns,
            reading=reading,
            keep=self.keep_columns,
            taken=taken | used,
            used=used,
            step=StepReads(params.chunking, params.seed_columns, params.traces),
        )

    @cached_property
    def records(self) -> WholeRecords:
        """The dataset that is curated. Raises ConfigError where there is none, or it cannot be read."""
        from tasks.seeds.mixing.mixture import mixture_reader
        from tasks.seeds.whole_records import open_records

        if self.seeds is None:
            raise ConfigError("no dataset to curate", None, "name one: `stillroom curate DATASET`")
        spec = mixture_reader(self.seeds) if isinstance(self.seeds, tuple) else self.seeds
        return open_records(spec, columns=self.columns, bad=self.bad_seeds, **answers_read(self.outline()))

    @property
    def kind_of_rows(self) -> Kind:
        """What the rows are: conversations, or preference pairs."""
        if self.kind != "curate":
            return self.kind
        return "dpo" if self.records.is_paired else "sft"

    def check(self, *, writes: bool = True) -> None:
        """Raise ConfigError for the mistakes that can be seen without starting anything. Opens the models.

        `writes`: makes the folder of the dataset.
        """
        if writes:
            check_folder(self.folder)
            if self.url is not None:
                check_url(self.url)
        check_runner(self.runner)
        if self.push is not None:
            self.push.check(self.model_names())
        self._check_steps()
        self._check_told()
        if self.retry is None:  # else it begins with the very rows that the run it heals began with
            self._check_rows()
        if writes and any(model.batch for models in self.models.values() for model in models):
            from tasks.ledger.batches.kept import check_batches_are_kept  # with SQLAlchemy

            check_batches_are_kept()

    def _check_steps(self) -> None:
        """Raise ConfigError for a step that cannot be done: with these models, prompts and languages, on this machine."""
        self.curate.check(self.kind_of_rows, self.prompts)
        outline = self.outline()
        if self.models:
            check_judges(outline, self.prompts, self.models)
        if self.calibrate is not None:
            check_calibration(self.calibrate, outline)
        check_composition(outline, self.prompts, chosen=self.curate.diversify is not None)
        numbers = self.records.number_columns if self.kind == "curate" else frozenset[str]()
        check_among_all(self.curate, outline, self.rows, numbers, mixed=isinstance(self.seeds, tuple))
        if self.check_language:
            check_identifier()
        check_languages(outline, self.prompts)
        check_sandbox(outline)
        for models in self.models.values():
            for model in models:
                process.model(model)

    def _check_told(self) -> None:
        """Raise ConfigError for what the user says of steps that the recipe does not have, or cannot have of its rows."""
        names = [step.name for step, _ in self.outline()]
        if unknown := next((name for name in self.own if name not in names), None):
            raise ConfigError("params of a step that the recipe does not have", unknown, f"it has {', '.join(names)}")
        if self.keep_columns and (self.recipe.blank or "bootstrap" in names):
            what, told = "keep_columns needs rows that come of one seed each", ", ".join(self.keep_columns)
            raise ConfigError(what, told, f"recipe {self.recipe.name} makes none here: leave it out")

    def _check_rows(self) -> None:
        """Raise ConfigError where what the run begins with cannot be read, or is not what its steps need."""
        if self.kind == "curate":
            self.records.check()
            check_known_answers(self.outline(), self.derived, self.records.source.columns)
        elif not self.recipe.blank:
            source = self.source()
            check_known_answers(self.outline(), self.derived, source.columns)
            self._check_seeds(source)
        else:
            self._check_blank_rows()

    def _check_blank_rows(self) -> None:
        """Raise ConfigError where nothing says how many rows there are to be, or in which language."""
        if self.rows is None:
            raise ConfigError(f"recipe {self.recipe.name} needs to know how many rows to make", None, "give --rows N")
        check_known_answers(self.outline(), self.derived, ())
        self._check_languages(frozenset())
        step, params = self.first_step
        for one in self.prompts.each:
            params.blank_rows(one.lists(step.name))

    def _check_seeds(self, source: Source) -> None:
        """Raise ConfigError where the seeds cannot be read, or nothing says in which language they are asked about."""
        self._check_languages(source.names)
        check_columns(self.outline(), source.columns)
        source.check(look_at_seeds(self.outline()))

    def _check_languages(self, columns: Set[str]) -> None:
        """Raise ConfigError where there are several languages, and no step and no column of the seeds says one."""
        if self.prompts.languages and not says_language(self.outline(), self.prompts) and LANGUAGE not in columns:
            fix = f"give the seeds a column `{LANGUAGE}`" if self.seeds else "give --set magpie.categories=all"
            what = f"no step of recipe {self.recipe.name} says in which language it asks"
            raise ConfigError(what, ", ".join(self.prompts.languages), f"{fix}, or name one language")

    @property
    def pool(self) -> int | None:
        """After how many accepted rows no more candidates are taken: as many as wanted, or as a selector chooses from."""
        return self.rows if self.curate.diversify is None else self.curate.diversify.pool

    def next_wave(self, taken: float, accepted: float, wanted: int | None = None) -> int | None:
        """How many first rows to take next: all (None), or as many as the rows still wanted are likely to need.

        `wanted`: how many they are to be in all, if not `pool`.
        """
        wanted = wanted or self.pool
        left = None if self.most_candidates is None else max(0, math.ceil(self.most_candidates - taken))
        if wanted is None or self.takes_all_at_once:
            return left
        each = accepted / taken if accepted else math.prod(params.rows_of_each for _, params in self.outline())
        next_ = max(1, math.ceil((wanted - accepted) / each * SPARE))
        return next_ if left is None else min(next_, left)

    @property
    def most_candidates(self) -> int | None:
        """After how many first rows the run gives up on reaching `rows`; None: at the end of the seeds."""
        if self.max_candidates is None and self.recipe.blank and self.rows is not None:
            return BLANKS_PER_ROW * (self.pool or self.rows)
        return self.max_candidates


def plan_of(config: RunConfig) -> RunPlan:
    """The plan of a run that was told so. Raises ConfigError for a recipe that there is not, and a budget without prices."""
    kind, models = kind_plan(config), config.models()
    recipe, options = kind.recipe, kind.options
    curate = (config.curate.of_recipe(recipe, models) if config.curate else NO_CURATION).choosing(config.rows)
    if recipe is CURATION and not curate.asks_models:
        models = {role: asked for role, asked in models.items() if role == EMBEDDER}  # nobody else is asked
    folder, url = _place_of(config)
    words = set_of(config.prompt_set, folder, config.retry, models), config.language, config.prompts
    models, prompts = with_embedder(models, curate, config.rows), Prompts.of(*words).resolved()
    check_own(prompts)
    sections = {name: getattr(config, name) for name in type(config).model_fields}
    params = {name: section for name, section in sections.items() if isinstance(section, Params)}
    return RunPlan(
        kind=recipe.kind,
        recipe=with_scores(
            with_filters(recipe, curate.of_rows()), curate.diversify, options, {**params, **config.params}
        ),
        dataset=config.dataset,
        title=config.title,
        folder=folder,
        models=models,
        seeds=kind.seeds,
        columns=kind.columns,
        max_seeds=kind.max_seeds,
        bad_seeds=config.bad_seeds,
        keep_columns=tuple(config.keep_columns),
        rows=config.rows if curate.diversify is None else curate.diversify.rows,
        max_candidates=config.max_candidates,
        calibrate=config.calibrate,
        curate=curate,
        options=options,
        params=params,
        always_told=frozenset(name for name, field in type(config).model_fields.items() if field.default is not None),
        own=config.params,
        shape=kind.shape,
        rows_format=config.rows_format,
        splits=config.splits,
        derived=kind.derived,
        report=config.report,
        licence=config.license,
        seed=config.seed,
        prompts=prompts,
        check_language=config.check_language,
        runner=config.runner,
        ray=config.ray,
        shard_rows=config.shard_rows,
        max_attempts=config.max_attempts,
        max_reject_fraction=config.max_reject_fraction,
        budget=config.budget(),
        incremental=config.incremental,
        allow_empty=config.allow_empty,
        keep_revisions=config.keep_revisions,
        retry=config.retry,
        url=url,
        push=PushPlan.of(config.push_to_hub, public=config.push_public, demo=config.push_demo),
        told=as_told(config.model_dump(mode="json"), config.curate, recipe),
    )


def _place_of(config: RunConfig) -> tuple[Path, str | None]:
    """The folder of the dataset, and its URL where it is at one: then the folder is its mirror here."""
    out = root(config.out) if config.out and is_url(config.out) else config.out or f"datasets/{config.dataset}"
    url = out if is_url(out) else None  # file:// is a folder
    return (fetch_mirror(url) if url else Path(out)), url
