"""How often a student gets a problem right, and which problems stay by that."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tasks.curate.pass_rate import PassRate, check_pass_rate, pass_rate
from tasks.engine.row import Row
from tasks.errors import ConfigError, Filtered
from tasks.models.scripted import ScriptedModel
from tasks.text.prompts import Prompts
from tests.rows import a_row, models_of

FULL = Prompts("full", "en")
RIGHT, WRONG = r"\boxed{11}", r"\boxed{12}"
PROBLEM: dict[str, Any] = {"instruction": "What is 5 plus 6?", "response": "11", "ground_truth": "11"}


def tried(answers: list[str], columns: dict[str, Any] = PROBLEM, **told: Any) -> tuple[Row, Row, ScriptedModel]:
    student, row = ScriptedModel(answers), a_row(**columns)
    models = models_of(["never asked"], max_attempts=1, prompts=FULL, student=student)
    [kept] = asyncio.run(pass_rate(row, models, PassRate(samples=len(answers), **told)))
    return kept, row, student


def test_a_row_stays_with_the_share_of_answers_that_pass() -> None:
    kept, row, student = tried([RIGHT, WRONG, "", "no mark 11"])
    assert (kept["pass_rate"], kept["ground_truth"], kept["verifier"]) == (0.25, "11", "answer")
    assert kept.row_id == row.row_id
    assert [loss.reason for loss in row.losses] == ["empty"]
    assert student.requests[0].messages is not None
    assert [turn["role"] for turn in student.requests[0].messages] == ["user"], "a student has no help"


@pytest.mark.parametrize(
    ("answers", "told", "why"),
    [
        ([WRONG, WRONG], {}, "too_hard: 0 of 2 answers pass"),
        ([RIGHT, RIGHT], {}, "too_easy: 2 of 2 answers pass"),
        ([RIGHT, WRONG, WRONG, WRONG], {"above": 0.25}, "too_hard: 1 of 4 answers pass, more than 25%"),
        ([RIGHT, WRONG], {"below": 0.5}, "too_easy: 1 of 2 answers pass, fewer than 50%"),
    ],
)
def test_what_teaches_nothing_goes_with_its_figure(answers: list[str], told: dict[str, Any], why: str) -> None:
    with pytest.raises(Filtered, match=why):
        tried(answers, **told)


@pytest.mark.parametrize(("answers", "rate"), [([RIGHT, RIGHT], 1.0), ([WRONG, WRONG], 0.0)])
def test_without_bounds_all_stay(answers: list[str], rate: float) -> None:
    assert tried(answers, above=None, below=None)[0]["pass_rate"] == rate


def test_a_row_without_a_known_answer_or_with_another_verifier_goes_unasked() -> None:
    with pytest.raises(Filtered, match="no_reference"):
        tried([RIGHT], {"instruction": "What is 5 plus 6?"})
    with pytest.raises(Filtered, match="no_verifier"):
        tried([RIGHT], {**PROBLEM, "verifier": "mine"})
    with pytest.raises(Filtered, match="no_tests"):
        tried([RIGHT], {**PROBLEM, "verifier": "tests"})
    kept, _, _ = tried([RIGHT, WRONG], {"instruction": "What is 5 plus 6?", "reference": "Sum.\n#### 11"})
    assert kept["ground_truth"] == "11"


def test_a_problem_that_says_how_to_mark_the_answer_is_not_told_twice() -> None:
    _, _, student = tried([RIGHT, WRONG])
    assert student.requests[0].messages is not None
    asked = student.requests[0].messages[-1]["content"]
    _, _, again = tried([RIGHT, WRONG], {**PROBLEM, "instruction": asked})
    assert again.requests[0].messages is not None
    assert again.requests[0].messages[-1]["content"] == asked
    _, _, plain = tried([RIGHT, WRONG], mark=False)
    assert plain.requests[0].messages is not None
    assert plain.requests[0].messages[-1]["content"] == PROBLEM["instruction"]


def test_bounds_that_leave_nothing_and_prompts_without_problems_are_told() -> None:
    with pytest.raises(ConfigError, match="no pass rate is between"):
        check_pass_rate(PassRate(above=0.5, below=0.5), FULL)
    with pytest.raises(ConfigError, match="prompt_set=full"):
        check_pass_rate(PassRate(), Prompts())


def test_answers_are_tried_by_unit_tests_and_by_constraints_too() -> None:
    tests = json.dumps(["assert add(1, 2) == 3"])
    task = {"instruction": "Write add.", "ground_truth": tests, "verifier": "tests"}
    good, bad = "```python\ndef add(a, b):\n    return a + b\n```", "```python\ndef add(a, b):\n    return a\n```"
    kept, _, student = tried([good, bad], task)
    assert (kept["pass_rate"], kept["ground_truth"], kept["verifier"]) == (0.5, tests, "tests")
    assert student.requests[0].messages == ({"role": "user", "content": "Write add."},), "nothing is said of a box"
    constraint = {"kind": "no_comma", "parameters": "{}", "language": "en", "text": "Use no comma."}
    kept, _, _ = tried(["One two.", "One, two."], {"instruction": "Count. Use no comma.", "constraints": [constraint]})
    assert (kept["pass_rate"], kept["verifier"]) == (0.5, "constraints")
