"""Unsloth's own code on prompts with completions: their tokens, and which of them carry loss, are as foretold."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.errors import ConfigError
from tasks.models.target import open_target
from tasks.publish.trainers.choose import Fit, rule_of
from tasks.publish.trainers.example import example_of
from tasks.publish.trainers.facts import Facts
from tasks.publish.trainers.ready.files import write_ready
from tasks.publish.trainers.seen import Seen
from tests.models.tiny import CHATML, save_tiny_model
from tests.publish.trainers import rows as draws
from tests.publish.trainers.apart import apart, lines_of
from tests.publish.trainers.test_facts import ASKED, LONG, OPENS_THOUGHT, SAID, target

PACKAGE = "unsloth_zoo==2026.10.9"
ROWS, LENGTH = 120, 500
NO_ANSWER_BEGUN = CHATML.replace("{{ '<|im_start|>assistant\\n' }}", "")


def foretold(record: dict[str, Any], template: str = CHATML, length: int = LENGTH) -> Seen:
    rule = rule_of(Fit(trainer="unsloth", max_length=length), target(template))
    (seen,) = rule.see([example_of("0", record, "prompt_completion")])
    return seen


def test_loss_begins_behind_as_many_tokens_as_the_prompt_has() -> None:
    row = {"prompt": [ASKED], "completion": [SAID]}
    plain, thinking = foretold(row), foretold(row, OPENS_THOUGHT)
    decode = target().tokenizer.decode
    assert decode([label for label in plain.labels if label is not None]) == "AAA<|im_end|>\n"
    assert not thinking.prompt_is_prefix and sum(thinking.loss) < sum(plain.loss)


def test_a_row_without_an_answer_left_stays_and_teaches_nothing() -> None:
    seen = foretold({"prompt": [ASKED | {"content": LONG}], "completion": [SAID]}, length=32)
    assert (seen.fate, len(seen.ids), any(seen.labels)) == ("cut", 32, False)
    faults = Facts(target()).of_row([seen]).faults
    assert {"answer_cut", "nothing_trained"} <= set(faults)


def test_other_shapes_are_one_line() -> None:
    with pytest.raises(ConfigError, match="not the shape that this trainer's rule is known for"):
        rule_of(Fit(trainer="unsloth"), target()).check("preference")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("template", [CHATML, OPENS_THOUGHT], ids=["plain", "opens a thought"])
@pytest.mark.parametrize("draw", [draws.prompt_completion, draws.prompt_completion_text])
def test_its_rows_are_as_foretold(draw: Callable[..., Any], template: str, tmp_path: Path) -> None:
    packages, model = apart(PACKAGE), save_tiny_model(tmp_path / "tiny")
    (model / "chat_template.jinja").write_text(template)
    rows = [draw(random.Random(at)) for at in range(ROWS)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    rule = rule_of(Fit(trainer="unsloth", max_length=LENGTH), open_target(str(model)))
    seen = list(rule.see([example_of(str(at), row, "prompt_completion") for at, row in enumerate(rows)]))
    made = lines_of("unsloth_rows.py", packages, tmp_path / "rows.jsonl", model, LENGTH)
    assert [one.ids for one in seen] == [line["ids"] for line in made]
    labels = [[-100 if label is None else label for label in one.labels] for one in seen]
    assert labels == [line["labels"] for line in made]
    assert {one.fate for one in seen} == ({"whole", "cut"} if seen[0].turns else {one.fate for one in seen})


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_cell_of_the_export_trains_on_them(tmp_path: Path) -> None:
    packages, model = apart(PACKAGE), save_tiny_model(tmp_path / "tiny")
    rows = [draws.prompt_completion(random.Random(at)) for at in range(16)]
    (tmp_path / "out" / "data").mkdir(parents=True)
    pl.DataFrame(rows).write_parquet(tmp_path / "out" / "data" / "train.parquet")
    write_ready(tmp_path / "out", "sft", "unsloth", open_target(str(model)), LENGTH)
    made = lines_of("unsloth_rows.py", packages, tmp_path / "out")
    assert [line["ids"] for line in made] == [foretold(row).ids for row in rows]
