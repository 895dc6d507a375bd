import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tasks.curate.sharegpt import from_sharegpt
from tasks.errors import Filtered
from tasks.generate.model_pool import ModelPool, model_pool
from tests.rows import a_row, models_of

RECORDS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data/preference_pairs/dpo_en_demo.jsonl").read_text().splitlines()
]
GOOD = {
    "conversations": [{"from": "system", "value": "Cook."}, {"from": "human", "value": "Soup?"}],
    "chosen": {"from": "gpt", "value": "Boil it."},
    "rejected": {"from": "gpt", "value": "No."},
}


def test_a_record_becomes_a_row() -> None:
    assert from_sharegpt(GOOD) == {
        "instruction": "Soup?",
        "messages": [{"role": "system", "content": "Cook."}, {"role": "user", "content": "Soup?"}],
        "responses": [{"text": "Boil it.", "origin": "given"}, {"text": "No.", "origin": "given"}],
    }


def test_every_real_record_is_read_whole() -> None:
    rows = [from_sharegpt(record) for record in RECORDS]
    assert len(rows) == 40
    assert sum(row["messages"][0]["role"] == "system" for row in rows) == 12
    assert sum(len(row["messages"]) >= 3 for row in rows) == 14
    for record, row in zip(RECORDS, rows, strict=True):
        assert [message["content"] for message in row["messages"]] == [
            turn["value"] for turn in record["conversations"]
        ]
        assert {response["text"] for response in row["responses"]} == {
            record["chosen"]["value"],
            record["rejected"]["value"],
        }


def test_given_pairs_are_a_pool_without_a_request() -> None:
    for record in RECORDS:
        row = a_row(**from_sharegpt(record))
        [child] = asyncio.run(model_pool(row, models_of([]), ModelPool(keep_responses=True, max_rouge_l=1)))
        assert {response["origin"] for response in child["responses"]} == {"given"}
        assert len(child["responses"]) == 2


BROKEN: dict[str, dict[str, Any]] = {
    "nothing": {},
    "no conversation": GOOD | {"conversations": []},
    "ends with the assistant": GOOD | {"conversations": [*GOOD["conversations"], {"from": "gpt", "value": "x"}]},  # type: ignore[misc]
    "a role of a tool": GOOD | {"conversations": [{"from": "observation", "value": "x"}]},
    "no rejected": {"conversations": GOOD["conversations"], "chosen": GOOD["chosen"]},
    "rejected is null": GOOD | {"rejected": None},
    "turns of another shape": GOOD | {"conversations": [{"role": "user", "content": "Soup?"}]},
    "conversation is null": GOOD | {"conversations": None},
}


@pytest.mark.parametrize("record", BROKEN.values(), ids=BROKEN.keys())
def test_a_record_of_another_shape_is_filtered(record: dict[str, Any]) -> None:
    with pytest.raises(Filtered, match="not_sharegpt"):
        from_sharegpt(record)
