"""Texts are compared in NFC, and sent and published as they were given."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.generate.self_instruct_instances import Instance, sifted
from tasks.text.instructions import blacklist_refusal, start_refusal
from tasks.text.words import word_count
from tests.flows.test_instruction_sft import Scripted, sft
from tests.seeds.test_own_columns import rows
from tests.seeds.test_seed_cases import rejects, said

ONE, TWO = "Où est le café ?", "Ou\u0300 est le cafe\u0301 ?"  # the same to a reader


@pytest.mark.parametrize("first", [ONE, TWO], ids=["composed first", "decomposed first"])
@pytest.mark.parametrize("conversation", [False, True], ids=["instruction", "conversation"])
def test_seeds_that_differ_in_their_form_alone_are_duplicates(
    first: str, conversation: bool, scripted: Scripted
) -> None:
    model = scripted(said)
    seeds: list[Any] = [first, ONE if first == TWO else TWO]
    if conversation:
        seeds = [{"messages": [{"role": "user", "content": text}]} for text in seeds]
    assert sft(recipe="respond", seeds=seeds)["requests"] == 1
    assert [reason for _, reason, _ in rejects()] == ["duplicate_seed"]
    sent = (model.requests[0].messages or ())[0]["content"]
    assert sent == first == rows()["messages"][0][0]["content"], "as it was given"


@pytest.mark.parametrize("earlier", [ONE, TWO], ids=["composed first", "decomposed first"])
def test_another_night_does_not_take_the_same_seed_in_another_form(earlier: str, scripted: Scripted) -> None:
    scripted(said)
    later = ONE if earlier == TWO else TWO
    sft(recipe="respond", seeds=[earlier], incremental=True)
    again = sft(recipe="respond", seeds=[later, "Autre ?"], incremental=True)
    assert (again["rows"], [row[0]["content"] for row in rows()["messages"]]) == (2, [earlier, "Autre ?"])
    if earlier == ONE:
        assert again["requests"] == 1, "it was told by its id; a seed that was not in NFC is told once it is answered"


def test_checks_of_a_language_see_one_letter() -> None:
    assert start_refusal("E\u0301cris.", ascii_only=True) is not None
    assert blacklist_refusal("un cafe\u0301 noir", ["caf\u00e9"]) is not None
    assert word_count("か\u3099") == word_count("が") == 1
    assert len(sifted([Instance(ONE, "a"), Instance(TWO, "a")], 5)[0]) == 1
    assert sifted([Instance(ONE, "a"), Instance(TWO, "b")], 5)[0] == []
