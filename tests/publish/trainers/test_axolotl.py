"""Axolotl's own code on our export: the rows that it keeps, their tokens and which of them carry loss are as foretold."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.models.target import open_target
from tasks.publish.trainers.axolotl import Axolotl
from tasks.publish.trainers.example import example_of
from tasks.publish.trainers.ready.files import write_ready
from tests.models.answers.templates import TEMPLATES
from tests.models.tiny import CHATML, save_tiny_model
from tests.publish.trainers.apart import apart, lines_of
from tests.publish.trainers.rows import any_messages, explicit_pair

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
PACKAGES = ("axolotl==0.21.0", "addict==2.4.0", "numba==0.68.1", "llvmlite==0.50.0")
ROWS, LENGTH = 300, 900
QWEN3 = TEMPLATES["Qwen-Qwen3-0.6B"]["chat_template"]


def marked(at: int) -> dict[str, Any]:
    """A row of any shape, each turn marked as our export marks it; of every third one some answers are not to be trained on.

    What goes to the template beside it, and the arguments of calls, are text in our export.
    """
    draw = random.Random(at)
    row = any_messages(draw)
    for turn in row["messages"]:
        turn["train"] = turn["role"] == "assistant" and (at % 3 > 0 or draw.random() < 0.5)
        for call in turn.get("tool_calls", ()):
            call["function"] |= {"arguments": json.dumps(call["function"]["arguments"])}
    tools = row["tools"]
    return {"messages": row["messages"], "tools": tools if isinstance(tools, str | None) else json.dumps(tools)}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_tiny_model(tmp_path / "tiny")


def exported(folder: Path, kind: Any, rows: list[dict[str, Any]], model: Path) -> Path:
    """The rows as `stillroom export --for axolotl` lays them down, with its configuration."""
    (folder / "data").mkdir(parents=True)
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(folder / "data" / "train.parquet")
    write_ready(folder, kind, "axolotl", open_target(str(model)), LENGTH)
    return folder


def is_refused(rule: Axolotl, row: dict[str, Any]) -> bool:
    """Whether it would end the training."""
    (seen,) = rule.see([example_of("0", row, "messages")])
    return seen.fate == "refused"


@pytest.mark.parametrize("template", [CHATML, QWEN3], ids=["plain", "qwen3"])
def test_its_rows_are_as_foretold(tmp_path: Path, model: Path, template: str) -> None:
    packages = apart(*PACKAGES)
    (model / "chat_template.jinja").write_text(template)
    foretold = Axolotl(open_target(str(model)), LENGTH)
    taken = [row for at in range(ROWS) if not is_refused(foretold, row := marked(at))]
    folder = exported(tmp_path / "out", "sft", taken, model)
    rows = pl.read_parquet(folder / "data" / "train.parquet").to_dicts()
    seen = list(foretold.see([example_of(str(at), row, "messages") for at, row in enumerate(rows)]))
    kept = {int(one.example.row_id): one for one in seen if one.fate == "whole"}
    made = {line["at"]: line for line in lines_of("axolotl_rows.py", packages, folder)}
    assert made.keys() == kept.keys() and 50 < len(kept) < ROWS
    for at, line in made.items():
        assert line["input_ids"] == kept[at].ids
        assert line["labels"] == [-100 if label is None else label for label in kept[at].labels]


def test_it_reads_our_pairs(tmp_path: Path, model: Path) -> None:
    packages = apart(*PACKAGES)
    rows = [explicit_pair(random.Random(at)) for at in range(20)]
    made = lines_of("axolotl_rows.py", packages, exported(tmp_path / "pairs", "dpo", rows, model))
    target = open_target(str(model))
    assert [line["prompt"] for line in made] == [target.text(row["prompt"], to_answer=True) for row in rows]
    for side in ("chosen", "rejected"):
        assert [line[side] for line in made] == [f"{row[side][-1]['content']}<|im_end|>" for row in rows]
