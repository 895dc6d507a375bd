from __future__ import annotations

from typing import Any

import pytest

from tasks.errors import Filtered
from tasks.seeds.turns import split_answer, tools_of, turn_of

CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Hue"}'}}


@pytest.mark.parametrize(
    ("turn", "read"),
    [
        ({"role": "User", "content": "a"}, {"role": "user", "content": "a"}),
        ({"from": "bard", "value": "a"}, {"role": "assistant", "content": "a"}),
        ({"role": "user", "content": [{"type": "text", "text": "a"}, "b"]}, {"role": "user", "content": "a\nb"}),
        (
            {"role": "user", "content": "a", "name": "ana", "tool_calls": None},
            {"role": "user", "content": "a", "name": "ana"},
        ),
        (
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
        ),
        (
            {"role": "assistant", "content": "", "tool_calls": [{"name": "weather", "arguments": {"city": "Hue"}}]},
            {"role": "assistant", "content": "", "tool_calls": [{**CALL, "id": None}]},
        ),
        (
            {"role": "tool", "content": "31 C", "tool_call_id": "c1", "name": "weather"},
            {"role": "tool", "content": "31 C", "tool_call_id": "c1", "name": "weather"},
        ),
        ({"role": "assistant", "content": "a", "weight": 1, "loss": True}, {"role": "assistant", "content": "a"}),
        ({"role": "assistant", "content": "a", "weight": 0}, {"role": "assistant", "content": "a", "train": False}),
        ({"from": "gpt", "value": "a", "loss": False}, {"role": "assistant", "content": "a", "train": False}),
        ({"role": "user", "content": "a", "train": False}, {"role": "user", "content": "a", "train": False}),
        ({"role": "user", "content": "a", "train": True}, {"role": "user", "content": "a", "train": True}),
    ],
    ids=[
        "upper-case",
        "bard",
        "parts",
        "name-of-a-user",
        "call",
        "bare-call",
        "tool",
        "weight-1",
        "weight-0",
        "loss",
        "train",
        "train a user",
    ],
)
def test_a_turn_is_read_with_all_that_belongs_to_it(turn: dict[str, Any], read: dict[str, Any]) -> None:
    assert turn_of(turn) == read


@pytest.mark.parametrize(
    ("turn", "found"),
    [
        ({"content": "a"}, "a message without a role"),
        ({"role": "user", "content": None}, "a message with nothing as content"),
        ({"role": "user", "content": []}, "a message with a list as content"),
        ({"role": "assistant", "tool_calls": [{"arguments": {}}]}, "without the name of a function"),
    ],
    ids=["no-role", "nothing", "no-parts", "nameless-call"],
)
def test_what_is_no_turn_is_told(turn: dict[str, Any], found: str) -> None:
    with pytest.raises(TypeError, match=found):
        turn_of(turn)


def test_a_part_that_is_no_text_is_refused_by_its_kind() -> None:
    with pytest.raises(Filtered, match="unsupported_content: a part that is no text: input_audio"):
        turn_of({"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "input_audio"}]})


@pytest.mark.parametrize(
    ("value", "text"), [("[]", None), (" ", None), ('[{"a": 1}]', '[{"a": 1}]'), ([{"a": 1}], '[{"a": 1}]')]
)
def test_tools_are_one_text_of_json(value: Any, text: str | None) -> None:
    assert tools_of(value) == text


@pytest.mark.parametrize("value", ["{}", "no", [1], {"a": 1}], ids=str)
def test_tools_that_are_none_are_told(value: Any) -> None:
    with pytest.raises(TypeError):
        tools_of(value)


@pytest.mark.parametrize(
    ("roles", "answered"),
    [("ua", True), ("uaua", True), ("sua", True), ("u", False), ("a", False), ("sa", False), ("uau", False)],
)
def test_the_answer_that_ends_a_conversation_is_split_off(roles: str, answered: bool) -> None:
    names = {"u": "user", "a": "assistant", "s": "system"}
    turns = [{"role": names[role], "content": str(at)} for at, role in enumerate(roles)]
    before, answer = split_answer(turns)
    assert (before, answer) == ((turns[:-1], turns[-1]) if answered else (turns, None))


def test_a_call_of_a_tool_is_no_answer_to_keep() -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": None, "tool_calls": [CALL]}]
    assert split_answer(turns) == (turns, None)
