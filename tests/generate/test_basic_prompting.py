import asyncio

import pytest

from tasks.errors import Unusable
from tasks.generate.basic_prompting import BasicPrompting, basic_prompting, instruction_of
from tasks.models.scripted import ScriptedModel
from tests.rows import a_row, models_of


def test_a_topic_becomes_instructions() -> None:
    model = ScriptedModel(["Why does bread rise?", "How old is bread?"])
    row = a_row(topic="bread", response="stale")
    rows = asyncio.run(basic_prompting(row, models_of(model), BasicPrompting(instructions=2)))
    assert [(child["instruction"], child["response"]) for child in rows] == [
        ("Why does bread rise?", None),
        ("How old is bread?", None),
    ]
    assert "about bread" in (model.requests[0].messages or ())[0]["content"]


def test_an_ask_that_fails_is_a_loss_and_all_of_them_a_reject() -> None:
    row = a_row(topic="bread")
    models = models_of(["", "Why does bread rise?"], max_attempts=1)
    assert len(asyncio.run(basic_prompting(row, models, BasicPrompting(instructions=2)))) == 1
    assert [loss.reason for loss in row.losses] == ["empty"]
    row = a_row(topic="bread")
    with pytest.raises(Unusable):
        asyncio.run(basic_prompting(row, models_of(lambda _: "", max_attempts=1), BasicPrompting(instructions=2)))
    assert len(row.losses) == 1, "the last one is the reject"


@pytest.mark.parametrize(
    ("text", "instruction"),
    [
        ("Why does bread rise?", "Why does bread rise?"),
        ('"Why does bread rise?"', "Why does bread rise?"),
        ("1. Why does bread rise?", "Why does bread rise?"),
        ("**Question:** Why does bread rise?", "Why does bread rise?"),
        ("Sure! Here is a question about bread:\n\nWhy does bread rise?", "Why does bread rise?"),
        ("Sure!\nWhy does bread rise?", "Why does bread rise?"),
        ("Question about bread:\n\nWhy does bread rise?\n\nThis asks about chemistry.", "Why does bread rise?"),
        ("Sort these:\n- rye\n- wheat", "Sort these:\n- rye\n- wheat"),
    ],
    ids=range(8),
)
def test_the_instruction_is_cut_out_of_ugly_completions(text: str, instruction: str) -> None:
    assert instruction_of(text) == instruction


@pytest.mark.parametrize(("text", "reason"), [(" \n", "empty"), ("Sure!", "no_instruction"), ('""', "no_instruction")])
def test_no_instruction_is_unusable(text: str, reason: str) -> None:
    with pytest.raises(Unusable) as loss:
        instruction_of(text)
    assert loss.value.reason == reason
