"""LLaMA-Factory's own converter, template and processor on our export: the rows kept, their tokens and loss are as foretold."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.models.target import open_target
from tasks.publish.formats.sharegpt import not_in_sharegpt, sharegpt
from tasks.publish.trainers.example import example_of
from tasks.publish.trainers.llamafactory import LlamaFactory
from tasks.publish.trainers.ready.files import write_ready
from tests.models.answers.templates import TEMPLATES
from tests.models.tiny import CHATML, save_tiny_model
from tests.publish.test_llama_factory import PACKAGES
from tests.publish.trainers.apart import apart, lines_of
from tests.publish.trainers.rows import any_messages

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
QWEN3 = TEMPLATES["Qwen-Qwen3-0.6B"]["chat_template"]

OPENS_THOUGHT = (  # as Qwen3 does it: an answer without reasoning has an empty block
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' and '<think>' not in m.content %}"
    "<think>\n\n</think>\n\n{% endif %}{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
GIVES_SYSTEM = "{% if messages[0].role != 'system' %}<|im_start|>system\nBe brief.<|im_end|>\n{% endif %}" + CHATML
ROWS = 300
FROM = {"user": "human", "assistant": "gpt", "tool": "observation", "system": "system"}


def rows() -> list[dict[str, Any]]:
    """Rows of all shapes that can be said in ShareGPT's format, with a content in each turn and arguments as text."""
    made = [any_messages(random.Random(at)) for at in range(ROWS)]
    for row in made:
        row["messages"] = [
            {"content": ""} | turn | ({"tool_calls": _as_text(turn["tool_calls"])} if "tool_calls" in turn else {})
            for turn in row["messages"]
        ]
    return [row for row in made if not_in_sharegpt(row["messages"]) != "words_beside_a_call"]


def _as_text(calls: list[Any]) -> list[Any]:
    return [{"function": call["function"] | {"arguments": json.dumps(call["function"]["arguments"])}} for call in calls]


def exported(folder: Path, made: list[dict[str, Any]], model: str, length: int) -> Path:
    """As `stillroom export --for llamafactory` lays them down; what that would refuse is put there by hand."""
    (folder / "data").mkdir(parents=True)
    records = []
    for at, row in enumerate(made):
        tools = row["tools"] if isinstance(row["tools"], str | None) else json.dumps(row["tools"])
        if not_in_sharegpt(row["messages"]) is None:
            frame = pl.DataFrame({"row_id": [str(at)], "messages": [row["messages"]], "tools": [tools]})
            (record,) = sharegpt(frame).to_dicts()
        else:
            turns = [{"from": FROM[turn["role"]], "value": turn["content"]} for turn in row["messages"]]
            record = {"row_id": str(at), "conversations": turns, "system": "", "tools": tools}
        records.append(record)
    pl.DataFrame(records, infer_schema_length=None).write_parquet(folder / "data" / "train.parquet")
    write_ready(folder, "sft", "llamafactory", open_target(model), length)
    return folder


@pytest.mark.parametrize("length", [300, 100_000])
@pytest.mark.parametrize(
    "template", [CHATML, OPENS_THOUGHT, GIVES_SYSTEM, QWEN3], ids=["plain", "thinks", "system", "qwen3"]
)
def test_its_rows_are_as_foretold(tmp_path: Path, template: str, length: int) -> None:
    packages, model = apart(*PACKAGES), save_tiny_model(tmp_path / "tiny")
    (model / "chat_template.jinja").write_text(template)
    records, rule = rows(), LlamaFactory(open_target(str(model)), length)
    rule.check("messages")
    seen = list(rule.see([example_of(str(at), row, "messages") for at, row in enumerate(records)]))
    kept = {int(one.example.row_id): one for one in seen if one.fate in ("whole", "cut")}
    made = {
        line["at"]: line
        for line in lines_of("llamafactory_rows.py", packages, exported(tmp_path / "out", records, str(model), length))
    }
    assert made.keys() == kept.keys() and ROWS / 3 < len(kept) < ROWS
    assert ("cut" in {one.fate for one in kept.values()}) is (length < 1000)
    for at, line in made.items():
        loss = [label for label in kept[at].labels if label is not None]
        if records[at]["tools"] in (None, []):  # it says in words of its own what tools there are
            assert line["ids"] == kept[at].ids
            assert line["labels"] == [-100 if label is None else label for label in kept[at].labels]
        elif kept[at].fate == "whole":
            assert [label for label in line["labels"] if label != -100] == loss
