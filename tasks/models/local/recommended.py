"""The sampling that a checkpoint recommends for itself: `sampling: model`.

stillroom sft --model Qwen/Qwen3-8B --set model.sampling=model
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from tasks.errors import ConfigError
from tasks.models.config import RECOMMENDED, ModelConfig
from tasks.models.local.checkpoint import find_checkpoint

FILE = "generation_config.json"


def with_recommended(config: ModelConfig) -> ModelConfig:
    """The config with what its checkpoint recommends, where the user says so; fields that are set stay.

    An endpoint's checkpoint is its `tokenizer`. Raises ConfigError where nothing is recommended.
    """
    if config.sampling != "model":
        return config
    name = config.tokenizer if config.is_endpoint else config.name
    if name is None:
        fix = "name the checkpoint, a Hub name or a folder: tokenizer"
        raise ConfigError("`sampling: model` needs the model's checkpoint", config.name, fix)
    values = _recommended(name, None if config.is_endpoint else config.revision)
    return config.model_copy(update={field: v for field, v in values.items() if getattr(config, field) is None})


@lru_cache(maxsize=64)
def _recommended(name: str, revision: str | None) -> dict[str, Any]:
    found = _generation_config(name, revision)
    if found.get("do_sample") is False:
        return {"temperature": 0.0}
    values = {field: found[field] for field in RECOMMENDED if found.get(field) is not None}
    if not values:
        fix = "leave `sampling: model` out, or set temperature and top_p"
        raise ConfigError(f"the checkpoint recommends no sampling ({FILE})", name, fix)
    return values


def _generation_config(name: str, revision: str | None) -> dict[str, Any]:
    folder = Path(name).expanduser()
    if not folder.is_dir():
        from huggingface_hub import errors, hf_hub_download

        checkpoint = find_checkpoint(name, revision)
        try:
            folder = Path(hf_hub_download(checkpoint.source, FILE, revision=checkpoint.revision)).parent
        except (errors.EntryNotFoundError, OSError):
            return {}
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
