"""Turns of simulated speakers, as models write them: what is taken, and what is refused by reason."""

from typing import Any

import pytest

from tasks.errors import Unusable
from tasks.text.reading.simulated import assistants_turn, users_turn

TURNS: list[Any] = [
    {"role": "user", "content": "How do I keep basil alive in the kitchen?"},
    {"role": "assistant", "content": "Give it light, water it from below, and cut it above a pair of leaves."},
]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("And in winter?", "And in winter?", id="as asked"),
        pytest.param("User: And in winter?", "And in winter?", id="with its own label"),
        pytest.param("**User:** And in winter?", "And in winter?", id="bold"),
        pytest.param("用户：冬天呢？", "冬天呢？", id="Chinese label"),
        pytest.param('"And in winter?"', "And in winter?", id="in quotation marks"),
        pytest.param(
            'My gran says "no water" and "no sun"', 'My gran says "no water" and "no sun"', id="with quotes in it"
        ),
        pytest.param("Great, that will do. [END]", "Great, that will do.", id="an end behind a turn"),
        pytest.param("Why?", "Why?", id="one word"),
        pytest.param(
            "How do I keep mint alive in the kitchen?", "How do I keep mint alive in the kitchen?", id="of another"
        ),
        pytest.param(
            "Can you help my brother with his basil too?",
            "Can you help my brother with his basil too?",
            id="asks for help",
        ),
        pytest.param("[END]", None, id="the end"),
        pytest.param("END.", None, id="the end, loosely"),
    ],
)
def test_a_users_turn_is_read(text: str, said: str | None) -> None:
    assert users_turn(text, TURNS) == said


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "empty", id="empty"),
        pytest.param("User:", "empty", id="a label alone"),
        pytest.param("And in winter?\nAssistant: Keep it warm.", "answers_itself", id="answers itself"),
        pytest.param("冬天呢？\n助手：放在暖和的地方。", "answers_itself", id="answers itself in Chinese"),
        pytest.param("And in winter?\n\nUser: And in spring?", "answers_itself", id="two turns"),
        pytest.param("Assistant: Keep it warm.", "answers_itself", id="the assistant's turn"),
        pytest.param("How can I help you with your basil today?", "swapped_roles", id="greets"),
        pytest.param("As an AI I have no kitchen.", "swapped_roles", id="an AI"),
        pytest.param(
            "Give it light, water it from below, and cut it above a pair of leaves!", "swapped_roles", id="the answer"
        ),
        pytest.param("How do I keep my basil alive in the kitchen?", "repeats_turn", id="asks again"),
        pytest.param("word " * 201, "too_long", id="too long"),
    ],
)
def test_what_no_user_says_is_refused(text: str, reason: str) -> None:
    with pytest.raises(Unusable) as loss:
        users_turn(text, TURNS)
    assert loss.value.reason == reason


def test_a_conversation_does_not_end_before_it_begins() -> None:
    with pytest.raises(Unusable, match="ended"):
        users_turn("[END]", ())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("Keep it warm.\nUser: And in spring?\nAssistant: Cut it.", "answers_itself"),
        ("Keep it warm.\n\nHuman: Thanks!", "answers_itself"),
        ("How do I keep basil alive in the kitchen?", "swapped_roles"),
        (TURNS[1]["content"], "repeats_turn"),
    ],
)
def test_what_no_assistant_says_is_refused(text: str, reason: str) -> None:
    with pytest.raises(Unusable) as loss:
        assistants_turn(text, TURNS)
    assert loss.value.reason == reason
    assert assistants_turn(" Keep it warm.\n- light\n- water ", TURNS) == "Keep it warm.\n- light\n- water"
