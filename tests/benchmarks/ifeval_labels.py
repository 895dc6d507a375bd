"""The labels of lm-eval's own IFEval checkers for published responses, as JSON lines. Imports nothing of this project.

    pip install --target LIBRARY --no-deps lm-eval==0.4.13
    pip install --target LIBRARY langdetect immutabledict "nltk>=3.9.1" packaging
    NLTK_DATA=FOLDER python tests/benchmarks/ifeval_labels.py LIBRARY DATA > labels.jsonl

DATA: the folder of `input_data.jsonl` and `input_response_data_gpt4_20231107_145030.jsonl`. FOLDER holds
`tokenizers/punkt_tab/english`: NLTK's downloader fetches it, and the wheel of llama-index-core 0.14.25 has it in
`llama_index/core/_static/nltk_cache`. langdetect draws, and so does a checker; their seeds are set, so that the labels are the same every time.
"""

import json
import random
import sys
import types
from pathlib import Path

ANSWERS = "input_response_data_gpt4_20231107_145030.jsonl"


def main(library: str, data: str) -> None:
    """Print a line for each response: key, instruction ids, parameters, response, labels."""
    sys.path.insert(0, library)
    for name in ("lm_eval", "lm_eval.tasks"):  # without what the package itself imports: the checkers need none of it
        package = types.ModuleType(name)
        package.__path__ = [str(Path(library, *name.split(".")))]
        sys.modules[name] = package
    import langdetect
    from lm_eval.tasks.ifeval import utils

    langdetect.DetectorFactory.seed = 0
    random.seed(0)  # where a "letter" is none, the checker draws one
    asked = [json.loads(line) for line in Path(data, "input_data.jsonl").read_text(encoding="utf-8").splitlines()]
    said = [json.loads(line) for line in Path(data, ANSWERS).read_text(encoding="utf-8").splitlines()]
    # by position: the prompt of key 3757 was changed after its response had been made
    for one, response in zip(asked, said, strict=True):
        told = utils.InputExample(one["key"], one["instruction_id_list"], one["prompt"], one["kwargs"])
        found = utils.test_instruction_following_strict(told, response["response"])
        line = {
            "key": one["key"],
            "kinds": one["instruction_id_list"],
            "kwargs": one["kwargs"],
            "response": response["response"],
            "labels": found.follow_instruction_list,
        }
        print(json.dumps(line, ensure_ascii=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
