"""A cell for a notebook with Unsloth: its model loader, TRL's trainer, and loss on what the assistant says.

Unsloth reads `prompt` and `completion` as they stand, and the cell makes no text of them: a `formatting_func` would put loss on
the prompt. Unsloth 2026.3 asked for one (unsloth#4486).
"""

from __future__ import annotations

from collections.abc import Mapping

from tasks.publish.trainers.ready.told import Told

CELL = """# Train {model} on this dataset with Unsloth 2026.10.9: paste it into a cell, or run it beside the dataset
from pathlib import Path

from unsloth import FastLanguageModel

from datasets import load_dataset
from trl import {trainer}Config, {trainer}Trainer

model, tokenizer = FastLanguageModel.from_pretrained("{model}", max_seq_length={length}, load_in_4bit=True)
model = FastLanguageModel.get_peft_model(model, r=16, lora_alpha=16)
rows = load_dataset(str(Path.cwd()), split="train")
trainer = {trainer}Trainer(
    model=model,
    processing_class=tokenizer,
    train_dataset=rows,
    args={trainer}Config(output_dir="trained", max_length={length}, num_train_epochs=1{end}),
)
trainer.train()
"""


def unsloth_files(told: Told) -> Mapping[str, str]:
    """`unsloth_cell.py`; of conversations on `prompt_completion`, whose completions alone carry loss."""
    end = f', eos_token="{told.end}"' if told.end and told.kind == "sft" else ""
    trainer = "SFT" if told.kind == "sft" else "DPO"
    text = CELL.format(model=told.model, trainer=trainer, length=told.max_length, end=end)
    return {"unsloth_cell.py": text}
