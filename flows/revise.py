"""The next revision of a dataset, with what people have decided: its own config again, and `curate.by_review` in it.

stillroom revise datasets/demo-sft
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.config import InstructionSFT, PreferenceDPO, RunConfig
from flows.config_file import load_config
from flows.curate_dataset import CURATED, CurateDataset
from flows.runs.plan import plan_of
from tasks.errors import ConfigError
from tasks.publish.export import published_at
from tasks.publish.revisions import CONFIG_FILE

CONFIG_KINDS: Mapping[str, type[RunConfig]] = {"sft": InstructionSFT, "dpo": PreferenceDPO, CURATED: CurateDataset}


def revision_of(dataset: Path, rows: int | None, told: Mapping[str, Any]) -> Any:
    """The config of a dataset, which takes up the decisions about its rows. `told`: how they count (`ByReview`).

    Raises ConfigError where it has no config, grows night by night, or nobody has decided anything.
    """
    folder, line = published_at(dataset)
    kind, file = CONFIG_KINDS.get(line.kind), folder / CONFIG_FILE
    if kind is None or not file.is_file():
        fix = f"stillroom curate {dataset} --out DIR --set curate.by_review.dataset={dataset}"
        raise ConfigError("the dataset has no config to make it again with", dataset, fix)
    shown = os.path.relpath(dataset)
    place = str(dataset) if shown.startswith("..") else shown
    options: dict[str, Any] = {"out": place, "curate": {"by_review": {"dataset": place, **told}}}
    config = load_config(kind, file, options | ({} if rows is None else {"rows": rows}))
    if getattr(config, "incremental", False):
        fix = f"stillroom curate {dataset} --out DIR --set curate.by_review.dataset={dataset}"
        raise ConfigError("the dataset is added to, and what stands in it stays", dataset, fix)
    plan_of(config).check()
    return config


def revise_dataset(config: Any) -> dict[str, Any]:
    """Start the flow of such a config; the summary of the run."""
    if isinstance(config, CurateDataset):
        from flows.curate import curate

        config.check_apart()
        return curate(config)
    if isinstance(config, PreferenceDPO):
        from flows.preference_dpo import preference_dpo

        return preference_dpo(config)
    from flows.instruction_sft import instruction_sft

    return instruction_sft(config)
