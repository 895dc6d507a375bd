"""A script for TRL 1.16: `python train.py --num_train_epochs 1`, with any option of its config behind it."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.publish.trainers.ready.told import Told

SCRIPT = '''"""Train {model} on this dataset with TRL 1.16: python train.py [any option of {trainer}Config, e.g. --max_steps 10]

{loss}
"""

from pathlib import Path

from datasets import load_dataset
from transformers import HfArgumentParser
from trl import {trainer}Config, {trainer}Trainer

parser = HfArgumentParser({trainer}Config)
parser.set_defaults({settings})
(args,) = parser.parse_args_into_dataclasses()
rows = load_dataset(str(Path(__file__).parent), split="train")
trainer = {trainer}Trainer(model={model!r}, args=args, train_dataset=rows)
trainer.train()
trainer.save_model()
'''
LOSS = {
    "sft": "The completions alone carry loss, since the rows have them apart from their prompts.",
    "dpo": "The answers alone carry loss.",
}


def trl_files(told: Told) -> Mapping[str, str]:
    """`train.py`, for SFTTrainer on `prompt_completion` or DPOTrainer on `dpo`."""
    settings: dict[str, object] = {"output_dir": "trained", "max_length": told.max_length}
    if told.end and told.kind == "sft":
        settings["eos_token"] = told.end  # the model's generation then stops there too
    named = ", ".join(f"{name}={value!r}" for name, value in settings.items())
    trainer = "SFT" if told.kind == "sft" else "DPO"
    text = SCRIPT.format(model=told.model, trainer=trainer, loss=LOSS[told.kind], settings=named)
    return {"train.py": text.replace("'", '"') if '"' not in told.model else text}
