import asyncio
from collections import Counter
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.engine.row import Row
from tasks.errors import ConfigError, Filtered, RowLoss, Unusable
from tasks.generate.text_generation import TextGeneration, text_generation
from tasks.models.base import Completion, Request
from tasks.models.scripted import ScriptedModel
from tests.rows import a_row, models_of

TALK = [
    {"role": "user", "content": "Name a fruit."},
    {"role": "assistant", "content": "Plum."},
    {"role": "user", "content": "Another."},
]


def run(row: Row, answers: Any, **params: Any) -> list[Row]:
    return asyncio.run(text_generation(row, models_of(answers), TextGeneration(**params)))


def asked(row: Row, **params: Any) -> list[Any]:
    model = ScriptedModel(lambda _: "fine")
    run(row, model, **params)
    return [list(request.messages or ()) for request in model.requests]


def test_an_instruction_gets_its_response_and_who_wrote_it() -> None:
    [row] = run(a_row(instruction="2+2?"), ScriptedModel([" Four.\n"], name="m"))
    assert (row["instruction"], row["response"], row["response_model"], row["system"]) == ("2+2?", "Four.", "m", "")


def test_an_empty_answer_is_asked_for_again() -> None:
    [row] = run(a_row(instruction="2+2?"), ["", " ", "Four."])
    assert row["response"] == "Four."


def test_only_empty_answers_are_a_reject() -> None:
    with pytest.raises(Unusable) as loss:
        run(a_row(instruction="2+2?"), ["", " ", "\n"])
    assert (loss.value.reason, loss.value.attempts) == ("empty", 3)


def test_a_truncated_completion_is_rejected() -> None:
    with pytest.raises(Unusable) as loss:
        run(a_row(instruction="2+2?"), [Completion("Fo", "length", 1, 1)])
    assert loss.value.reason == "truncated"


def test_several_generations_are_several_rows_with_seeds_of_their_own() -> None:
    model = ScriptedModel(["one", "two", "three"])
    rows = run(a_row(instruction="Say a number."), model, generations=3)
    assert [row["response"] for row in rows] == ["one", "two", "three"]
    assert len({row.row_id for row in rows}) == len({request.seed for request in model.requests}) == 3


def test_the_system_prompt_is_said_first_and_kept() -> None:
    [messages] = asked(a_row(instruction="Hi"), system="Be brief.")
    assert messages == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    [row] = run(a_row(instruction="Hi"), ["ok"], system="Be brief.")
    assert row["system"] == "Be brief."


def test_the_row_s_own_system_prompt_is_used_unless_one_is_set() -> None:
    row = a_row(instruction="Hi", system="Speak as a cook.")
    assert asked(row)[0][0]["content"] == "Speak as a cook."
    assert asked(row, system="Be brief.")[0][0]["content"] == "Be brief."


def test_trap_weights_of_system_prompts_need_not_sum_to_one() -> None:
    systems = {"a": 3.0, "b": 1.0, "c": 0.0}
    drawn = Counter(asked(a_row(instruction=f"{n}"), systems=systems)[0][0]["content"] for n in range(400))
    assert set(drawn) == {"a", "b"}
    assert 240 < drawn["a"] < 360


def test_each_generation_draws_its_own_system_prompt() -> None:
    rows = run(a_row(instruction="Hi"), lambda _: "ok", systems={"a": 1, "b": 1}, generations=16)
    assert {row["system"] for row in rows} == {"a", "b"}


@pytest.mark.parametrize("systems", [{"a": -1.0}, {"a": 0.0}, {"a": float("nan")}, {"a": float("inf")}], ids=str)
def test_weights_that_mean_nothing_are_refused(systems: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="weight"):
        TextGeneration(systems=systems)


def test_a_conversation_is_continued_and_kept() -> None:
    row = a_row(messages=TALK)
    assert asked(row) == [TALK]
    [child] = run(row, ["Pear."])
    assert (child["instruction"], child["response"], child["messages"]) == ("Another.", "Pear.", TALK)


def test_a_system_message_of_the_conversation_stays_unless_one_is_set() -> None:
    row = a_row(messages=[{"role": "system", "content": "own"}, *TALK])
    assert asked(row)[0][0]["content"] == "own"
    [child] = run(row, ["ok"])
    assert child["system"] == "own"
    [messages] = asked(row, system="set")
    assert [m["content"] for m in messages if m["role"] == "system"] == ["set"]


def test_a_template_makes_the_user_s_message_of_any_columns() -> None:
    row = a_row(text="Bread rises.", language="French", messages=TALK)
    template = "Translate into {{ language }}: {{ text }}"
    assert asked(row, template=template) == [[{"role": "user", "content": "Translate into French: Bread rises."}]]
    [child] = run(row, ["Le pain lève."], template=template)
    assert child["instruction"] == "Translate into French: Bread rises."
    assert child["messages"] is None, "the answer is to the template's message, not to the conversation"


def test_a_template_may_have_a_system_block() -> None:
    template = "{% block system %}Be {{ mood }}.{% endblock %}{% block user %}Hi{% endblock %}"
    [messages] = asked(a_row(mood="kind"), template=template)
    assert [m["content"] for m in messages] == ["Be kind.", "Hi"]


def test_a_template_with_an_unknown_column_is_the_user_s_mistake() -> None:
    with pytest.raises(ConfigError, match="nope"):
        run(a_row(instruction="Hi"), ["ok"], template="{{ nope }}")


def test_a_response_that_is_there_is_not_paid_for_again() -> None:
    model = ScriptedModel([])
    [row] = run(a_row(instruction="Hi", response="Hello.", response_model="m", system="s"), model)
    assert (row["response"], row["response_model"], row["system"], model.requests) == ("Hello.", "m", "s", [])
    [row] = run(a_row(instruction="Hi", response="Hello."), model)
    assert (row["response_model"], row["system"]) == ("", "")
    [row] = run(a_row(instruction="Hi", response="Hello."), ["Hey."], keep_responses=False)
    assert row["response"] == "Hey."


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        pytest.param({"messages": TALK[:2]}, "already_answered", id="the assistant spoke last"),
        pytest.param({"instruction": "  "}, "no_instruction", id="blank"),
        pytest.param({"instruction": None}, "no_instruction", id="null"),
        pytest.param({"topic": "x"}, "no_instruction", id="no column"),
        pytest.param({"messages": [{"role": "user", "content": None}]}, "no_instruction", id="null content"),
    ],
)
def test_a_row_with_nothing_to_answer_is_filtered(columns: dict[str, Any], reason: str) -> None:
    with pytest.raises(Filtered) as loss:
        run(a_row(**columns), ["ok"])
    assert isinstance(loss.value, RowLoss) and loss.value.reason == reason


def test_the_responder_answers_where_there_is_one() -> None:
    def refuse(request: Request) -> str:
        raise AssertionError("the generator was asked")

    models = models_of(refuse, responder=ScriptedModel(["ok"], name="r"))
    [row] = asyncio.run(text_generation(a_row(instruction="Hi"), models, TextGeneration()))
    assert row["response_model"] == "r"
