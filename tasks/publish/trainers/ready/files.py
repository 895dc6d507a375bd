"""Which format of a dataset a trainer reads best, and the files that start it.

write_ready(Path("datasets/demo-sft-axolotl"), "sft", "axolotl", open_target("Qwen/Qwen3-0.6B"), 2048)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from tasks.models.target import Target
from tasks.publish.revisions import data_files
from tasks.publish.trainers.ready.axolotl import axolotl_files
from tasks.publish.trainers.ready.llamafactory import llamafactory_files
from tasks.publish.trainers.ready.told import Told
from tasks.publish.trainers.ready.trl import trl_files
from tasks.publish.trainers.ready.unsloth import unsloth_files
from tasks.publish.turns import turn_fields

READY: Mapping[str, Callable[[Told], Mapping[str, str]]] = MappingProxyType(
    {"trl": trl_files, "axolotl": axolotl_files, "llamafactory": llamafactory_files, "unsloth": unsloth_files}
)
"""By trainer: the names of its files and their texts."""

FORMATS_FOR: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "trl": {"sft": "prompt_completion", "dpo": "dpo"},
        "axolotl": {"sft": "messages", "dpo": "dpo"},
        "llamafactory": {"sft": "sharegpt", "dpo": "sharegpt"},
        "unsloth": {"sft": "prompt_completion", "dpo": "dpo"},
    }
)
"""By trainer and kind of dataset: the format that its files read."""


def write_ready(
    folder: Path, kind: Literal["sft", "dpo"], trainer: str, target: Target, max_length: int
) -> Mapping[str, str]:
    """Write a trainer's files into the folder of an exported dataset: their names, and their texts."""
    files = data_files(folder)["train"]
    end = target.turn_end
    told = Told(
        folder.absolute().name,
        kind,
        tuple(file.relative_to(folder).as_posix() for file in files),
        str(Path(target.source).absolute()) if Path(target.source).is_dir() else target.source,
        max_length,
        None if end == target.tokenizer.eos_token else end,
        _is_marked(files[0]),
    )
    made = READY[trainer](told)
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")
    return made


def _is_marked(file: Path) -> bool:
    """Whether turns of conversations say that they are not trained on."""
    import polars as pl

    columns = pl.scan_parquet(file).collect_schema()
    return "messages" in columns and "train" in turn_fields(columns["messages"])
