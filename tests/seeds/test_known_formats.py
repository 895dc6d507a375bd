"""Every column of a known format is in the row, or the file or its record is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.errors import ConfigError
from tasks.seeds.batches import Source
from tasks.seeds.known_formats import Reading, unused
from tasks.seeds.sources import open_source

USER = {"role": "user", "content": "Name a river."}
NILE = {"role": "assistant", "content": "The Nile."}
LENGTH = {"role": "user", "content": "Its length?"}
LONG = {"role": "assistant", "content": "Long."}


def opened(*records: Any, **reading: Any) -> Source:
    return open_source(list(records), reading=Reading(**reading))


def rows(source: Source) -> list[dict[str, Any]]:
    """Rows without their ids, what is not theirs and what they have nothing in."""
    held = [row for frame in source.batches(100) for row in frame.iter_rows(named=True)]
    return [{name: value for name, value in row.items() if value is not None} for row in held]


FORMATS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "alpaca": (
        {"instruction": "Sort.", "input": "b, a", "output": "a, b"},
        {"instruction": "Sort.\n\nb, a", "response": "a, b"},
    ),
    "alpaca-history": (
        {"instruction": "Its length?", "input": "", "history": [["Name a river.", "The Nile."]]},
        {"instruction": "Its length?", "messages": [USER, NILE, LENGTH]},
    ),
    "dolly": (
        {"instruction": "Which?", "context": "Two rivers.", "response": "Both."},
        {"instruction": "Which?\n\nTwo rivers.", "context": "Two rivers.", "response": "Both."},
    ),
    "openorca": (
        {"id": "flan.1", "system_prompt": "Be brief.", "question": "Name a river.", "response": "Nile."},
        {"instruction": "Name a river.", "system": "Be brief.", "response": "Nile."},
    ),
    "question-answer": ({"question": "Q?", "answer": "A."}, {"instruction": "Q?", "response": "A."}),
    "query-response": ({"query": "Q?", "response": "A."}, {"instruction": "Q?", "response": "A."}),
    "input-output": ({"input": "Q?", "output": "A."}, {"instruction": "Q?", "response": "A."}),
    "prompt-completion": ({"prompt": "Q?", "completion": "A."}, {"instruction": "Q?", "response": "A."}),
    "prompt-completion-of-turns": (
        {"prompt": [USER], "completion": [NILE, LENGTH, LONG]},
        {"messages": [USER, NILE, LENGTH], "instruction": "Its length?", "response": "Long."},
    ),
    "text-and-completion-of-turns": (
        {"prompt": "Name a river.", "completion": [NILE, LENGTH, LONG]},
        {"messages": [USER, NILE, LENGTH], "instruction": "Its length?", "response": "Long."},
    ),
    "sharegpt": (
        {"conversations": [{"from": "human", "value": "Name a river."}, {"from": "chatgpt", "value": "The Nile."}]},
        {"messages": [USER], "instruction": "Name a river.", "response": "The Nile."},
    ),
    "guanaco": (
        {"text": "### Human: Name a river.### Assistant: The Nile.### Human: Its length?"},
        {"messages": [USER, NILE, LENGTH], "instruction": "Its length?"},
    ),
    "plain-text": ({"text": "Human beings?"}, {"instruction": "Human beings?"}),
    "a-choice-is-no-answer": ({"question": "Q?", "choices": ["a", "b"], "answer": 1}, {"instruction": "Q?"}),
}


@pytest.mark.parametrize(("record", "row"), FORMATS.values(), ids=FORMATS)
def test_a_row_holds_all_of_a_known_format(record: dict[str, Any], row: dict[str, Any]) -> None:
    assert rows(opened(record)) == [row]
    if type(record.get("completion")) is not list:  # its earlier turns go with it
        without = {name: value for name, value in row.items() if name != "response"}
        assert rows(opened(record, answers=False)) == [without]


def answer(text: str) -> dict[str, Any]:
    return {"text": text, "model": None, "principle": None}


PAIRS: dict[str, dict[str, Any]] = {
    "explicit": {"prompt": [USER, NILE, LENGTH], "chosen": [LONG], "rejected": [NILE]},
    "implicit": {"chosen": [USER, NILE, LENGTH, LONG], "rejected": [USER, NILE, LENGTH, NILE]},
    "whole-beside-its-prompt": {
        "prompt": "Its length?",
        "chosen": [USER, NILE, LENGTH, LONG],
        "rejected": [USER, NILE, LENGTH, NILE],
    },
    "marked-texts": {
        "chosen": "\n\nHuman: Name a river.\n\nAssistant: The Nile.\n\nHuman: Its length?\n\nAssistant: Long.",
        "rejected": "\n\nHuman: Name a river.\n\nAssistant: The Nile.\n\nHuman: Its length?\n\nAssistant: The Nile.",
    },
}


@pytest.mark.parametrize("record", PAIRS.values(), ids=PAIRS)
def test_a_preference_pair_begins_with_its_prompt(record: dict[str, Any]) -> None:
    [row] = rows(opened(record))
    assert row["messages"] == [USER, NILE, LENGTH]
    assert row["responses"] == [answer("Long."), answer("The Nile.")]
    assert row["instruction"] == "Its length?"
    assert row["response"] == "Long.", "the one that was chosen answers it"


def test_a_pair_that_parts_before_its_last_turn_is_refused_by_name() -> None:
    [batch] = opened({"chosen": [USER, NILE, LENGTH, LONG], "rejected": [USER, LONG, LENGTH, NILE]}).read(9)
    assert [one.reason for one in batch.refused] == ["unsupported_content"]


def test_a_tree_of_messages_is_refused_whole() -> None:
    with pytest.raises(ConfigError, match="a tree of messages"):
        opened({"message_id": "1", "parent_id": None, "text": "Hi", "role": "prompter", "lang": "en"})


def test_a_template_gets_the_columns_as_they_are() -> None:
    assert rows(opened({"instruction": "Sort.", "context": "b, a"}, joined=False)) == [
        {"instruction": "Sort.", "context": "b, a"}
    ]


def test_an_input_that_is_no_text_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"item 1, column input: an object"):
        opened({"instruction": "Sort.", "input": {"a": 1}}).check()


@pytest.mark.parametrize("column", ["input", "output", "system_prompt", "history"])
def test_a_column_that_comes_late_is_not_left_out_silently(column: str) -> None:
    records = [{"instruction": f"question {number}"} for number in range(1001)]
    source = opened(*records, {"instruction": "late", column: "x"})
    with pytest.raises(ConfigError, match=f"item 1002: {column}"):
        source.check()


def test_a_conversation_that_comes_late_is_told_where() -> None:
    records = [{"prompt": f"question {number}"} for number in range(1001)]
    with pytest.raises(ConfigError, match=r"a kind of messages that the first 1000 rows do not have.* item 1002"):
        opened(*records, {"prompt": [USER]}).check()


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"messages": [{"role": "narrator", "content": "It rains."}]}, "unknown_role"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}, "unsupported_content"),
        ({"messages": [USER, {**NILE, "weight": 0}]}, "not_to_train_on"),
    ],
    ids=["role", "picture", "bad-answer"],
)
def test_what_we_do_not_take_is_refused_by_name_and_the_file_goes_on(record: dict[str, Any], reason: str) -> None:
    [batch] = opened({"messages": [USER]}, record, {"messages": [LENGTH]}).read(9)
    assert batch.frame["instruction"].to_list() == ["Name a river.", "Its length?"]
    assert [one.reason for one in batch.refused] == [reason]
    assert "item 2" in batch.refused[0].detail


BAD: dict[str, Any] = {"number": {"instruction": 5}, "blank": {"instruction": " "}, "no-record": 7}


@pytest.mark.parametrize("record", BAD.values(), ids=BAD)
def test_a_bad_record_ends_the_run_or_is_a_reject(record: Any) -> None:
    with pytest.raises(ConfigError, match="item 2"):
        opened({"instruction": "a"}, record).check()
    [batch] = opened({"instruction": "a"}, record, {"instruction": "b"}, bad="reject").read(9)
    assert (batch.frame["instruction"].to_list(), batch.read) == (["a", "b"], 3)
    assert [(one.reason, "item 2" in one.detail) for one in batch.refused] == [("bad_seed", True)]


@pytest.mark.parametrize(
    ("record", "reading", "names"),
    [
        ({"instruction": "a", "id": 1, "output": "x"}, {}, "id"),
        ({"instruction": "a", "id": 1, "output": "x"}, {"answers": False}, "id, output"),
        ({"instruction": "a", "topic": "t"}, {}, "topic"),
        ({"prompt": "a", "chosen": "x", "rejected": "y"}, {}, ""),
        ({"prompt": "a", "chosen": "x", "rejected": "y"}, {"pools": False}, "rejected"),
        ({"prompt": "a", "responses": ["x"]}, {"pools": False}, "responses"),
        ({"messages": [{**USER, "name": "ana", "weight": 1}]}, {}, "messages.name, messages.weight"),
        ({"messages": [{**USER, "name": "ana", "weight": 1}]}, {"pools": False}, ""),
        ({"messages": [{**USER, "weight": 0.5}]}, {"pools": False}, "messages.weight"),
        ({"instruction": "Hi", "tools": [{"type": "function"}]}, {}, "tools"),
        ({"messages": [USER], "tools": [{"type": "function"}]}, {}, ""),
        ({"messages": [USER], "tools": [{"type": "function"}]}, {"pools": False}, ""),
    ],
)
def test_what_no_row_holds_is_named(record: dict[str, Any], reading: dict[str, Any], names: str) -> None:
    assert opened(record, **reading).unused == names


def test_a_dataset_of_ours_holds_nothing_that_is_news() -> None:
    read = {"messages"}
    ours = ["row_id", "messages", "response_model", "operations", "score_chosen", "license"]
    assert unused(ours, read, {"messages": "messages"}, Reading()) == ["license"]
    assert unused(["messages", "operations"], read, {"messages": "messages"}, Reading()) == ["operations"]
