from typing import Any

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from tasks.errors import Filtered
from tasks.text.responses import (
    by_digest,
    conversation_text,
    drawn_from,
    given,
    make_response,
    normalised,
    prompt_of,
    response_name,
)


def said(*turns: tuple[str, str]) -> list[dict[str, str]]:
    return [{"role": role, "content": content} for role, content in turns]


@pytest.mark.parametrize(
    ("row", "prompt"),
    [
        ({"instruction": "Soup?"}, said(("user", "Soup?"))),
        ({"instruction": "Soup?", "messages": None}, said(("user", "Soup?"))),
        (
            {"instruction": "x", "messages": said(("system", "Cook."), ("user", "Soup?"))},
            said(("system", "Cook."), ("user", "Soup?")),
        ),
        ({"messages": said(("user", "Soup?"), ("assistant", "Boil it."))}, said(("user", "Soup?"))),
    ],
    ids=["an instruction", "no messages", "messages go before the instruction", "an answered conversation"],
)
def test_a_prompt_ends_with_the_user(row: dict[str, Any], prompt: list[dict[str, str]]) -> None:
    assert prompt_of(row) == prompt


@pytest.mark.parametrize("row", [{}, {"instruction": ""}, {"messages": said(("assistant", "Hi"))}])
def test_without_a_users_turn_there_is_no_prompt(row: dict[str, Any]) -> None:
    with pytest.raises(Filtered, match="no_prompt"):
        prompt_of(row)


def test_one_turn_is_shown_bare_and_several_with_their_roles() -> None:
    assert conversation_text(prompt_of({"instruction": "Soup?"})) == "Soup?"
    assert (
        conversation_text(prompt_of({"messages": said(("system", "Cook."), ("user", "Soup?"))}))
        == "system: Cook.\nuser: Soup?"
    )


def test_given_responses_come_as_texts_structs_or_one_column() -> None:
    assert [r["text"] for r in given({"responses": ["a", {"text": "b"}, "", {"text": " "}, None]})] == ["a", "b"]
    [only] = given({"response": "a", "response_model": "m", "system": "Cook."})
    assert (only["text"], only["model"], only["principle"], only["origin"]) == ("a", "m", "Cook.", "given")
    turns = said(("user", "Soup?"), ("assistant", "a"))
    [last] = given({"messages": turns, "response_model": "m"})
    assert (last["text"], last["model"], last["origin"]) == ("a", "m", "given")
    assert [r["text"] for r in given({"messages": turns, "response": "b"})] == ["b"]
    assert given({"messages": turns[:1]}) == given({"response": ""}) == given({}) == given({"responses": None}) == []


def test_a_response_knows_only_its_own_fields() -> None:
    assert make_response("a", model=None, score=2.0, colour="red") == make_response("a") | {"score": 2.0}


@pytest.mark.parametrize(
    ("one", "other"),
    [("Yes.", "  yes.\n"), ("Straße", "STRASSE"), ("Ｙｅｓ", "yes"), ("a\u00a0b", "a b"), ("ﬁne", "fine")],
)
def test_texts_that_say_the_same_are_equal_after_normalisation(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(("one", "other"), [("Yes.", "Yes!"), ("ab", "a b"), ("résumé", "resume")])
def test_texts_that_differ_stay_apart(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)


@forall(st.lists(st.text(max_size=5), max_size=6), st.randoms())
def test_order_and_draws_come_from_the_texts_alone(texts: list[str], random: Any) -> None:
    responses = [make_response(text) for text in texts]
    shuffled = random.sample(responses, len(responses))
    assert by_digest(shuffled) == by_digest(responses)
    assert drawn_from(shuffled, 7, "x").random() == drawn_from(responses, 7, "x").random()
    assert drawn_from(responses, 7, "x").random() != drawn_from(responses, 8, "x").random()
    assert drawn_from(responses, 7, "x").random() != drawn_from(responses, 7, "y").random()


def test_any_text_has_a_name() -> None:
    assert response_name({"text": "lone surrogate \ud800"}) != response_name({"text": "lone surrogate \ud801"})
