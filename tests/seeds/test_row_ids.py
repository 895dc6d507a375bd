"""The ids of seeds that were read right stay what they were: a ledger knows its answers by them."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.seeds.known_formats import Reading
from tasks.seeds.sources import open_source

TALK = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
    {"role": "user", "content": "More"},
]
SHAREGPT = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]
RECORDED: dict[str, tuple[list[Any], dict[str, str], list[str]]] = {  # by the code before known formats were read whole
    "instruction": ([{"instruction": "a", "id": 1}], {}, ["780610bd469fa6add8feade6bd758a80"]),
    "alpaca-without-input-and-output": (
        [{"instruction": "Name a river.", "input": "", "output": ""}],
        {},
        ["030719bfe2aea3d80ba0a0d03f8a1af2"],
    ),
    "system": (
        [{"prompt": "a", "system": ""}, {"prompt": "b", "system": "s"}],
        {},
        ["78b4d92ff5b57abe23ec9b643fbd3ee5", "7773adb9d148338cd5ff6727af54dbef"],
    ),
    "context": ([{"context": "c", "title": "t"}], {}, ["82f75dd753bc454e3791f7b467311c98"]),
    "dolly-without-response": (
        [{"instruction": "a", "context": "", "category": "x"}, {"instruction": "a", "context": "c"}],
        {},
        ["9db7f2987d302caee752eb9c83a5ed3e", "4354ac6dd50c364067461131dd3b248a"],
    ),
    "conversation": (
        [{"messages": TALK}, {"messages": TALK[:2]}, {"messages": [{**TALK[0], "name": "ana", "weight": 1}]}],
        {},
        ["7d3d4a2e25caac204e80d690b86ee732", "1c85bb9bb84da2c29915f38128e264cc", "7931f20df907a72bd485cbcda6fba681"],
    ),
    "sharegpt": ([{"conversations": SHAREGPT, "system": "s"}], {}, ["e872021584906dd90200d5c0af1048fb"]),
    "instruction-and-conversation": (
        [{"instruction": "", "messages": TALK}, {"instruction": "a", "messages": TALK}],
        {},
        ["b335d34933ef08cc91140a8f579d0e4f", "9ac34fa9aab05f82b02de985af512c4f"],
    ),
    "responses": (
        [{"prompt": "a", "responses": ["x", {"text": "y", "model": "m"}]}],
        {},
        ["81b101a4a4dfb1ff7fdf31a9edb3fc47"],
    ),
    "preference": (
        [
            {
                "conversations": SHAREGPT[:1],
                "chosen": {"from": "gpt", "value": "x"},
                "rejected": {"from": "gpt", "value": "y"},
            }
        ],
        {},
        ["0b3c17982c10b8108c817602e7033a74"],
    ),
    "preference-of-texts": (
        [{"prompt": "a", "chosen": "x", "rejected": "y"}],
        {},
        ["fbede2933541ccb3df4cc9b0d92ed96d"],
    ),
    "mapped": (
        [{"q": "a", "n": 1, "tags": ["x"], "score": 0.5, "x": ""}],
        {"instruction": "q", "rank": "n", "tags": "tags", "score": "score", "input": "x"},
        ["47f071aacb692730c0682e10088afa14"],
    ),
}


def ids(records: list[Any], columns: dict[str, str], reading: Reading) -> list[str]:
    source = open_source(records, columns=columns, reading=reading)
    return [row_id for batch in source.read(10) for row_id in batch.frame["row_id"]]


@pytest.mark.parametrize("answers", [True, False], ids=["answers-kept", "answers-left-out"])
@pytest.mark.parametrize(("records", "columns", "recorded"), RECORDED.values(), ids=RECORDED)
def test_a_seed_that_was_read_right_keeps_its_id(
    records: list[Any], columns: dict[str, str], recorded: list[str], answers: bool
) -> None:
    assert ids(records, columns, Reading(answers=answers)) == recorded


def test_an_answer_that_is_not_kept_is_no_part_of_the_id() -> None:
    given, bare = [{"instruction": "a", "output": "x"}], [{"instruction": "a"}]
    assert ids(given, {}, Reading(answers=False)) == ids(bare, {}, Reading())
    assert ids(given, {}, Reading()) != ids(bare, {}, Reading())
