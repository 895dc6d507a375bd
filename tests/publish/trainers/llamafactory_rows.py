"""The rows of an exported folder as LLaMA-Factory 0.9.5 makes them by its `dataset_info.json` and `train.yaml`: a line of JSON for each.

Run in a process of its own by `tests.publish.trainers.apart`.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

APART = os.environ["STILLROOM_APART"]


def find_llamafactory() -> None:
    """Let its code be imported; of `data` and `hparams` only what is asked for. It imports torchaudio, and reads no sound here."""
    import transformers  # noqa: F401 - it looks whether there is a torchaudio

    sys.path.append(APART)
    for name in ("data", "hparams"):
        module = ModuleType(f"llamafactory.{name}")
        module.__path__ = [f"{APART}/llamafactory/{name}"]
        sys.modules[module.__name__] = module
    sys.modules["torchaudio"] = ModuleType("torchaudio")


def told(folder: Path, config: dict[str, Any]) -> Any:
    """What its own parser reads of `dataset_info.json`."""
    from llamafactory.data.parser import get_dataset_list

    (attribute,) = get_dataset_list([config["dataset"]], str(folder))
    return attribute


def main() -> None:
    """Print the place, ids and labels of each row that is kept."""
    find_llamafactory()
    import yaml
    from datasets import load_dataset
    from llamafactory.data.converter import get_dataset_converter
    from llamafactory.data.processor.supervised import SupervisedDatasetProcessor
    from llamafactory.data.template import get_template_and_fix_tokenizer
    from llamafactory.hparams.data_args import DataArguments
    from transformers import AutoTokenizer

    folder = Path(sys.argv[1])
    config = yaml.safe_load((folder / "train.yaml").read_text())
    arguments = DataArguments(cutoff_len=config["cutoff_len"], dataset_dir=str(folder), dataset=config["dataset"])
    tokenizer = AutoTokenizer.from_pretrained(config["model_name_or_path"])
    template = get_template_and_fix_tokenizer(tokenizer, arguments)
    attribute = told(folder, config)
    convert = get_dataset_converter(attribute.formatting, attribute, arguments)
    processor = SupervisedDatasetProcessor(template, tokenizer, None, arguments)
    print()
    for at, row in enumerate(load_dataset("parquet", data_files=str(folder / attribute.dataset_name), split="train")):
        converted = convert(row)
        made = processor.preprocess_dataset({name: [value] for name, value in converted.items()})
        if made:
            roles = [turn["role"] for turn in converted["_prompt"] + converted["_response"]]
            print(json.dumps({"at": at, "roles": roles, "ids": made["input_ids"][0], "labels": made["labels"][0]}))


if __name__ == "__main__":
    main()
