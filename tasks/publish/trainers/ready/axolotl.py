"""A configuration for Axolotl 0.21: `axolotl train axolotl.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from tasks.publish.trainers.ready.told import Told


def axolotl_files(told: Told) -> Mapping[str, str]:
    """`axolotl.yaml`. Without `message_field_training` it trains on turns that are marked not to be, and without
    `eot_tokens` it does not train the end of a turn that is not the tokenizer's own end. Files are named: its datasets, 5.0.1,
    opens no folder by the name ".".
    """
    rows: dict[str, Any] = {"path": ".", "ds_type": "parquet", "data_files": [*told.files], "split": "train"}
    if told.kind == "sft":
        rows |= {"type": "chat_template", "field_messages": "messages"}
        rows |= {"message_field_training": "train"} if told.is_marked else {}
    else:
        rows |= {"type": "chat_template.default", "field_messages": "prompt", "field_chosen": "chosen"}
        rows |= {"field_rejected": "rejected"}
    config: dict[str, Any] = {"base_model": told.model} | ({} if told.kind == "sft" else {"rl": "dpo"})
    config |= {"chat_template": "tokenizer_default", "datasets": [rows], "sequence_len": told.max_length}
    config |= {"eot_tokens": [told.end]} if told.end else {}
    config |= {"train_on_inputs": False} if told.kind == "sft" else {}
    config |= {"micro_batch_size": 1, "gradient_accumulation_steps": 8, "num_epochs": 1, "learning_rate": 2e-5}
    config |= {"optimizer": "adamw_torch", "lr_scheduler": "cosine", "bf16": "auto", "output_dir": "trained"}
    return {"axolotl.yaml": yaml.safe_dump(config, sort_keys=False, allow_unicode=True)}
