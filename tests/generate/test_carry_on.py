import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.engine.row import Row
from tasks.errors import ConfigError, Filtered, RowLoss, Unusable
from tasks.generate.talks.carry_on import CarryOn, carry_on
from tasks.generate.talks.small_talk import SmallTalk, small_talk
from tasks.models.base import Request
from tasks.models.scripted import ScriptedModel
from tasks.text.prompts import FULL, Prompts
from tests.rows import a_row, models_of

FULL_EN = Prompts(FULL, "en")


def asks_on(request: Request) -> str:
    return f"And what about number {request.seed % 100_000} of {request.seed % 7919}?"


def answers(request: Request) -> str:
    return f"It takes {request.seed % 100_000} minutes, {request.seed % 7919} at most."


def first(**more: Any) -> Row:
    return a_row(instruction="Soup?", response="Boil it.", response_model="m", system="", **more)


def run(
    row: Row, user: Any = asks_on, assistant: Any = answers, step: Any = carry_on, params: Any = None
) -> tuple[Row, ScriptedModel, ScriptedModel]:
    played, asked = ScriptedModel(user, name="user"), ScriptedModel(assistant, name="assistant")
    models = models_of([], prompts=FULL_EN, user_simulator=played, responder=asked)
    [child] = asyncio.run(step(row, models, params or CarryOn(turns=3, draw_turns=False)))
    return child, played, asked


def whole(row: Row) -> list[tuple[str, str]]:
    return [(turn["role"], turn["content"]) for turn in row["messages"]] + [("assistant", row["response"])]


def test_a_first_turn_is_carried_on_and_the_last_answer_stands_by_itself() -> None:
    row, user, assistant = run(first())
    talk = whole(row)
    assert [role for role, _ in talk] == ["user", "assistant"] * 3
    assert talk[:2] == [("user", "Soup?"), ("assistant", "Boil it.")] and row["instruction"] == talk[-2][1]
    assert (row["response_model"], row["stopped"]) == ("assistant", "turns")
    shown = [request.messages[-1]["content"] for request in user.requests if request.messages]
    assert "user: Soup?\nassistant: Boil it." in shown[0] and talk[3][1] in shown[1]
    assert [len(request.messages or ()) for request in assistant.requests] == [3, 5], "the turns themselves"
    assert all((request.messages or ())[-1]["role"] == "user" for request in assistant.requests)


def test_the_user_is_one_person_for_the_whole_conversation_and_another_in_another_row() -> None:
    people = set()
    for number in range(20):
        _, user, _ = run(first(number=number))
        [who] = {(request.messages or ())[-1]["content"].partition("\n")[0] for request in user.requests}
        people.add(who)
    assert len(people) > 10


