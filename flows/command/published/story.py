"""A row's story with every word: the steps behind it are taken again, and each answer comes from the ledger.

    stillroom explain datasets/demo-sft 9f86d0

A technique is a function of its row, so the step of one row asks what it asked in the run. Nothing is paid for: where an answer
is not on record under the very key (the prompts have changed since, the ledger is another), the step is told as not shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from flows.curate_dataset import CONFIG_KINDS
from flows.preview import Passage, passage_told
from flows.runs.kept.rows import first_tables
from flows.runs.manifests import manifest, manifest_path, run_folder
from flows.runs.plan import RunPlan, plan_of
from tasks.engine.accounting import Budget, cost_of
from tasks.engine.keys import epochs_of
from tasks.engine.process import Settings, process
from tasks.engine.shard import run_shard
from tasks.engine.technique import Params, Technique
from tasks.errors import ConfigError
from tasks.models.config import ModelConfig
from tasks.publish.origin import story_of
from tasks.publish.revisions import history
from tasks.storage.home import check_home, ledger_url
from tasks.storage.tables import Table, sidecar

RUN = "explain"


def whole_story(dataset: Path, row_id: str) -> dict[str, Any]:
    """`origin.story_of`, and: `passed`, the steps that a published row went through unchanged; `passages`, each step behind the row as a preview tells it, the oldest first; `not_shown`, a line
    for each step of which that cannot be told; `requests`, tokens and `cost` (None without prices) of what the row took.

    Raises ConfigError as `story_of` does.
    """
    story = story_of(dataset, row_id)
    asked = [line for line in story["lines"] if line["model"] is not None]
    of_lines = [(line["technique"], (line["parents"] or [line["row_id"]])[0]) for line in asked]
    of_losses = [(one["technique"], one["row_id"]) for kind in ("rejects", "losses") for one in story[kind]]
    failed = {
        (one["technique"], one["row_id"]) for kind in ("rejects", "losses") for one in story[kind] if one["attempts"]
    }
    runs = list(_runs(dataset))
    if story["source"] is not None:
        runs += _runs(Path(story["source"]))
    passages, not_shown, prices = list[dict[str, Any]](), list[str](), dict[str, ModelConfig]()
    for run in runs:
        prices |= run.prices
    spent = [{**line, "requests": line["attempts"]} for line in asked]
    for step in reversed(dict.fromkeys([*of_losses, *of_lines])):
        told = next((told for run in runs if (told := run.passage(*step)) is not None), None)
        has_asked = step in of_lines or step in failed
        if isinstance(told, dict) and (has_asked or told["asked"]):
            passages.append(told)
            spent += [] if step in of_lines else [{**one, "requests": 1} for one in told["asked"]]
        elif has_asked:
            not_shown.append(f"{step[0]} of {step[1]}: {told or _nowhere(runs)}")
    cost = sum(
        cost_of(prices[name], one["prompt_tokens"], one["completion_tokens"])
        for one in spent
        if (name := one["model"].split(" (served:")[0]) in prices
    )
    return {
        **story,
        "passed": _passed(story, runs),
        "passages": passages,
        "not_shown": not_shown,
        "requests": sum(one["requests"] for one in spent),
        "prompt_tokens": sum(one["prompt_tokens"] for one in spent),
        "completion_tokens": sum(one["completion_tokens"] for one in spent),
        "cost": round(cost, 9) if prices else None,
    }


def _runs(dataset: Path) -> Iterator[EarlierRun]:
    """The runs that made a dataset, of those that this home knows: the newest first."""
    for line in dict.fromkeys(line.run for line in reversed(history(dataset))):
        if manifest_path(line).is_file():
            yield EarlierRun(manifest(line))


def _passed(story: Mapping[str, Any], runs: Sequence[EarlierRun]) -> list[str]:
    """The steps after the last one that made something of a published row: filters and sieves that let it through."""
    if story["row"] is None or not runs:
        return []
    names, made_by = list(runs[0].past["steps"]), {line["technique"] for line in story["lines"]}
    last = max((at for at, name in enumerate(names) if name in made_by), default=0)
    return names[last + 1 :]


def _nowhere(runs: Sequence[EarlierRun]) -> str:
    if not runs:
        return "not shown, since this home does not know the runs that made the dataset"
    return "not shown, since no run has its row any more (its tables were removed), or it is no step of a row by itself"


@dataclass(frozen=True)
class EarlierRun:
    """A run that has ended, whose steps can be taken again for one row each. `past`: its manifest."""

    past: Mapping[str, Any]

    @property
    def prices(self) -> dict[str, ModelConfig]:
        """Its models that have prices, by name."""
        told = self.past["config"]
        configs = [told["model"], *(model for models in told["roles"].values() for model in models)]
        models = [ModelConfig.model_validate(config) for config in configs]
        return {model.name: model for model in models if model.is_priced}

    @cached_property
    def plan(self) -> RunPlan:
        """What it was told. Raises ConfigError where that is not possible any more."""
        return plan_of(CONFIG_KINDS[self.past["kind"]].model_validate(self.past["config"]))

    @cached_property
    def settings(self) -> Settings:
        """The settings that the run had, with a budget of no request: nothing is paid for now."""
        told = {**self.past["settings"], "run": RUN, "ledger": ledger_url(), "budget": Budget(max_requests=0)}
        return Settings.model_validate(told)

    def passage(self, technique: str, row_id: str) -> dict[str, Any] | str | None:
        """A step of one row, told as a preview does; why that cannot be; None where the run has no such row or step."""
        row = self._row_into(technique, row_id)
        if row is None:
            return None
        try:
            step, params = next(one for one in self.plan.outline() if one[0].name == technique)
            if not isinstance(step, Technique):
                return "not shown, since it is a step over all rows together"
            return self._taken_again(step, params, row)
        except StopIteration:
            return None
        except ConfigError as error:
            return f"not shown: {error}"

    def _taken_again(self, step: Technique[Any], params: Params, row: pl.DataFrame) -> dict[str, Any] | str:
        check_home()
        process.forget(RUN)
        context = process.context(self.settings)
        context.asked = []
        models = process.models(self.plan.models, context)
        made = run_shard(
            step, row, models, params, context, admission=process.admission, epochs=self._epochs(step.name, row)
        )
        if made.pending:
            return "not shown, since not all of its answers are on record under what it would ask today"
        return {"step": step.name, **passage_told(Passage(row, made), context.asked)}

    def _row_into(self, technique: str, row_id: str) -> pl.DataFrame | None:
        """The row that went into a step: as the last step before it has left it."""
        names = list(self.past["steps"])
        if technique not in names:
            return None
        for name in reversed(names[: names.index(technique)]):
            for table in self._tables(name):
                if (table.read(["row_id"])["row_id"] == row_id).any():
                    return table.read().filter(pl.col("row_id") == row_id)[:1]
        return None

    def _tables(self, name: str) -> list[Table]:
        """The tables of a step that are there still; of the first one, those that were kept."""
        if name == next(iter(self.past["steps"])):
            kept = first_tables(self.past, run_folder(self.past["run"]), self.past["settings"]["tables"])
            return kept or []
        tables = map(Table.model_validate, self.past["steps"][name])
        return [table for table in tables if sidecar(table.path) is not None]

    def _epochs(self, step: str, row: pl.DataFrame) -> dict[str, int]:
        failed_before = self.settings.epochs.get(step)
        if failed_before is None or sidecar(failed_before.path) is None:
            return {}
        return epochs_of(failed_before.read(), row["row_id"].to_list())
