"""Files for LLaMA-Factory 0.9.5: `llamafactory-cli train train.yaml` beside `dataset_info.json`.

Without `template` it takes the tokenizer's chat template.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import yaml

from tasks.publish.trainers.ready.told import Told


def llamafactory_files(told: Told) -> Mapping[str, str]:
    """`dataset_info.json`, which reads the rows in the format `sharegpt` whole, and `train.yaml`."""
    columns = {"messages": "conversations", "system": "system"}
    columns |= {"tools": "tools"} if told.kind == "sft" else {"chosen": "chosen", "rejected": "rejected"}
    where = told.files[0] if len(told.files) == 1 else PurePosixPath(told.files[0]).parent.as_posix()
    entry: dict[str, Any] = {"file_name": where, "formatting": "sharegpt"}
    entry |= ({} if told.kind == "sft" else {"ranking": True}) | {"columns": columns}
    config: dict[str, Any] = {"model_name_or_path": told.model, "stage": told.kind, "do_train": True}
    config |= {"finetuning_type": "full", "dataset_dir": ".", "dataset": told.name, "cutoff_len": told.max_length}
    config |= {"pref_beta": 0.1, "pref_loss": "sigmoid"} if told.kind == "dpo" else {}
    config |= {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 8, "num_train_epochs": 1.0}
    config |= {"learning_rate": 2e-5 if told.kind == "sft" else 5e-7, "lr_scheduler_type": "cosine"}
    config |= {"bf16": True, "output_dir": "trained"}
    return {
        "dataset_info.json": json.dumps({told.name: entry}, indent=2, ensure_ascii=False) + "\n",
        "train.yaml": yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
    }
