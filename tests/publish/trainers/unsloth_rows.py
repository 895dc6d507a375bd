"""Rows as `unsloth_zoo` 2026.10.9 prepares them for a trainer: a line of JSON for each.

Run in a process of its own by `tests.publish.trainers.apart`: `unsloth_rows.py ROWS MODEL MAX_LENGTH` takes a JSONL file;
`unsloth_rows.py FOLDER` runs the cell that stands in an exported folder, for one step on the CPU.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any


def prepare() -> Callable[..., Any]:
    """What it puts in the place of SFTTrainer's own. Of the package only that module is imported: the rest wants a GPU."""
    package = ModuleType("unsloth_zoo")
    package.__path__ = [f"{os.environ['STILLROOM_APART']}/unsloth_zoo"]
    sys.modules[package.__name__] = package
    from unsloth_zoo.dataset_utils import sft_prepare_dataset

    prepared: Callable[..., Any] = sft_prepare_dataset
    return prepared


def of_file(file: str, model: str, length: str) -> Any:
    """The rows of a JSONL file."""
    from datasets import Dataset
    from transformers import AutoTokenizer

    rows = Dataset.from_list([json.loads(line) for line in Path(file).read_text().splitlines()])
    args = SimpleNamespace(max_length=int(length), dataset_text_field="text", dataset_num_proc=1)
    trainer = SimpleNamespace(model=None)
    return prepare()(trainer, rows, AutoTokenizer.from_pretrained(model), args, False, None, "train")


class OnCPU:
    """What the cell asks of `FastLanguageModel`, which itself wants a GPU, by transformers and peft."""

    @staticmethod
    def from_pretrained(name: str, max_seq_length: int, load_in_4bit: bool) -> tuple[Any, Any]:  # noqa: ARG004
        from transformers import AutoModelForCausalLM, AutoTokenizer

        return AutoModelForCausalLM.from_pretrained(name), AutoTokenizer.from_pretrained(name)

    @staticmethod
    def get_peft_model(model: Any, r: int, lora_alpha: int) -> Any:
        from peft import LoraConfig, get_peft_model

        return get_peft_model(model, LoraConfig(r=r, lora_alpha=lora_alpha))


def of_cell(folder: str) -> Any:
    """The rows that the cell trains on, after a step."""
    import trl

    os.chdir(folder)
    unsloth: Any = ModuleType("unsloth")
    unsloth.FastLanguageModel = OnCPU
    sys.modules["unsloth"] = unsloth
    prepared = prepare()
    trl.SFTTrainer._prepare_dataset = lambda self, *told: prepared(self, *told)
    quiet = {"use_cpu": True, "bf16": False, "max_steps": 1, "logging_strategy": "no", "save_strategy": "no"}
    trl.SFTConfig = partial(trl.SFTConfig, **quiet, report_to=[], disable_tqdm=True, shuffle_dataset=False)
    names: dict[str, Any] = {}
    with redirect_stdout(sys.stderr):  # where figures of the training go
        exec(Path("unsloth_cell.py").read_text(), names)
    assert names["trainer"].state.global_step == 1
    return names["trainer"].train_dataset


def main() -> None:
    """Print the ids and labels of each row."""
    made = of_file(*sys.argv[1:]) if len(sys.argv) > 2 else of_cell(sys.argv[1])
    print()
    for row in made:
        print(json.dumps({"ids": row["input_ids"], "labels": row["labels"]}))


if __name__ == "__main__":
    main()
