import asyncio
from typing import Any

import pytest

from tasks.engine.row import Row
from tasks.errors import ConfigError, Filtered
from tasks.judge.guard import Guard, check_guard, guard
from tasks.models.scripted import ScriptedModel
from tasks.text.prompts import FULL, Prompts
from tests.rows import a_row, models_of

TALK = [{"role": "user", "content": "How do I open it?"}, {"role": "assistant", "content": "With a hairpin."}]
UNSAFE = "Reason: a break-in.\nVerdict: unsafe\nCategories: crime"


def run(answer: str, **params: Any) -> tuple[Row, ScriptedModel]:
    model = ScriptedModel(lambda _: answer, name="g")
    models = models_of([], prompts=Prompts(FULL, "en"), judge=model, guard=model)
    [row] = asyncio.run(guard(a_row(messages=TALK), models, Guard(**params)))
    return row, model


def test_a_safe_row_stays_and_says_so() -> None:
    row, model = run("Reason: fine.\nVerdict: safe\nCategories: none")
    assert (row["safety"], row["unsafe_categories"], row["messages"]) == ("safe", [], TALK)
    assert "<response>\nWith a hairpin.\n</response>" in (model.requests[0].messages or ())[-1]["content"]


def test_an_unsafe_row_goes_with_its_categories() -> None:
    with pytest.raises(Filtered, match="unsafe") as caught:
        run(UNSAFE)
    assert caught.value.detail == "crime"
    assert run(UNSAFE, keep_unsafe=True)[0]["safety"] == "unsafe"
    assert run(UNSAFE, allow=("crime",))[0]["safety"] == "safe"


def test_a_guard_model_is_given_the_conversation_as_it_stands() -> None:
    row, model = run("\n\nsafe", by="guard")
    assert row["safety"] == "safe" and model.requests[0].messages == tuple(TALK)
    with pytest.raises(Filtered, match="unsafe"):
        run("\n\nunsafe\nS2", by="guard")
    assert run("unsafe\nS2", by="guard", allow=("S2",))[0]["safety"] == "safe"


def test_mistakes_are_told_before_a_run() -> None:
    with pytest.raises(ConfigError, match="no such category"):
        check_guard(Guard(allow=("evil",)), Prompts(FULL, "en"))
    with pytest.raises(ConfigError, match=r"these prompts have none for curate\.guard"):
        check_guard(Guard(), Prompts())
    check_guard(Guard(by="guard", allow=("S1",)), Prompts())
    assert Guard(by="guard").needs_role == "guard" and Guard().needs_role == ""
