import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.engine.row import Row
from tasks.errors import ConfigError, Filtered, Unusable
from tasks.generate.strong_weak import StrongWeak, strong_weak
from tasks.models.config import ModelConfig
from tasks.models.scripted import ScriptedModel
from tests.rows import a_row, models_of

TALK = [
    {"role": "user", "content": "Soup?"},
    {"role": "assistant", "content": "Boil it."},
    {"role": "user", "content": "How long?"},
]
ENDS_WITH_4 = """
from tasks.errors import Filtered
from tasks.verify.verifier import Verification

def ends_with_4(row, answer):
    if "sum" not in row["instruction"]:
        raise Filtered("nothing_to_verify")
    return Verification(answer.endswith("4"), answer[-1:])
"""


def run(row: Row, strong: Any, weak: Any, **params: Any) -> tuple[list[tuple[str, str, str]], list[ScriptedModel]]:
    both = [ScriptedModel(strong, name="big"), ScriptedModel(weak, name="small")]
    models = models_of([], strong=both[:1], weak=both[1:])
    [child] = asyncio.run(strong_weak(row, models, StrongWeak(**params)))
    return [(one["origin"], one["model"], one["text"]) for one in child["responses"]], both


def test_both_models_answer_the_last_turn_of_the_same_conversation() -> None:
    said, both = run(a_row(messages=TALK), ["An hour."], ["Long."])
    assert said == [("strong", "big", "An hour."), ("weak", "small", "Long.")]
    assert [model.requests[0].messages for model in both] == [tuple(TALK)] * 2


def test_a_given_answer_is_the_strong_one_where_it_is_kept() -> None:
    answered = [*TALK, {"role": "assistant", "content": "An hour."}]
    said, [big, _] = run(a_row(messages=answered, response_model="teacher"), [], ["Long."], keep_responses=True)
    assert said == [("strong", "teacher", "An hour."), ("weak", "small", "Long.")] and not big.requests


def test_without_one_of_the_two_there_is_no_pool() -> None:
    with pytest.raises(Unusable, match="one_response"):
        run(a_row(instruction="Soup?"), ["Boil it."], lambda _: "")


@pytest.mark.parametrize(
    ("strong", "weak", "stays"),
    [("4", "5", True), ("4", "It is 4", True), ("5", "6", True), ("5", "4", False)],
    ids=["right against wrong", "both right", "both wrong", "wrong against right"],
)
def test_a_weak_answer_that_is_right_where_the_strong_one_is_wrong_makes_no_pair(
    strong: str, weak: str, stays: bool, tmp_path: Path
) -> None:
    (tmp_path / "own.py").write_text(ENDS_WITH_4)
    verifier = f"{tmp_path}/own.py:ends_with_4"
    if stays:
        assert len(run(a_row(instruction="The sum?"), [strong], [weak], verifier=verifier)[0]) == 2
        return
    with pytest.raises(Filtered, match="weak_passes"):
        run(a_row(instruction="The sum?"), [strong], [weak], verifier=verifier)


def test_a_row_without_anything_to_verify_by_stays_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(ENDS_WITH_4)
    row = a_row(instruction="Soup?")
    run(row, ["5"], ["4"], verifier=f"{tmp_path}/own.py:ends_with_4")
    assert [loss.reason for loss in row.losses] == ["nothing_to_verify"]


def test_mistakes_are_told_before_a_run() -> None:
    one, other = ModelConfig(name="demo"), ModelConfig(name="small@http://localhost:1/v1")
    with pytest.raises(ConfigError, match="are the same"):
        StrongWeak().check_models({"generator": (one,), "weak": (one,)})
    StrongWeak().check_models({"generator": (one,), "weak": (other,)})
    with pytest.raises((ConfigError, ValidationError), match="no such verifier"):
        StrongWeak(verifier="nope")
