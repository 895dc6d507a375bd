"""What a student is taught is what its lessons say: tools and calls too, whichever lesson comes first."""

from __future__ import annotations

from typing import Any

from tasks.train.lessons import Lesson, LessonKind, Lessons
from tasks.train.student import training_rows

WEATHER = {"name": "weather", "parameters": {"properties": {"town": {"type": "string"}}, "required": ["town"]}}
SUM = {"name": "add", "parameters": {"properties": {"a": {"type": "number"}, "b": {"type": "number"}}}}
CALL = {"type": "function", "function": {"name": "add", "arguments": {"a": 1, "b": 2.5}}}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def answer(text: str) -> list[dict[str, Any]]:
    return [{"role": "assistant", "content": text}]


def lessons(kind: LessonKind, *taught: Lesson) -> Lessons:
    return Lessons("lessons", kind, taught)


def test_tools_and_calls_come_as_they_are_though_the_first_lesson_has_none() -> None:
    called = [
        user("1 + 2.5?"),
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "content": "3.5"},
    ]
    taught = [
        Lesson([user("12")], ("null",)),
        Lesson(called, ("It is 3.5.",), [SUM]),
        Lesson([user("true")], ("[]",), [WEATHER]),
    ]
    assert list(training_rows(lessons("sft", *taught))) == [
        {"prompt": [user("12")], "completion": answer("null"), "tools": None},
        {"prompt": called, "completion": answer("It is 3.5."), "tools": [SUM]},
        {"prompt": [user("true")], "completion": answer("[]"), "tools": [WEATHER]},
    ]


def test_pairs_have_both_sides_and_no_column_of_tools_where_none_has_any() -> None:
    (row,) = training_rows(lessons("dpo", Lesson([user("Well?")], ("Yes.", "No."))))
    assert row == {"prompt": [user("Well?")], "chosen": answer("Yes."), "rejected": answer("No.")}
