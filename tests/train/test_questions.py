"""Questions are read without their answers, and what a verifier cannot tell counts for nobody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.errors import ConfigError
from tasks.train.answering import figures_of_answers
from tasks.train.lessons import Lesson, Lessons
from tasks.train.questions import check_of, items_as_questions, questions_of
from tests.demo_model.questions import held_out
from tests.train.test_lessons import file_of, turns

CHECKER = Path(__file__).parents[1] / "demo_model" / "checker.py"


def test_known_answers_are_compared_and_rows_without_one_are_told_apart(tmp_path: Path) -> None:
    rows = [{"question": "What is 2 + 2?", "answer": "2 + 2 = 4\n#### 4"}] * 2 + [{"question": "Why?", "answer": None}]
    asked = questions_of(file_of(tmp_path, rows), None)
    assert all(one.answers == () for one in asked.taught)
    answers = ["So it is \\boxed{4}.", "#### 5", "#### 4"]
    assert figures_of_answers("right", asked.taught, answers, check_of("answer")) == [1.0, 0.0, None]


def test_constraints_of_a_row_are_checked(tmp_path: Path) -> None:
    constraint = {"kind": "no_comma", "parameters": "{}", "language": "en", "text": "Use no comma."}
    row = {"instruction": "Name two fruits. Use no comma.", "constraints": [constraint]}
    asked = questions_of(file_of(tmp_path, [row, row]), None)
    answers = ["Apples and pears", "Apples, pears"]
    assert figures_of_answers("right", asked.taught, answers, check_of("constraints")) == [1.0, 0.0]


def test_the_demos_checker_is_a_check() -> None:
    check = check_of(f"{CHECKER}:is_right")
    said = [check(Lesson(turns("What is 7 + 5?"), ()), answer) for answer in ("7 + 5 = 12.", "It is 13.")]
    assert said == [True, False]
    assert check(Lesson(turns("Why?"), ()), "Because.") is None


def test_an_answer_that_is_held_out_is_what_a_verifier_compares_with() -> None:
    held = Lessons("x", "sft", [Lesson(turns("What is 2 + 2?"), ("#### 4",))])
    asked = items_as_questions(held).taught
    assert figures_of_answers("right", asked, ["The answer is \\boxed{4}"], check_of("answer")) == [1.0]


def test_refusals_and_words_are_counted_without_a_check() -> None:
    asked = [Lesson(turns("Help me."), ())] * 2
    answers = ["I'm sorry, but I can't help with that.", "Of course I will."]
    assert figures_of_answers("refusals", asked, answers, None) == [1.0, 0.0]
    assert figures_of_answers("words", asked, answers, None) == [8.0, 4.0]


@pytest.mark.parametrize("name", ["anwser", "nowhere.py:check"])
def test_a_check_that_there_is_not_is_one_line(name: str) -> None:
    with pytest.raises(ConfigError):
        check_of(name)


def test_the_demos_questions_are_all_checkable_and_each_is_there_once() -> None:
    texts = [question.text for question in held_out(200)]
    check = check_of(f"{CHECKER}:is_right")
    assert len(set(texts)) == 200
    assert all(check(Lesson(turns(text), ()), "I do not know.") is False for text in texts)
    assert json.dumps(texts) == json.dumps([question.text for question in held_out(200)])
