"""A template as messages: a system message and example turns before the user's."""

from __future__ import annotations

import pytest

from tasks.errors import ConfigError
from tasks.text.templates import inline, render


def block(name: str, text: str) -> str:
    return f"{{% block {name} %}}{text}{{% endblock %}}"


def roles(text: str, **variables: str) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in render(inline(text), variables)]


WHOLE = (
    block("user", "{{ a }}")
    + block("example_assistant_1", "B")
    + block("example_user_1", "A")
    + block("system", "S {{ a }}")
)


def test_blocks_are_messages_in_the_order_of_a_conversation() -> None:
    assert roles(WHOLE, a="x") == [("system", "S x"), ("user", "A"), ("assistant", "B"), ("user", "x")]


def test_examples_stand_in_the_order_of_their_numbers() -> None:
    text = "".join(
        block(f"example_{role}_{n}", f"{role}{n}") for n in range(11, 0, -1) for role in ("user", "assistant")
    )
    said = [content for _, content in roles(text + block("user", "{{ a }}"), a="x")]
    assert said == [f"{role}{n}" for n in range(1, 12) for role in ("user", "assistant")] + ["x"]


def test_a_block_within_a_message_is_part_of_it() -> None:
    assert roles(block("system", "A " + block("rubric", "B {{ a }}")) + block("user", "C"), a="x") == [
        ("system", "A B x"),
        ("user", "C"),
    ]


def test_an_empty_system_message_is_left_out() -> None:
    assert roles(block("system", " ") + block("user", "C")) == [("user", "C")]


@pytest.mark.parametrize(
    "names",
    [
        ("example_user_1",),
        ("example_user_1", "example_assistant_2"),
        ("example_user_0", "example_assistant_0"),
        ("example_1",),
    ],
)
def test_example_turns_that_are_no_pairs_are_a_mistake(names: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"no pairs: .*example_.*number them from 1"):
        roles("".join(block(name, "A") for name in names) + block("user", "C"))
