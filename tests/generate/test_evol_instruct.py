import asyncio
from collections import Counter
from typing import Any

import pytest

from tasks.engine.row import Row
from tasks.generate.evol_instruct import OPERATIONS, EvolInstruct, evol_instruct
from tasks.models.base import Completion, Request
from tasks.models.scripted import ScriptedModel
from tests.rows import a_row, models_of

ANSWER = "Apples, pears and plums."


def numbered(request: Request) -> str:
    """Each evolution counts one on from the instruction in the prompt."""
    text = (request.messages or ())[-1]["content"]
    digits = [int(word.strip(".")) for word in text.split() if word.strip(".").isdigit() and int(word.strip(".")) > 50]
    return f"Name fruits that float, number {(digits or [100])[0] + 1}."


def judge(answer: str) -> ScriptedModel:
    return ScriptedModel(lambda _: answer, name="judge")


def run(
    row: Row, generator: Any = numbered, *, verdict: str = "different", response: Any = ANSWER, **params: Any
) -> list[Row]:
    responder = response if callable(response) else (lambda _: response)
    models = models_of(generator, judge=judge(verdict), responder=ScriptedModel(responder, name="responder"))
    return asyncio.run(evol_instruct(row, models, EvolInstruct(**params)))


def test_an_instruction_is_evolved_several_generations_in_a_row() -> None:
    model = ScriptedModel(numbered)
    [row] = run(a_row(instruction="Name fruits."), model, generations=4)
    assert row["instruction"] == "Name fruits that float, number 104."
    assert len(row["operations"]) == 4 and set(row["operations"]) <= set(OPERATIONS)
    assert "number 103" in (model.requests[-1].messages or ())[0]["content"]
    sampling = model.requests[0].sampling
    assert (sampling.temperature, sampling.top_p, sampling.max_new_tokens) == (1.0, 0.95, 2048)


def test_the_response_it_was_checked_by_is_kept() -> None:
    [row] = run(a_row(instruction="Name fruits."), generations=1, system="Be brief.")
    assert (row["response"], row["response_model"], row["system"]) == (ANSWER, "responder", "Be brief.")


def test_all_generations_can_be_kept() -> None:
    rows = run(a_row(instruction="Name fruits."), generations=3, keep="all")
    assert [row["instruction"][-4:] for row in rows] == ["101.", "102.", "103."]
    assert [len(row["operations"]) for row in rows] == [1, 2, 3]
    assert len({row.row_id for row in rows}) == 3


@pytest.mark.parametrize("keep", ["last", "all"])
def test_the_original_goes_on_when_an_evolution_fails(keep: str) -> None:
    def fails_at_first(request: Request) -> str:
        failing.requests.append(request)
        return "As an AI, no." if len(failing.requests) <= 3 else numbered(request)

    failing = ScriptedModel([])
    row = a_row(instruction="Name fruits.")
    [child] = run(row, fails_at_first, generations=2, keep=keep)
    assert child["instruction"].endswith("101.")
    assert child["operations"][0] == "" and child["operations"][1] in OPERATIONS
    assert [(loss.kind, loss.reason, loss.attempts) for loss in row.losses] == [("failed", "as_an_ai", 3)]
    assert "Instruction: Name fruits.\n" in (failing.requests[-1].messages or ())[0]["content"]


@pytest.mark.parametrize("keep", ["last", "all"])
def test_a_row_none_of_whose_evolutions_succeed_comes_out_as_it_went_in(keep: str) -> None:
    row = a_row(instruction="Name fruits.", topic="food")
    [child] = run(row, lambda _: "Name fruits!", generations=2, keep=keep)
    assert (child["instruction"], child["operations"], child["response"]) == ("Name fruits.", ["", ""], "")
    assert [loss.reason for loss in row.losses] == ["unchanged", "unchanged"]


