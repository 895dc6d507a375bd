import asyncio
from typing import Any

import pytest

from tasks.engine.row import Row
from tasks.errors import Filtered, Unusable
from tasks.judge.critique import Critique, critique, critique_of
from tasks.models.base import Request
from tasks.models.scripted import Rule, ScriptedModel
from tasks.text.reading.revision import revised_of
from tasks.text.responses import make_response, response_name
from tests.rows import a_row, models_of


def asked(request: Request) -> str:
    return request.messages[0]["content"] if request.messages else ""


def critic(request: Request) -> str:
    return "Say for how long." if "Response: Boil it." in asked(request) else "Say where."


def reviser(request: Request) -> str:
    return (
        asked(request).split("Response: ")[1].split("\n")[0]
        + " Mended: "
        + asked(request).split("Advice: ")[1].split("\n")[0]
    )


def run(row: Row, *, critic: Rule | list[str] = critic, reviser: Rule | list[str] = reviser, **params: Any) -> Row:
    roles = {"critic": ScriptedModel(critic, name="critic"), "reviser": ScriptedModel(reviser, name="reviser")}
    [child] = asyncio.run(critique(row, models_of([], **roles), Critique(**params)))
    return child


def a_pool(*texts: str) -> Row:
    return a_row(
        instruction="Soup?", responses=[make_response(text, model="m", origin="pool", score=2.0) for text in texts]
    )


def test_each_response_gets_a_critique_and_a_rewrite_that_follows_it() -> None:
    child = run(a_pool("Boil it.", "Buy it."))
    said = {response["text"]: response for response in child["responses"]}
    assert set(said) == {"Boil it.", "Boil it. Mended: Say for how long.", "Buy it.", "Buy it. Mended: Say where."}
    original, revised = said["Boil it."], said["Boil it. Mended: Say for how long."]
    assert (original["critique"], original["origin"], original["score"]) == ("Say for how long.", "pool", 2.0)
    assert (revised["origin"], revised["model"], revised["parent"]) == ("revised", "reviser", response_name(original))
    assert (revised["critique"], revised["score"], revised["ratings"]) == (None, None, [])
    texts = [response["text"] for response in child["responses"]]
    assert texts.index("Boil it. Mended: Say for how long.") == texts.index("Boil it.") + 1


def test_an_sft_row_comes_out_with_the_better_response() -> None:
    child = run(a_row(instruction="Soup?", response="Boil it.", response_model="tuned"))
    assert (child["response"], child["response_model"]) == ("Boil it. Mended: Say for how long.", "reviser")
    original = child["responses"][0]
    assert (original["text"], original["model"], original["origin"]) == ("Boil it.", "tuned", "given")


def test_an_answered_conversation_comes_out_with_the_better_answer() -> None:
    turns = [{"role": "user", "content": "Soup?"}, {"role": "assistant", "content": "Boil it."}]
    child = run(a_row(messages=turns, response_model="tuned"))
    assert child["messages"] == turns[:1]
    assert (child["response"], child["response_model"]) == ("Boil it. Mended: Say for how long.", "reviser")


def test_without_a_rewrite_there_is_only_the_critique() -> None:
    child = run(a_row(instruction="Soup?", response="Boil it."), rewrite=False, reviser=[])
    assert child["response"] == "Boil it."
    assert [response["critique"] for response in child["responses"]] == ["Say for how long."]


def test_a_failed_rewrite_is_a_loss_and_the_critique_stays() -> None:
    row = a_row(instruction="Soup?", response="Boil it.")
    child = run(row, reviser=lambda _: " BOIL it. ")
    assert child["response"] == "Boil it."
    assert [response["critique"] for response in child["responses"]] == ["Say for how long."]
    assert [(loss.reason, loss.raw) for loss in row.losses] == [("unchanged", " BOIL it. ")]


def test_a_failed_critique_is_a_loss_and_the_other_responses_go_on() -> None:
    row = a_pool("Boil it.", "Buy it.")
    child = run(row, critic=lambda request: "" if "Response: Buy it." in asked(request) else "Say for how long.")
    assert len(child["responses"]) == 3
    assert [loss.reason for loss in row.losses] == ["empty"]


def test_a_row_without_any_critique_is_rejected_with_the_raw_text() -> None:
    with pytest.raises(Unusable) as caught:
        run(a_pool("Boil it.", "Buy it."), critic=lambda _: "Good. 8/10")
    assert (caught.value.reason, caught.value.raw, caught.value.attempts) == ("no_critique", "Good. 8/10", 3)


def test_a_row_without_a_response_is_filtered() -> None:
    with pytest.raises(Filtered, match="no_response"):
        run(a_row(instruction="Soup?"))


SCORED = {
    "of ten": "It is short. 7/10",
    "of five": "Clear, 4 out of 5.",
    "labelled": "Clear and short.\n**Rating:** good",
    "a score line": "Score: 3\nToo short.",
    "nothing": "  ",
}


@pytest.mark.parametrize("completion", SCORED.values(), ids=SCORED.keys())
def test_a_critique_gives_no_score(completion: str) -> None:
    with pytest.raises(Unusable):
        critique_of(completion)


@pytest.mark.parametrize(
    "completion", ["Name 3 fruits, not 2.", "It scores high on charm: keep that.", "Use 1/2 cup, in 10 or 5 steps."]
)
def test_numbers_in_a_critique_are_no_score(completion: str) -> None:
    assert critique_of(f" {completion}\n") == completion


def test_a_rewrite_must_say_something_else() -> None:
    assert revised_of("Boil it.", " Boil it slowly. ") == "Boil it slowly."
    for completion in ("", "boil  it."):
        with pytest.raises(Unusable):
            revised_of("Boil it.", completion)
