"""What is foretold of TRL's trainers is what they really make of a dataset, row by row and token by token."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.models.target import Target
from tasks.publish.trainers.example import example_of, example_shape
from tasks.publish.trainers.seen import Seen
from tasks.publish.trainers.trl import Trl
from tests.models.tiny import save_tiny_model, tiny_tokenizer
from tests.publish.trainers import rows as draws

pytest.importorskip("trl", reason="needs the extra prove")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

ROWS = 60
LENGTH = 700
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
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    kind: Any = AutoModelForSequenceClassification if trainer == "Reward" else AutoModelForCausalLM
    model = kind.from_pretrained(folder, **({"num_labels": 1, "pad_token_id": 0} if trainer == "Reward" else {}))
    config = getattr(trl, f"{trainer}Config")(
        output_dir=str(folder.parent / "out"), report_to=[], use_cpu=True, bf16=False, disable_tqdm=True, **options
    )
    made = getattr(trl, f"{trainer}Trainer")(
        model=model, args=config, train_dataset=Dataset.from_list(records), processing_class=rule.target.tokenizer
    )
    return made.train_dataset, made.data_collator


def labels(seen: Seen) -> list[int]:
    return [-100 if label is None else label for label in seen.labels]


@pytest.mark.parametrize("length", [LENGTH, None])
@pytest.mark.parametrize(
    ("draw", "template", "loss"),
    [
        (draws.messages, None, "default"),
        (draws.messages, MARKED, "assistant"),
        (draws.prompt_completion, None, "default"),
        (draws.prompt_completion, MARKED, "assistant"),
        (draws.prompt_completion, THINKS_ALONE, "default"),
        (draws.text, None, "default"),
        (draws.prompt_completion_text, None, "default"),
    ],
)
def test_of_sft(folder: Path, draw: Callable[..., Any], template: str | None, loss: Any, length: int | None) -> None:
    records = [draw(random.Random(at)) for at in range(ROWS)]
    rule = Trl(target(template), length, loss)
    options = {"assistant_only_loss": loss == "assistant", "max_length": length, "shuffle_dataset": False}
    left, _ = prepared("SFT", folder, rule, records, **options)
    kept = [seen for (seen,) in foretold(rule, records) if seen.fate in ("whole", "cut")]
    assert [seen.ids for seen in kept] == [row["input_ids"] for row in left]
    assert [labels(seen) for seen in kept] == [row["labels"] for row in left]
    fates = {seen.fate for (seen,) in foretold(rule, records)}
    assert fates == ({"whole"} if length is None else fates | {"whole", "cut"})


@pytest.mark.parametrize("draw", [draws.explicit_pair, draws.implicit_pair, draws.text_pair])
@pytest.mark.parametrize("template", [None, THINKS_ALONE])
def test_of_dpo(folder: Path, draw: Callable[..., Any], template: str | None) -> None:
    records = [draw(random.Random(at)) for at in range(ROWS)]
    rule = Trl(target(template), LENGTH)
    left, collate = prepared("DPO", folder, rule, records, max_length=LENGTH, precompute_ref_log_probs=False)
    kept = [pair for pair in foretold(rule, records) if pair[0].fate in ("whole", "cut")]
    assert len(kept) == len(left) > ROWS / 3
    for (chosen, rejected), row in zip(kept, left, strict=True):
        batch = collate([row])
        sides = zip(
            batch["input_ids"].tolist(),
            batch["completion_mask"].tolist(),
            batch["attention_mask"].tolist(),
            strict=True,
        )
        for seen, (ids, mask, there) in zip((chosen, rejected), sides, strict=True):
            length = sum(there)
            assert seen.ids == ids[:length]
            assert [label is not None for label in seen.labels] == [bool(bit) for bit in mask[:length]]


@pytest.mark.parametrize("template", [None, THINKS_ALONE])
def test_of_kto(folder: Path, template: str | None) -> None:
    records = [draws.unpaired(random.Random(at)) for at in range(ROWS)]
    rule = Trl(target(template), LENGTH)
    left, _ = prepared("KTO", folder, rule, records, max_length=LENGTH)
    kept = [seen for (seen,) in foretold(rule, records) if seen.fate in ("whole", "cut")]
    assert [(seen.prompt, seen.tokens.ids) for seen in kept] == [
        (len(row["prompt_ids"]), row["prompt_ids"] + row["completion_ids"]) for row in left
    ]


@pytest.mark.parametrize("draw", [draws.explicit_pair, draws.implicit_pair, draws.text_pair])
def test_of_reward(folder: Path, draw: Callable[..., Any]) -> None:
    records = [draw(random.Random(at)) for at in range(ROWS)]
    length = 300 if draw is draws.text_pair else LENGTH
    rule = Trl(target(), length, pairs="reward")
    left, _ = prepared("Reward", folder, rule, records, max_length=length)
    kept = [pair for pair in foretold(rule, records) if pair[0].fate == "whole"]
    assert 0 < len(kept) < ROWS
    assert [(one.ids, other.ids) for one, other in kept] == [(row["chosen_ids"], row["rejected_ids"]) for row in left]
