import asyncio
import itertools
from typing import Any

import pytest

from tasks.engine.row import Row
from tasks.errors import Unusable
from tasks.generate.evol_quality import EvolQuality, better_of, evol_quality
from tasks.models.base import Request
from tasks.models.scripted import Rule
from tasks.text.responses import make_response, response_name
from tests.rows import a_row, models_of

OPENINGS = {
    "helps the person": "helpfulness",
    "keeps closer": "relevance",
    "goes deeper": "depth",
    "fresh idea": "creativity",
    "more details": "details",
}


def asked(request: Request) -> str:
    return request.messages[0]["content"] if request.messages else ""


def operation_of(request: Request) -> str:
    return next(name for words, name in OPENINGS.items() if words in asked(request).splitlines()[0])


def run(row: Row, rule: Rule | list[str], **params: Any) -> list[dict[str, Any]]:
    [child] = asyncio.run(evol_quality(row, models_of(rule), EvolQuality(**params)))
    return child["responses"]


def a_pool(*texts: str, **columns: Any) -> Row:
    return a_row(
        responses=[make_response(text, model="m", origin="pool") for text in texts],
        **{"instruction": "Soup?"} | columns,
    )


def test_the_original_stands_beside_the_evolved() -> None:
    row = a_pool("Boil it.", "Buy it.")
    responses = run(row, lambda request: f"Better {request.seed}")
    for original, evolved in zip(responses[::2], responses[1::2], strict=True):
        assert (original["origin"], original["parent"], original["operations"]) == ("pool", "", [])
        assert (evolved["origin"], evolved["parent"], evolved["model"]) == (
            "evolved",
            response_name(original),
            "scripted",
        )
        assert evolved["text"].startswith("Better")
        assert len(evolved["operations"]) == 1
        assert '"temperature": 1.0' in evolved["arguments"]
    assert {response["text"] for response in responses[::2]} == {"Boil it.", "Buy it."}


def test_each_generation_rewrites_the_one_before() -> None:
    seen = []

    def longer(request: Request) -> str:
        response = asked(request).split("Response: ")[1].split("\n")[0]
        seen.append((operation_of(request), response))
        return f"{response}+"

    [_, evolved] = run(a_pool("Boil it."), longer, generations=3)
    assert evolved["text"] == "Boil it.+++"
    assert [response for _, response in seen] == ["Boil it.", "Boil it.+", "Boil it.++"]
    assert evolved["operations"] == [operation for operation, _ in seen]


def test_all_five_operations_are_drawn_by_row_response_and_generation() -> None:
    drawn = {}
    for n in range(30):
        for response in run(a_pool("a1", "b2", instruction=f"Ask {n}"), lambda r: f"Better {r.seed}", generations=2)[
            1::2
        ]:
            drawn[n, response["parent"]] = tuple(response["operations"])
    assert {operation for pair in drawn.values() for operation in pair} == set(OPENINGS.values())
    assert len(set(drawn.values())) > 15
    assert any(drawn[n, response_name({"text": "a1"})] != drawn[n, response_name({"text": "b2"})] for n in range(5))


def test_no_two_rewrites_of_a_row_share_a_seed() -> None:
    seeds = []
    run(
        a_pool("a1", "b2", "c3"),
        lambda r: seeds.append(r.seed) or f"Better {r.seed}",
        generations=4,
        operations=("depth",),
    )
    assert len(set(seeds)) == 12


def test_a_failed_generation_is_a_loss_and_the_text_before_it_goes_on() -> None:
    row = a_pool("Boil it.")
    [_, evolved] = run(row, ["Boil it.+", "", " ", "Boil it.+", "Boil it.++"], generations=3)
    assert evolved["text"] == "Boil it.++"
    assert len(evolved["operations"]) == 2
    assert [(loss.reason, loss.attempts) for loss in row.losses] == [("unchanged", 3)]


def test_a_response_that_never_evolves_stays_alone() -> None:
    row = a_pool("Boil it.")
    responses = run(row, lambda _: " boil  IT.", generations=2)
    assert [response["text"] for response in responses] == ["Boil it."]
    assert [loss.reason for loss in row.losses] == ["unchanged", "unchanged"]


def test_going_round_in_a_circle_is_no_evolution() -> None:
    [only] = run(a_pool("one"), lambda r: "two" if "Response: one" in asked(r) else "one", generations=2)
    assert only["text"] == "one"


def test_only_originals_evolve_and_only_as_many_as_asked_for() -> None:
    row = a_pool("a1", "b2", "c3", "d4")
    row.columns["responses"].append(make_response("e5", origin="revised", parent=response_name({"text": "a1"})))
    responses = run(row, lambda r: f"Better {r.seed}", evolved=2)
    assert len(responses) == 7
    parents = {response["parent"] for response in responses if response["origin"] == "evolved"}
    assert len(parents) == 2
    assert parents <= {response_name({"text": text}) for text in ("a1", "b2", "c3", "d4")}


def test_permuting_the_responses_changes_nothing() -> None:
    def run_on(texts: tuple[str, ...]) -> list[dict[str, Any]]:
        pool = [make_response(text, model="m", origin="pool") for text in texts]
        return run(Row("0" * 32, {"instruction": "Soup?", "responses": pool}), lambda r: f"Better {r.seed}", evolved=2)

    outcomes = [run_on(texts) for texts in itertools.permutations(["a1", "b2", "c3"])]
    assert all(outcome == outcomes[0] for outcome in outcomes)


def test_a_conversation_is_shown_whole() -> None:
    seen = []
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Soup?"},
    ]
    run(a_pool("Boil it.", messages=messages), lambda r: seen.append(asked(r)) or "Better")
    assert "Instruction: user: Hi\nassistant: Hello\nuser: Soup?\n" in seen[0]


UGLY = {
    "nothing": ("   ", "empty"),
    "unchanged but for case": ("BOIL it. ", "unchanged"),
    "an apology": ("I'm sorry, but I can't help with that.", "apology"),
    "a curly apology": ("I’m sorry, I cannot rewrite this.", "apology"),
    "a disclaimer": ("As an AI language model, I do not eat.", "apology"),
    "a label within": ("Boil it gently.\nResponse: Boil it.", "prompt_leak"),
    "a label alone": ("**Response:**", "prompt_leak"),
    "marks of the prompt": ("Boil it gently.\n</response>\n<response>", "prompt_leak"),
    "the prompt itself": ("Write this response anew so that it goes deeper.", "prompt_leak"),
    "the instruction repeated": ("Instruction: Soup?\n\nBoil it gently.", "prompt_leak"),
    "the last line of the prompt": ("Boil it gently.\n\nReply with the better response only.", "prompt_leak"),
}


@pytest.mark.parametrize(("completion", "reason"), UGLY.values(), ids=UGLY.keys())
def test_a_rewrite_that_is_none_is_unusable(completion: str, reason: str) -> None:
    with pytest.raises(Unusable) as caught:
        better_of("Soup?", "Boil it.", completion)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("prompt", "before", "completion"),
    [
        ("Write a form with a field.", "Response: yes or no", "Response: yes, no or maybe"),
        ("Why is the improved response time good?", "It is.", "The improved response time means less waiting."),
        ("Soup?", "Sorry, no soup.", "Sorry, no soup before noon."),
        ("Soup?", "Boil it.", "The immune response to soup is slight. I reply with a spoon."),
    ],
    ids=["the label is the response's own", "a term of the trade", "the apology was there", "harmless words"],
)
def test_words_that_are_not_the_prompts_are_no_leak(prompt: str, before: str, completion: str) -> None:
    assert better_of(prompt, before, f" {completion}\n") == completion