@pytest.mark.parametrize(
    ("models", "reason"),
    [
        pytest.param({"verdict": "equal"}, "no_information_gain", id="the judge calls it equal"),
        pytest.param({"verdict": "perhaps"}, "no_verdict", id="the judge cannot be read"),
        pytest.param({"response": "Sorry, no."}, "sorry_response", id="the response says sorry"),
        pytest.param({"response": "It is so."}, "empty_response", id="the response says nothing"),
        pytest.param({"response": ""}, "empty", id="no response"),
        pytest.param({"response": lambda _: Completion("Apples", "length", 1, 1)}, "truncated", id="cut response"),
        pytest.param({"generator": lambda _: Completion("Name", "length", 1, 1)}, "truncated", id="cut evolution"),
    ],
)
def test_each_elimination_has_its_reason(models: dict[str, Any], reason: str) -> None:
    row = a_row(instruction="Name fruits.")
    [child] = run(row, generations=1, **models)
    assert (child["instruction"], child["operations"]) == ("Name fruits.", [""])
    assert [loss.reason for loss in row.losses] == [reason]


def test_checks_that_cost_a_request_can_be_left_out() -> None:
    def nobody(request: Request) -> str:
        raise AssertionError("asked")

    models = models_of(numbered, judge=ScriptedModel(nobody), responder=ScriptedModel(nobody))
    params = EvolInstruct(generations=1, judge_gain=False, respond=False)
    [row] = asyncio.run(evol_instruct(a_row(instruction="Name fruits."), models, params))
    assert row["instruction"].endswith("101.") and "response" not in row


def test_trap_a_response_to_the_original_does_not_stay_with_the_evolution() -> None:
    answered = a_row(instruction="Name fruits.", response="Plum.", response_model="m")
    [row] = run(answered, generations=1, respond=False)
    assert (row["response"], row["response_model"]) == (None, None)
    [row] = run(answered, generations=1)
    assert row["response"] == ANSWER
    [row] = run(answered, lambda _: "", generations=1)
    assert (row["response"], row["response_model"]) == ("Plum.", "m"), "it is still the original's"


def test_in_a_conversation_the_last_turn_is_evolved() -> None:
    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]
    responder = ScriptedModel(lambda _: ANSWER)
    models = models_of(numbered, judge=judge("different"), responder=responder)
    row = a_row(instruction="Name fruits.", messages=[*talk, {"role": "user", "content": "Name fruits."}])
    [child] = asyncio.run(evol_instruct(row, models, EvolInstruct(generations=1)))
    expected = [*talk, {"role": "user", "content": child["instruction"]}]
    assert child["messages"] == expected == list(responder.requests[0].messages or ())


def test_trap_the_operation_depends_on_the_row_and_the_round_alone() -> None:
    rows = [a_row(instruction=f"Name {n} fruits.") for n in range(6)]

    async def gather_all(order: list[int]) -> dict[int, list[str]]:
        async def slow(request: Request) -> str:
            await asyncio.sleep(request.seed % 5 / 1000)
            return numbered(request)

        models = models_of(slow, judge=judge("different"), responder=ScriptedModel(lambda _: ANSWER))
        made = await asyncio.gather(*(evol_instruct(rows[n], models, EvolInstruct(generations=3)) for n in order))
        return {n: children[0]["operations"] for n, children in zip(order, made, strict=True)}

    forward, backward = asyncio.run(gather_all([0, 1, 2, 3, 4, 5])), asyncio.run(gather_all([5, 3, 1]))
    alone = {n: run(rows[n], generations=3)[0]["operations"] for n in range(6)}
    assert forward == alone and backward == {n: alone[n] for n in (5, 3, 1)}


def test_a_failed_round_does_not_shift_the_operation_of_the_next() -> None:
    row, failing = a_row(instruction="Name fruits."), a_row(instruction="Name fruits.")
    drawn = run(row, generations=6)[0]["operations"]
    assert run(failing, generations=6, verdict="equal")[0]["operations"] == [""] * 6
    tried = [call.template for call in failing.calls if call.role == "generator"]
    assert tried == [f"evol_instruct/{operation}" for operation in drawn]


def test_the_six_operations_have_equal_probability() -> None:
    rows = [a_row(instruction=f"{n}") for n in range(3000)]
    drawn = Counter(row.choose(OPERATIONS, "operation", 0) for row in rows)
    assert set(drawn) == set(OPERATIONS) and all(420 < count < 580 for count in drawn.values())
