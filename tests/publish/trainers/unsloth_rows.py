"""Rows of a JSONL file as `unsloth_zoo` 2026.10.9 prepares them for a trainer: a line of JSON for each.

Run in a process of its own by `tests.publish.trainers.apart`: unsloth_rows.py ROWS MODEL MAX_LENGTH
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace


def main() -> None:
    """Print the ids and labels of each row. Of the package only the module that prepares is imported: the rest wants a GPU."""
    package = ModuleType("unsloth_zoo")
    package.__path__ = [f"{os.environ['STILLROOM_APART']}/unsloth_zoo"]
    sys.modules[package.__name__] = package
    from datasets import Dataset
    from transformers import AutoTokenizer
    from unsloth_zoo.dataset_utils import sft_prepare_dataset

    file, model, length = sys.argv[1:]
    rows = Dataset.from_list([json.loads(line) for line in Path(file).read_text().splitlines()])
    args = SimpleNamespace(max_length=int(length), dataset_text_field="text", dataset_num_proc=1)
    trainer = SimpleNamespace(model=None)
    made = sft_prepare_dataset(trainer, rows, AutoTokenizer.from_pretrained(model), args, False, None, "train")
    print()
    for row in made:
        print(json.dumps({"ids": row["input_ids"], "labels": row["labels"]}))


if __name__ == "__main__":
    main()
