"""Solutions of a problem: right ones are kept, wrong ones are told with their figure."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.engine.row import Row
from tasks.errors import ConfigError, Filtered, Unusable
from tasks.generate.rejection_sampling import RejectionSampling, rejection_sampling
from tasks.models.scripted import ScriptedModel
from tasks.text.prompts import Prompts
from tests.rows import a_row, models_of

FULL = Prompts("full", "en")
ELEVEN = {"instruction": "What is 5 plus 6?", "reference": "5 + 6 = <<5+6=11>>11\n#### 11"}


def solve(
    said: list[Any], columns: dict[str, Any] = ELEVEN, prompts: Prompts = FULL, **told: Any
) -> tuple[list[Row], Row, ScriptedModel]:
    model, row = ScriptedModel(said), a_row(**columns)
    models = models_of(model, max_attempts=1, prompts=prompts)
    params = RejectionSampling(samples=len(said), **told)
    return asyncio.run(rejection_sampling(row, models, params)), row, model


def test_the_shortest_right_solution_is_kept_and_wrong_ones_are_losses() -> None:
    rows, row, model = solve([r"Long way. \boxed{11}", r"\boxed{12}", r"Short. \boxed{11}", "It is 11."])
    assert [one["response"] for one in rows] == [r"Short. \boxed{11}"]
    assert (rows[0]["ground_truth"], rows[0]["verifier"], rows[0]["instruction"]) == (
        "11",
        "answer",
        ELEVEN["instruction"],
    )
    assert [(loss.reason, loss.detail) for loss in row.losses] == [
        ("wrong_answer", "found 12, right is 11"),
        ("no_final_answer", "no final answer is marked, right is 11"),
    ]
    assert [call.sample for call in rows[0].calls] == [2], "what is behind it is the sample that was kept"
    said = model.requests[0].messages
    assert said is not None and [turn["role"] for turn in said] == ["system", "user"]
    assert said[1]["content"].startswith(ELEVEN["instruction"]) and r"\boxed{}" in said[1]["content"]


def test_several_are_kept_where_they_are_worded_apart() -> None:
    rows, _, _ = solve([r"A. \boxed{11}", r"a.  \boxed{11}", r"Otherwise \boxed{11}"], solutions=3)
    assert [one["response"] for one in rows] == [r"A. \boxed{11}", r"Otherwise \boxed{11}"]
    assert len({one.row_id for one in rows}) == 2


def test_the_first_right_one_ends_the_asking() -> None:
    rows, _, model = solve([r"\boxed{12}", r"\boxed{11}", r"\boxed{11}"], prefer="first")
    assert (len(rows), len(model.requests)) == (1, 2)


def test_a_problem_that_nobody_solves_is_rejected_with_what_was_found() -> None:
    with pytest.raises(Filtered, match="wrong_answer: 0 of 3: found 12, right is 11; found 13, right is 11"):
        solve([r"\boxed{12}", r"\boxed{13}", r"\boxed{12}"])
    with pytest.raises(Unusable, match="no_solution: empty"):
        solve([" ", ""])
    with pytest.raises(Filtered, match="no_reference"):
        solve(["x"], {"instruction": "What is 5 plus 6?"})


def test_most_samples_say_what_is_right_where_nobody_knows_it() -> None:
    question = {"instruction": "How much is a half?"}
    rows, row, _ = solve([r"\boxed{0.5}", r"So \boxed{1/2}", r"\boxed{2}"], question, answers="majority")
    assert (rows[0]["ground_truth"], rows[0]["response"]) == ("0.5", r"\boxed{0.5}")
    assert [loss.detail for loss in row.losses] == ["found 2, right is 0.5"]
    with pytest.raises(Filtered, match="no_agreement: 1 say 1, 1 say 2, 50% of 2"):
        solve([r"\boxed{1}", r"\boxed{2}"], question, answers="majority")
    with pytest.raises(Filtered, match="no_agreement: 2 say 1, 1 say 2, 90% of 3"):
        solve([r"\boxed{1}", r"\boxed{2}", r"\boxed{1}"], question, answers="majority", min_agreement=0.9)


@pytest.mark.parametrize("answers", ["given", "either"])
def test_a_known_answer_is_stronger_than_a_majority(answers: str) -> None:
    rows, _, _ = solve([r"\boxed{12}", r"\boxed{12}", r"\boxed{11}"], answers=answers)
    assert rows[0]["ground_truth"] == "11"


def test_the_user_says_what_the_model_was_asked_where_that_is_wanted() -> None:
    rows, _, model = solve([r"\boxed{11}"], user_turn="asked")
    assert model.requests[0].messages is not None
    assert rows[0]["instruction"] == model.requests[0].messages[-1]["content"]
    talk = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 5 plus 6?"}]
    row = {**ELEVEN, "messages": talk}
    rows, _, model = solve([r"\boxed{11}"], row, user_turn="asked")
    assert list(model.requests[0].messages or ()) == rows[0]["messages"], "its own system prompt stays"


@pytest.mark.parametrize(
    ("language", "problem", "solution"),
    [
        ("vi", "Số tiền là bao nhiêu?", "Vậy đáp số: 1.234,5 đồng."),
        ("zh", "一共多少元？", "算得答案是一千二百三十四点五元。"),
        ("ja", "全部でいくらですか。", "よって、答えは１２３４．５円です。"),
    ],
)
def test_answers_are_found_in_other_languages(language: str, problem: str, solution: str) -> None:
    columns = {"instruction": problem, "reference": "1234.5"}
    rows, _, model = solve([solution], columns, Prompts("full", language))
    assert rows[0]["response"] == solution
    assert model.requests[0].messages is not None and problem in model.requests[0].messages[-1]["content"]


def test_what_cannot_work_is_told_before_anything_is_asked() -> None:
    with pytest.raises(ConfigError, match=r"a problem without an answer to check by: f\.jsonl: What is"):
        RejectionSampling().check_seed({"instruction": "What is 5 plus 6?"}, "f.jsonl")
    RejectionSampling(answers="either").check_seed({"instruction": "What is 5 plus 6?"}, "f.jsonl")
    for told in ({"prefer": "first", "answers": "majority"}, {"samples": 2, "solutions": 3}):
        with pytest.raises(ValidationError):
            RejectionSampling(**told)  # type: ignore[arg-type]


def test_a_lost_sample_is_a_loss_of_the_row() -> None:
    rows, row, _ = solve(["", r"\boxed{11}"])
    assert len(rows) == 1
    assert [loss.reason for loss in row.losses] == ["empty"]