def test_the_number_of_turns_is_drawn() -> None:
    params = CarryOn(turns=4, min_turns=2)
    found = Counter(len(run(first(number=n), params=params)[0]["messages"]) // 2 + 1 for n in range(40))
    assert set(found) == {2, 3, 4}


def test_the_user_may_end_it() -> None:
    row, _, _ = run(first(), ["And then?", "[END]"])
    assert (len(whole(row)), row["stopped"]) == (4, "ended")
    with pytest.raises(Filtered, match="few_turns"):
        run(first(), ["[END]"])
    row, _, _ = run(first(), ["[END]"], params=CarryOn(turns=3, min_turns=1, draw_turns=False))
    assert whole(row) == [("user", "Soup?"), ("assistant", "Boil it.")]


def test_it_ends_where_enough_was_said() -> None:
    params = CarryOn(turns=9, draw_turns=False, max_words=12)
    row, _, _ = run(first(), params=params)
    assert (row["stopped"], len(whole(row))) == ("words", 4)


@pytest.mark.parametrize("bad", ["", "And?\nAssistant: Yes.", "How can I help you today?", "Soup?"])
def test_a_turn_that_is_none_ends_the_conversation_where_it_stands(bad: str) -> None:
    said = iter(["And then?", bad, bad, bad])
    row_in = first()
    row, _, _ = run(row_in, lambda _: next(said))
    assert len(whole(row)) == 4 and [loss.reason for loss in row_in.losses] == [row["stopped"]]
    with pytest.raises(Unusable) as loss:
        run(first(), lambda _: bad)
    assert loss.value.attempts == 3


def test_an_answer_that_speaks_for_the_user_leaves_the_turn_out_that_nobody_answers() -> None:
    said = iter(["Ten minutes.", *["Yes.\nUser: And salt?"] * 3])
    row_in = first()
    row, _, _ = run(row_in, assistant=lambda _: next(said))
    assert [role for role, _ in whole(row)] == ["user", "assistant"] * 2
    assert [loss.reason for loss in row_in.losses] == ["answers_itself"] == [row["stopped"]]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.sampled_from(["Go on {}.", "[END]", "", "User: Hm {}?", "x\nAssistant: y", "Hm {}"]),
        min_size=20,
        max_size=20,
    ),
    st.integers(1, 5),
)
def test_whatever_is_said_the_roles_take_turns_and_the_assistant_has_the_last_word(said: list[str], turns: int) -> None:
    user, assistant = (
        iter(f"{one.format(n)}" for n, one in enumerate(said)),
        iter(f"{one.format(n)}" for n, one in enumerate(said[::-1])),
    )
    try:
        row, _, _ = run(
            first(),
            lambda _: next(user),
            lambda _: next(assistant),
            params=CarryOn(turns=turns, min_turns=1, draw_turns=False),
        )
    except RowLoss:
        return
    roles = [role for role, _ in whole(row)]
    assert roles == ["user", "assistant"] * (len(roles) // 2) and 2 <= len(roles) <= 2 * turns


def test_turns_of_tools_stay_whole() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "oven", "arguments": "{}"}}
    talk = [
        {"role": "user", "content": "Is it hot?"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "200 C", "tool_call_id": "c"},
    ]
    row, user, _ = run(a_row(messages=talk, response="Yes, 200 C.", response_model="m", system=""))
    assert row["messages"][:3] == talk and row["messages"][3] == {"role": "assistant", "content": "Yes, 200 C."}
    assert "assistant: oven({})\ntool: 200 C" in (user.requests[0].messages or ())[-1]["content"]


def test_marks_of_the_turns_that_were_there_stay() -> None:
    talk = [
        {"role": "user", "content": "Soup?"},
        {"role": "assistant", "content": "No.", "train": False},
        {"role": "user", "content": "Why?", "name": "ana"},
    ]
    row, _, assistant = run(a_row(messages=talk, response="So it is.", response_model="m", system=""))
    assert row["messages"][:3] == talk and len(row["messages"]) == 5
    assert (assistant.requests[0].messages or ())[1] == {"role": "assistant", "content": "No."}


def test_a_system_prompt_is_shown_to_the_assistant_and_not_to_the_user() -> None:
    row, user, assistant = run(a_row(instruction="Soup?", response="Boil it.", response_model="m", system="You cook."))
    assert row["system"] == "You cook." and all(turn["role"] != "system" for turn in row["messages"])
    assert all(
        (request.messages or ())[0] == {"role": "system", "content": "You cook."} for request in assistant.requests
    )
    assert "You cook." not in (user.requests[0].messages or ())[-1]["content"]


def test_small_talk_is_between_two_different_people() -> None:
    row, user, assistant = run(a_row(topic="the weather"), step=small_talk, params=SmallTalk(turns=2, draw_turns=False))
    mine, yours = row["personas"]
    assert mine != yours and yours in row["system"]
    opening, after = ((request.messages or ())[-1]["content"] for request in user.requests)
    assert "the weather" in opening and mine in opening and mine in after and yours not in after
    assert yours in (assistant.requests[0].messages or ())[0]["content"]
    assert [role for role, _ in whole(row)] == ["user", "assistant"] * 2
    hidden, _, _ = run(a_row(topic="x"), step=small_talk, params=SmallTalk(turns=2, show_speaker=False))
    assert hidden["system"] == "" and hidden["messages"][0]["role"] == "user"


def test_topics_come_in_turn_and_are_told_where_there_are_none() -> None:
    lists = FULL_EN.lists("small_talk")
    assert [row["topic"] for row in SmallTalk().blank_rows(lists)] == list(lists["topics"])
    assert SmallTalk(topics=("tea",)).blank_rows(lists) == [{"topic": "tea"}]
    with pytest.raises(ConfigError, match="none for small talk"):
        SmallTalk(topics=("tea",)).blank_rows(Prompts().lists("small_talk"))
