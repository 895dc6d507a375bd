"""The next revision of a dataset: its own config again, with one more part of curation in it.

stillroom revise datasets/demo-sft                                  what people have decided
stillroom fit datasets/demo-sft --model demo --drop unfit           what a trainer would not see whole
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from flows.config import PreferenceDPO, RunConfig
from flows.config_file import load_config
from flows.curate_dataset import CONFIG_KINDS, CurateDataset
from flows.curation import Curate
from flows.runs.plan import plan_of
from tasks.curate.fit_filter import FitFor
from tasks.errors import ConfigError
from tasks.publish.export import published_at
from tasks.publish.revisions import CONFIG_FILE, history


def revision_of(dataset: Path, rows: int | None, told: Mapping[str, Any]) -> Any:
    """The config of a dataset, which takes up the decisions about its rows. `told`: how they count (`ByReview`).

    Raises ConfigError where it has no config, grows night by night, or nobody has decided anything.
    """
    fix = f"stillroom curate {dataset} --out DIR --set curate.by_review.dataset={dataset}"
    config = made_again(dataset, rows, {"by_review": {"dataset": _place(dataset), **told}}, fix)
    plan_of(config).check()
    return config


def made_again(dataset: Path, rows: int | None, curate: Mapping[str, Any], fix: str) -> Any:
    """The config of a dataset with more parts of `curate`; the others stay as they were. `rows`: None for what it says.

    Raises ConfigError, with `fix` as the way out, where it has no config, or grows night by night.
    """
    folder, line = published_at(dataset)
    kind, file = CONFIG_KINDS.get(line.kind), folder / CONFIG_FILE
    if kind is None or not file.is_file():
        raise ConfigError("the dataset has no config to make it again with", dataset, fix)
    before = load_config(kind, file, {})
    if getattr(before, "incremental", False):
        raise ConfigError("the dataset is added to, and what stands in it stays", dataset, fix)
    off = dict.fromkeys(Curate.model_fields) if before.curate is None else {}
    options: dict[str, Any] = {"out": _place(dataset), "curate": {**off, **curate}}
    return load_config(kind, file, options | ({} if rows is None else {"rows": rows}))


def fitting_config(dataset: str, out: str | None, told: FitFor) -> Any:
    """The config of a dataset without the rows that do not fit: of the next revision of one of ours, or of what `out` will hold.

    Raises ConfigError where there is neither, or the config of the dataset does not make it again.
    """
    if out is not None:
        off = dict.fromkeys(Curate.model_fields)
        options = {"source": dataset, "out": out, "bad_seeds": "reject", "curate": off | {"fit": told.model_dump()}}
        config = load_config(CurateDataset, None, options)
        config.check_apart()
        return config
    folder = Path(dataset).expanduser()
    if not history(folder):
        raise ConfigError("no dataset of ours, of which there could be a next revision", dataset, "give --out DIR")
    fix = f"stillroom fit {dataset} --drop unfit --out DIR"
    return made_again(folder, None, {"fit": told.model_dump()}, fix)


def _place(dataset: Path) -> str:
    """A dataset within this folder as seen from here, so that its config holds where both are moved."""
    shown = os.path.relpath(dataset)
    return str(dataset) if shown.startswith("..") else shown


def flow_of(config: RunConfig) -> Callable[..., dict[str, Any]]:
    """The flow that makes the dataset of a config, to be run here. Prefect is imported for it."""
    RunConfig.has_form = False  # what deploys a flow asks for its schema again
    try:
        return _declared(config)
    finally:
        RunConfig.has_form = True


def _declared(config: RunConfig) -> Callable[..., dict[str, Any]]:
    if isinstance(config, CurateDataset):
        from flows.curate import curate

        return curate
    if isinstance(config, PreferenceDPO):
        from flows.preference_dpo import preference_dpo

        return preference_dpo
    from flows.instruction_sft import instruction_sft

    return instruction_sft
