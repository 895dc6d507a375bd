"""Techniques `constraints` and `verified_generation` on one row, with a scripted model."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tasks.engine.row import Row
from tasks.errors import Filtered, Unusable
from tasks.generate.constraints import Constraints, constraints
from tasks.generate.verified_generation import VerifiedGeneration, verified_generation
from tasks.models.base import Request
from tasks.models.scripted import Rule
from tasks.text.prompts import FULL, Prompts
from tests.rows import a_row, models_of

EN = Prompts(FULL, "en")
NO_COMMA = {"kind": "no_comma", "parameters": "{}", "language": "en", "text": "Do not use any commas."}


def constrain(row: Row, answers: Rule | list[Any] = (), prompts: Prompts = EN, **told: Any) -> Row:  # type: ignore[assignment]
    [made] = asyncio.run(constraints(row, models_of(answers or [], prompts=prompts), Constraints(**told)))
    return made


def answer(row: Row, answers: Rule | list[Any], **told: Any) -> Row:
    [made] = asyncio.run(verified_generation(row, models_of(answers, prompts=EN), VerifiedGeneration(**told)))
    return made


def test_constraints_are_joined_with_the_last_turn_of_a_conversation() -> None:
    turns = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}]
    talk = [*turns, {"role": "user", "content": "Tell me a joke."}]
    made = constrain(a_row(instruction="Tell me a joke.", messages=talk), kinds=("no_comma",))
    assert made["plain_instruction"] == "Tell me a joke."
    assert [one["kind"] for one in made["constraints"]] == ["no_comma"]
    assert made["messages"][:2] == turns
    assert made["messages"][2]["content"] == made["instruction"]
    assert sorted(made["instruction"].split("\n\n")) == ["Do not use any commas.", "Tell me a joke."]


def test_an_answer_to_the_instruction_without_constraints_is_dropped() -> None:
    made = constrain(a_row(instruction="Tell me a joke.", response="Knock, knock."), kinds=("no_comma",))
    assert made["response"] is None


def test_a_row_that_has_constraints_keeps_them() -> None:
    row = a_row(instruction="Say it without commas.", constraints=[NO_COMMA], plain_instruction="Say it.")
    kept = constrain(row)
    assert (kept["instruction"], kept["constraints"], kept["plain_instruction"]) == tuple(
        row[name] for name in ("instruction", "constraints", "plain_instruction")
    )
    assert constrain(row, keep_constraints=False)["plain_instruction"] == "Say it without commas."


def test_a_model_works_the_constraints_in_and_may_lose_none() -> None:
    asked: list[Request] = []

    def rewriting(request: Request) -> str:
        asked.append(request)
        return (
            "Tell me a joke of many words."
            if len(asked) == 1
            else "Tell me a joke and end it with P.S. or P.P.S. later."
        )

    made = constrain(a_row(instruction="Tell me a joke."), rewriting, join="model", kinds=("postscript",))
    assert len(asked) == 2
    assert made["instruction"].startswith("Tell me a joke and")
    assert "Tell me a joke." in str(asked[0].messages)
    assert made["constraints"][0]["text"] in str(asked[0].messages)
    with pytest.raises(Unusable, match="constraint_lost"):
        constrain(a_row(instruction="Tell me a joke."), lambda _: "Joke.", join="model", kinds=("postscript",))


def test_no_model_says_the_request_that_is_to_be_repeated_in_other_words() -> None:
    assert "repeat_prompt" not in {kind.name for kind in Constraints(join="model").kinds_in("en")}
    assert "repeat_prompt" in {kind.name for kind in Constraints().kinds_in("en")}


@pytest.mark.parametrize("language", ["en", "vi", "zh", "ja"])
def test_constraints_are_said_in_the_language_of_the_prompts(language: str) -> None:
    made = constrain(a_row(instruction="Kể chuyện."), prompts=Prompts(FULL, language), kinds=("no_comma",))
    assert made["constraints"][0]["text"] in Prompts(FULL, language).lists("constrained")["no_comma"]
    assert made["constraints"][0]["language"] == language


def test_where_nothing_can_be_drawn_the_row_goes() -> None:
    with pytest.raises(Filtered, match="no_constraint_fits"):
        constrain(a_row(instruction="Write 500 words."), kinds=("words_at_least",))


def test_an_answer_is_asked_for_until_it_passes() -> None:
    row = a_row(instruction="Say it.", constraints=[NO_COMMA])
    made = answer(row, ["No, no.", "Yes."])
    assert (made["response"], made["verification"]) == ("Yes.", "no_comma: 0 commas")
    with pytest.raises(Unusable) as failed:
        answer(row, ["No, no."] * 3)
    assert (failed.value.reason, failed.value.attempts, failed.value.raw) == (
        "constraint_failed:no_comma",
        3,
        "No, no.",
    )


def test_a_given_answer_is_kept_where_it_passes_and_its_row_goes_where_it_does_not() -> None:
    kept = answer(a_row(instruction="Say it.", constraints=[NO_COMMA], response="Yes."), [])
    assert (kept["response"], kept["verification"]) == ("Yes.", "no_comma: 0 commas")
    with pytest.raises(Filtered, match="constraint_failed:no_comma"):
        answer(a_row(instruction="Say it.", constraints=[NO_COMMA], response="No, no."), [])
    again = answer(
        a_row(instruction="Say it.", constraints=[NO_COMMA], response="No, no."), ["Yes."], keep_responses=False
    )
    assert again["response"] == "Yes."


def test_a_row_with_nothing_to_verify_by_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(Filtered, match="nothing_to_verify"):
        answer(a_row(instruction="Say it."), [])


def test_the_constraints_of_a_row_do_not_depend_on_how_it_was_reached() -> None:
    one, other = (constrain(a_row(instruction="Tell me a joke.", note=note))["constraints"] for note in ("a", "b"))
    same = constrain(a_row(instruction="Tell me a joke.", note="a"))["constraints"]
    assert json.dumps(one) == json.dumps(same) != json.dumps(other)
