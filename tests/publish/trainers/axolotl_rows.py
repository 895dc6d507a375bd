"""The rows of an exported folder as Axolotl 0.21 makes them by its `axolotl.yaml`: a line of JSON for each that it keeps.

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


def find_axolotl() -> None:
    """Let its code be imported; of `utils.data` only what is asked for: the rest wants what sends its telemetry."""
    sys.path.append(APART)
    data = ModuleType("axolotl.utils.data")
    data.__path__ = [f"{APART}/axolotl/utils/data"]
    sys.modules[data.__name__] = data


def sft(config: Any, tokenizer: Any, rows: Any) -> Any:
    """Tokens and labels, without those that are too long or have no label."""
    from axolotl.prompt_strategies.chat_template import load
    from axolotl.utils.data.utils import handle_long_seq_in_dataset
    from axolotl.utils.trainer import process_datasets_for_packing
    from datasets import Dataset

    strategy = load(tokenizer, config, dict(config.datasets[0]))
    made = [strategy.tokenize_prompt(dict(row)) | {"at": at} for at, row in enumerate(rows)]
    short = handle_long_seq_in_dataset(Dataset.from_list(made), config.sequence_len, config)
    return process_datasets_for_packing(config, short, None)[0]


def pairs(config: Any, tokenizer: Any, rows: Any) -> list[dict[str, Any]]:
    """Texts of the prompt and of both sides."""
    from axolotl.prompt_strategies.dpo.chat_template import default

    made = default(config)
    transform = made[0] if isinstance(made, tuple) else made
    return [transform(dict(row), tokenizer=tokenizer) for row in rows]


def main() -> None:
    """Print what is kept."""
    find_axolotl()
    import yaml
    from axolotl.utils.dict import DictDefault
    from datasets import load_dataset
    from transformers import AutoTokenizer

    folder = Path(sys.argv[1])
    config = DictDefault(yaml.safe_load((folder / "axolotl.yaml").read_text()))
    config.dataset_num_proc, config.min_sample_len = 1, 2  # as its own schema fills them in
    tokenizer = AutoTokenizer.from_pretrained(config.base_model)
    [named] = config.datasets
    os.chdir(folder)  # where it is started
    rows = load_dataset(named.ds_type, data_files=[*named.data_files], split=named.split)
    print()
    for row in (pairs if config.rl else sft)(config, tokenizer, rows):
        print(json.dumps(row))


if __name__ == "__main__":
    main()
