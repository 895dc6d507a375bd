"""A model that is trained on a template without an end of the turn runs on; trained after the fix that `fit` names, it stops.

python -m tests.publish.trainers.test_end_learned       # the figures of docs/fit.md
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from tasks.models.open import DEMO_WEIGHTS
from tasks.models.target import open_target
from tasks.publish.trainers.example import example_of
from tasks.publish.trainers.facts import Facts
from tasks.publish.trainers.trl import Trl
from tests.demo_model.train import CHAT_TEMPLATE, INNER, LAYERS, WIDTH
from tests.models.tiny import one_thread

pytest.importorskip("trl", reason="needs the extra trl")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

WITHOUT_END = CHAT_TEMPLATE.replace(" + '<|im_end|>\\n'", " + '\\n'")
THINGS = ("socks", "cups", "cakes", "nuts", "jars", "plums", "pens", "maps")
STEPS, BATCH, LONGEST, ASKED = 60, 8, 40, 20


def row(at: int) -> dict[str, Any]:
    """A question about two things, and its answer."""
    one, other, thing = at % 9 + 1, at // 9 % 9 + 1, THINGS[at // 81 % len(THINGS)]
    said = f"{one} + {other} = {one + other}. There are {one + other} {thing}."
    prompt = [{"role": "user", "content": f"How many {thing} are {one} {thing} and {other} {thing}?"}]
    return {"prompt": prompt, "completion": [{"role": "assistant", "content": said}]}


def trained(folder: Path, template: str) -> Path:
    """A model of the demo's size, trained from scratch by TRL with this template."""
    import torch
    from datasets import Dataset
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
    from trl import SFTConfig, SFTTrainer

    tokenizer = AutoTokenizer.from_pretrained(DEMO_WEIGHTS)
    tokenizer.chat_template = template
    torch.manual_seed(0)
    shape = {"hidden_size": WIDTH, "intermediate_size": INNER, "num_hidden_layers": LAYERS, "num_attention_heads": 6}
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), tie_word_embeddings=True, **shape, **ends))
    config = SFTConfig(
        output_dir=str(folder),
        max_steps=STEPS,
        per_device_train_batch_size=BATCH,
        learning_rate=3e-3,
        report_to=[],
        use_cpu=True,
        bf16=False,
        disable_tqdm=True,
        save_strategy="no",
        seed=0,
        logging_strategy="no",
    )
    rows = Dataset.from_list([row(at) for at in range(0, 648, 2)])  # those in between are held out
    made = SFTTrainer(model=model, args=config, train_dataset=rows, processing_class=tokenizer)
    with one_thread():
        made.train()
    made.save_model()
    return folder


def faults(folder: Path) -> set[str]:
    """What `fit` tells of the rows for that model."""
    target = open_target(str(folder))
    return set(Facts(target).of_row(list(Trl(target).see([example_of("0", row(0), "prompt_completion")]))).faults)


def ended(folder: Path) -> int:
    """How many answers to questions that it has not seen end by themselves, of ASKED."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    count = 0
    for at in range(ASKED):
        asked = tokenizer.apply_chat_template(
            row(at * 32 % 648 + 1)["prompt"], add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        with one_thread(), torch.inference_mode():
            said = model.generate(input_ids=asked["input_ids"], max_new_tokens=LONGEST, do_sample=False)
        count += tokenizer.eos_token_id in said[0, asked["input_ids"].shape[1] :].tolist()
    return count


def test_after_the_fix_the_model_stops(tmp_path: Path) -> None:
    before, after = (trained(tmp_path / name, text) for name, text in (("b", WITHOUT_END), ("a", CHAT_TEMPLATE)))
    assert (faults(before), faults(after)) == ({"no_end"}, set())
    assert ended(before) == 0
    assert ended(after) >= 0.95 * ASKED


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as work:
        for name, text in (("without an end", WITHOUT_END), ("with the end", CHAT_TEMPLATE)):
            print(f"{name}: {ended(trained(Path(work, name), text))} of {ASKED} answers end within {LONGEST} tokens")
