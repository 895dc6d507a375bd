"""Each answer that is trained on is a lesson; what is measured by is never taught; controls have as much to learn from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import ConfigError
from tasks.models.target import open_target
from tasks.train.arms import ArmsAsked, arms_of, shuffled
from tasks.train.contaminated import unseen
from tasks.train.lessons import Lesson, Lessons, lessons_of


def file_of(folder: Path, rows: list[dict[str, Any]], name: str = "rows.jsonl") -> str:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(folder / name)


def turns(*said: str) -> list[dict[str, Any]]:
    return [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(said)]


def talks(count: int) -> list[dict[str, Any]]:
    return [{"messages": turns(f"What is {n} times three?", f"It is {3 * n}.")} for n in range(count)]


def test_each_answer_of_a_conversation_is_a_lesson_but_those_marked_not_to_be(tmp_path: Path) -> None:
    said = turns("a", "1", "b", "2", "c", "3")
    said[3]["train"] = False
    taught = lessons_of(file_of(tmp_path, [{"messages": said}]), None).taught
    assert [(len(one.prompt), one.answers) for one in taught] == [(1, ("1",)), (5, ("3",))]
    assert all("train" not in turn for one in taught for turn in one.prompt)
    assert {one.asked for one in taught} == {"a"}


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "a", "completion": "1"},
        {"prompt": turns("a"), "completion": [{"role": "assistant", "content": "1"}]},
        {"messages": turns("a", "1")},
        {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "1"}]},
    ],
)
def test_all_shapes_of_answers_teach_the_same(row: dict[str, Any], tmp_path: Path) -> None:
    (one,) = lessons_of(file_of(tmp_path, [row]), None).taught
    assert (one.prompt, one.answers) == (turns("a"), ("1",))


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "a", "chosen": "1", "rejected": "2"},
        {"chosen": turns("a", "1"), "rejected": turns("a", "2")},
    ],
)
def test_all_shapes_of_pairs_teach_the_same(row: dict[str, Any], tmp_path: Path) -> None:
    lessons = lessons_of(file_of(tmp_path, [row]), None)
    assert lessons.kind == "dpo"
    assert (lessons.taught[0].prompt, lessons.taught[0].answers) == (turns("a"), ("1", "2"))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"text": "once"}, "not taught this kind"),
        ({"messages": turns("a")}, "nothing to teach"),
        ({"x": 1}, "no columns"),
    ],
)
def test_what_teaches_nothing_is_one_line(row: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        lessons_of(file_of(tmp_path, [row]), None)


def test_one_prompt_never_stands_on_both_sides_and_order_moves_nobody(tmp_path: Path) -> None:
    rows = talks(200) + [{"messages": turns(f"What is {n} times three?", "Sorry?")} for n in range(200)]
    ours = lessons_of(file_of(tmp_path, rows), None)
    taught, items = ours.held_out(0.2)
    assert 40 < len(items.taught) < 120
    assert not {one.asked for one in taught.taught} & {one.asked for one in items.taught}
    back, _ = lessons_of(file_of(tmp_path, rows[::-1]), None).held_out(0.2)
    assert {one.key for one in back.taught} == {one.key for one in taught.taught}


def test_shuffled_answers_are_the_same_answers_and_nobody_keeps_its_own(tmp_path: Path) -> None:
    ours = lessons_of(file_of(tmp_path, talks(50)), None)
    theirs = shuffled(ours, 3)
    assert sorted(one.answers for one in theirs.taught) == sorted(one.answers for one in ours.taught)
    assert [one.prompt for one in theirs.taught] == [one.prompt for one in ours.taught]
    assert not any(a.answers == b.answers for a, b in zip(ours.taught, theirs.taught, strict=True))


def test_half_of_the_pairs_are_swapped() -> None:
    pairs = Lessons("p", "dpo", [Lesson(turns(str(n)), ("good", "bad")) for n in range(200)])
    swapped = [one.answers == ("bad", "good") for one in shuffled(pairs, 0).taught]
    assert 70 < sum(swapped) < 130


def test_every_student_has_as_many_tokens_to_learn_from(tmp_path: Path) -> None:
    target = open_target("demo")
    ours = lessons_of(file_of(tmp_path, talks(60)), None)
    longer = [{"messages": turns(f"Why {n}?", "Since it is so. " * 8)} for n in range(60)]
    other = lessons_of(file_of(tmp_path, longer, "other.jsonl"), None)
    arms = {arm.name: arm.lessons for arm in arms_of(ours, ArmsAsked([other]), 40, target, 0)}
    assert list(arms) == ["base", "dataset", "shuffled", "other.jsonl"]
    assert arms["base"] is None
    lengths = {
        name: sum(len(one.ids) for one in target.tokens([lesson.answers[0] for lesson in lessons.taught]))
        for name, lessons in arms.items()
        if lessons
    }
    assert lengths["shuffled"] == lengths["dataset"]
    assert lengths["other.jsonl"] == pytest.approx(lengths["dataset"], rel=0.15)
    assert len(arms["other.jsonl"].taught) < 40  # type: ignore[union-attr]


def test_items_that_were_taught_are_found_however_they_are_written() -> None:
    asked = [f"Which of the {n} jars in the still-room holds the quince vinegar of last autumn?" for n in range(4)]
    items = [Lesson(turns(text), ("one",)) for text in asked]
    taught = [
        Lesson(turns(asked[0]), ("two",)),
        Lesson(turns(f"Hello. {asked[1].upper()} Thanks!"), ("two",)),
        Lesson(turns("Write a question."), (asked[2],)),
    ]
    assert unseen(items, [taught]) == [items[3]]
