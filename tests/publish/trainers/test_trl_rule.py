"""What is foretold of TRL's trainers is what they really make of a dataset, row by row and token by token."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jinja2 import TemplateError

from tasks.models.target import Target
from tasks.publish.trainers.example import example_of, example_shape
from tasks.publish.trainers.seen import Seen
from tasks.publish.trainers.trl import Trl
from tests.models.answers.templates import TEMPLATES
from tests.models.tiny import save_tiny_model, tiny_tokenizer
from tests.publish.trainers import rows as draws

pytest.importorskip("trl", reason="needs the extra prove")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

ROWS = 300
LENGTHS = (300, 1000)
REFUSED = 2  # rows of each case of which it is shown
QWEN3, LLAMA, GEMMA, LAGUNA = (
    TEMPLATES[name]["chat_template"]
    for name in (
        "Qwen-Qwen3-0.6B",  # reasoning, tools
        "meta-llama-Llama-3.1-8B-Instruct",  # shows an empty list of tools
        "google-gemma-2-2b-it",  # refuses system turns and two users in a row
        "poolside-Laguna-XS.2",  # marks what the assistant says
    )
)
MARKED = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
    "<|im_end|>{% endgeneration %}{% else %}{{ m.content }}<|im_end|>{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
THINKS_ALONE = (  # opens a block of reasoning for an answer to come, and leaves it out of one that is there
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | trim }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


def target(template: str | None = None) -> Target:
    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = tokenizer.eos_token
    if template:
        tokenizer.chat_template = template
    return Target("tiny", tokenizer, frozenset([tokenizer.eos_token_id]), "")


def drawn(draw: Callable[..., Any]) -> list[dict[str, Any]]:
    return [draw(random.Random(at)) for at in range(ROWS)]


def loaded(folder: Path, records: list[dict[str, Any]]) -> Any:
    """As a file of JSON lines becomes a dataset."""
    from datasets import load_dataset

    file = folder / f"rows-{len(list(folder.iterdir()))}.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return load_dataset("json", data_files=str(file), split="train", cache_dir=str(folder / "cache"))


def foretold(rule: Trl, records: list[dict[str, Any]]) -> list[list[Seen]]:
    """By row; a pair has two."""
    shape = example_shape(records[0], "rows")
    made = list(rule.see([example_of(str(at), record, shape) for at, record in enumerate(records)]))
    by_row: dict[str, list[Seen]] = {}
    for seen in made:
        by_row.setdefault(seen.example.row_id, []).append(seen)
    return [by_row[str(at)] for at in range(len(records))]


def prepared(trainer: str, folder: Path, rule: Trl, records: list[dict[str, Any]], **options: Any) -> tuple[Any, Any]:
    """The rows that a trainer has left, in order, and its collator."""
    import trl
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    kind: Any = AutoModelForSequenceClassification if trainer == "Reward" else AutoModelForCausalLM
    model = kind.from_pretrained(folder, **({"num_labels": 1, "pad_token_id": 0} if trainer == "Reward" else {}))
    config = getattr(trl, f"{trainer}Config")(
        output_dir=str(folder.parent / "out"),
        report_to=[],
        use_cpu=True,
        bf16=False,
        disable_tqdm=True,
        max_length=rule.max_length,
        **options,
    )
    made = getattr(trl, f"{trainer}Trainer")(
        model=model, args=config, train_dataset=loaded(folder.parent, records), processing_class=rule.target.tokenizer
    )
    return made.train_dataset, made.data_collator


def compared(
    trainer: str, folder: Path, rule: Trl, records: list[dict[str, Any]], **options: Any
) -> tuple[list[list[Seen]], Any, Any]:
    """The rows that are foretold to be left, those that are left, and the collator. A row that is refused ends the training."""
    seen = foretold(rule, records)
    refused = [at for at, of_row in enumerate(seen) if of_row[0].fate == "refused"]
    for at in refused[:REFUSED]:
        with pytest.raises((ValueError, TypeError, LookupError, TemplateError, RuntimeError)):
            prepared(trainer, folder, rule, [records[at]], **options)
    taken = [record for at, record in enumerate(records) if at not in set(refused)]
    left, collate = prepared(trainer, folder, rule, taken, **options)
    kept = [of_row for of_row in seen if of_row[0].fate in ("whole", "cut")]
    assert len(kept) == len(left) > 5
    return kept, left, collate


def labels(seen: Seen) -> list[int]:
    return [-100 if label is None else label for label in seen.labels]


def assert_collated(kept: list[list[Seen]], left: Any, collate: Any) -> None:
    """What a trainer makes of each row is what is foretold: ids, and which of them carry loss."""
    for of_row, row in zip(kept, left, strict=True):
        batch = collate([row])
        made = [batch[name].tolist() for name in ("input_ids", "completion_mask", "attention_mask")]
        for seen, (ids, mask, there) in zip(of_row, zip(*made, strict=True), strict=True):
            length = sum(there)
            assert seen.ids == ids[:length]
            assert [label is not None for label in seen.labels] == [bool(bit) for bit in mask[:length]]


@pytest.mark.parametrize("length", [*LENGTHS, None])
@pytest.mark.parametrize(
    ("draw", "template", "loss"),
    [
        (draws.any_messages, QWEN3, "default"),
        (draws.any_messages, LLAMA, "default"),
        (draws.any_messages, GEMMA, "default"),
        (draws.any_messages, LAGUNA, "assistant"),
        (draws.any_prompt_completion, QWEN3, "default"),
        (draws.any_prompt_completion, MARKED, "assistant"),
        (draws.any_prompt_completion, THINKS_ALONE, "default"),
        (draws.text, None, "default"),
        (draws.prompt_completion_text, None, "default"),
        (draws.prompt_completion_beside_text, None, "default"),
    ],
)
def test_of_sft(folder: Path, draw: Callable[..., Any], template: str | None, loss: Any, length: int | None) -> None:
    rule = Trl(target(template), length, loss)
    options = {"assistant_only_loss": loss == "assistant", "shuffle_dataset": False}
    kept, left, _ = compared("SFT", folder, rule, drawn(draw), **options)
    assert [seen.ids for (seen,) in kept] == [row["input_ids"] for row in left]
    assert [labels(seen) for (seen,) in kept] == [row["labels"] for row in left]
    fates = {seen.fate for (seen,) in kept}
    assert fates == ({"whole"} if length is None else fates | {"whole", "cut"})


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(
    ("draw", "template"),
    [
        (draws.any_explicit_pair, QWEN3),
        (draws.any_explicit_pair, THINKS_ALONE),
        (draws.any_implicit_pair, LLAMA),
        (draws.any_implicit_pair, GEMMA),
        (draws.text_pair, None),
    ],
)
def test_of_dpo(folder: Path, draw: Callable[..., Any], template: str | None, length: int) -> None:
    rule = Trl(target(template), length)
    assert_collated(*compared("DPO", folder, rule, drawn(draw), precompute_ref_log_probs=False))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("template", [QWEN3, GEMMA, THINKS_ALONE])
def test_of_kto(folder: Path, template: str, length: int) -> None:
    assert_collated(*compared("KTO", folder, Trl(target(template), length), drawn(draws.any_unpaired)))


@pytest.mark.parametrize("length", [700, 1500])
@pytest.mark.parametrize(
    ("draw", "template"),
    [
        (draws.any_explicit_pair, QWEN3),
        (draws.any_implicit_pair, LLAMA),
        (draws.text_pair, None),
    ],
)
def test_of_reward(folder: Path, draw: Callable[..., Any], template: str | None, length: int) -> None:
    rule = Trl(target(template), length, pairs="reward")
    kept, left, _ = compared("Reward", folder, rule, drawn(draw))
    assert [(one.ids, other.ids) for one, other in kept] == [(row["chosen_ids"], row["rejected_ids"]) for row in left]


TALK = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]


@pytest.mark.parametrize(
    ("record", "loss", "why"),
    [
        ({"messages": TALK, "chat_template_kwargs": None}, "default", "chat_template_kwargs is null"),
        ({"messages": TALK[:1]}, "assistant", "assistant_only_loss finds nothing"),
    ],
)
def test_what_ends_the_training_is_refused(folder: Path, record: dict[str, Any], loss: Any, why: str) -> None:
    rule = Trl(target(LAGUNA), 1000, loss)
    records = [{"messages": TALK, **({"chat_template_kwargs": {}} if len(record) > 1 else {})}, record]
    (whole,), (refused,) = foretold(rule, records)
    assert (whole.fate, refused.fate) == ("whole", "refused") and why in refused.why
    with pytest.raises((TypeError, RuntimeError)):
        prepared("SFT", folder, rule, records, assistant_only_loss=loss == "assistant")
