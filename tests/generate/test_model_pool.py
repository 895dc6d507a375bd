import asyncio
import json
from typing import Any

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st
from pydantic import ValidationError

from tasks.engine.ask import Models
from tasks.engine.context import Context
from tasks.engine.requests.asking import Member
from tasks.engine.row import Row
from tasks.errors import ConfigError, Filtered, PermanentError, RequestRefused, Unusable
from tasks.generate.model_pool import ModelPool, model_pool
from tasks.models.base import Request
from tasks.models.config import ModelConfig
from tasks.models.scripted import Rule, ScriptedModel
from tests.rows import a_row, models_of

WORDS = ["apple", "river", "stone", "cloud", "lamp", "horse", "paper", "ocean"]


def a_pool(*rules: Rule | str) -> list[ScriptedModel]:
    """Models m0, m1, ... with a rule, or one answer, each."""
    return [ScriptedModel(r if callable(r) else lambda _, r=r: r, name=f"m{i}") for i, r in enumerate(rules)]


def run(row: Row, pool: list[ScriptedModel], **params: Any) -> list[dict[str, Any]]:
    [child] = asyncio.run(model_pool(row, models_of([], pool=pool), ModelPool(**params)))
    return child["responses"]


def any_words(request: Request) -> str:
    return f"{WORDS[request.seed % 8]} {WORDS[request.seed // 8 % 8]} {request.seed}"


def test_members_are_drawn_without_replacement_by_the_row_alone() -> None:
    drawn = []
    for n in range(60):
        responses = run(
            a_row(instruction=f"Ask {n}"), a_pool("one thing", "a second", "some third", "the last"), responses=2
        )
        names = [response["model"] for response in responses]
        assert len(set(names)) == 2
        drawn.append(tuple(names))
    assert len(set(drawn)) == 12, "all ordered pairs of four models should turn up"
    again = run(a_row(instruction="Ask 0"), a_pool("one thing", "a second", "some third", "the last"), responses=2)
    assert tuple(response["model"] for response in again) == drawn[0]


def test_a_pool_smaller_than_k_is_asked_in_rounds_with_other_samples() -> None:
    pool = a_pool(any_words, any_words)
    responses = run(a_row(instruction="Go"), pool, responses=5)
    assert len(responses) == 5
    assert {response["model"] for response in responses[:2]} == {"m0", "m1"} == {r["model"] for r in responses[2:4]}
    seeds = [request.seed for model in pool for request in model.requests]
    assert len(set(seeds)) == 5


def test_each_member_has_its_own_sampling_and_it_is_recorded() -> None:
    pool = a_pool("cold answer", "another warm one")
    members = [Member(pool[0], ModelConfig(name="m0", temperature=0.2)), Member(pool[1], ModelConfig(name="m1"))]
    models = Models({"generator": members, "pool": members}, Context())
    [child] = asyncio.run(model_pool(a_row(instruction="Go"), models, ModelPool()))
    temperatures = {r["model"]: json.loads(r["arguments"])["temperature"] for r in child["responses"]}
    assert temperatures == {"m0": 0.2, "m1": 1.0}
    assert pool[0].requests[0].sampling.temperature == 0.2
    assert [(r["origin"], r["parent"], r["ratings"], r["score"]) for r in child["responses"]] == [
        ("pool", "", [], None)
    ] * 2


def test_principles_and_templates_are_drawn_by_weight_said_and_recorded() -> None:
    principles, templates = {"Be brief.": 3.0, "Never say this.": 0.0}, {"{{ instruction }} Answer {{ tone }}ly.": 1.0}
    pool = a_pool(any_words)
    responses = run(a_row(instruction="Go", tone="kind"), pool, responses=4, principles=principles, templates=templates)
    assert {response["principle"] for response in responses} == {"Be brief."}
    assert {response["template"] for response in responses} == set(templates)
    assert pool[0].requests[0].messages == (
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Go Answer kindly."},
    )


def test_a_conversation_keeps_its_system_message_and_ends_with_the_user() -> None:
    turns = [
        ("system", "You are a cook."),
        ("user", "Hi"),
        ("assistant", "Hello!"),
        ("user", "Soup?"),
        ("assistant", "old"),
    ]
    row = a_row(messages=[{"role": role, "content": text} for role, text in turns])
    pool = a_pool("first soup", "other stew")
    [child] = asyncio.run(model_pool(row, models_of([], pool=pool), ModelPool(principles={"Be brief.": 1})))
    assert child["instruction"] == "Soup?"
    assert [(m["role"], m["content"]) for m in pool[0].requests[0].messages or ()] == [
        ("system", "You are a cook.\n\nBe brief."),
        *turns[1:4],
    ]


@pytest.mark.parametrize(
    "columns", [{}, {"messages": []}, {"messages": [{"role": "system", "content": "x"}]}, {"instruction": ""}]
)
def test_a_row_without_a_prompt_is_filtered(columns: dict[str, Any]) -> None:
    with pytest.raises(Filtered, match="no_prompt"):
        run(a_row(**columns), a_pool("x"))


def test_one_side_stands_in_every_pool() -> None:
    for n in range(20):
        row = a_row(instruction=f"Ask {n}")
        names = [
            r["model"] for r in run(row, a_pool("one thing", "a second", "some third"), responses=2, one_side="m2")
        ]
        assert "m2" in names
        assert len(set(names)) == 2


def test_one_side_that_is_no_member_is_the_users_mistake() -> None:
    with pytest.raises(ConfigError, match=r"one_side is no model of the pool: gpt \(the pool: m0, m1\)"):
        run(a_row(instruction="Go"), a_pool("a", "b"), one_side="gpt")


ALIKE = {
    "the same text": "Paris is the capital.",
    "other case and spaces": "  PARIS  is the\ncapital. ",
    "full-width letters": "Ｐａｒｉｓ is the capital.",
}


@pytest.mark.parametrize("text", ALIKE.values(), ids=ALIKE.keys())
def test_a_response_too_alike_is_drawn_again_from_another_member(text: str) -> None:
    lost = []
    for n in range(12):
        row = a_row(instruction=f"Capital of France? {n}")
        responses = run(row, a_pool("Paris is the capital.", text, "It is Lyon, no?"), responses=2, max_rouge_l=1.0)
        assert "It is Lyon, no?" in [response["text"] for response in responses]
        assert len(responses) == 2
        lost += [(loss.kind, loss.reason) for loss in row.losses]
    assert set(lost) == {("filtered", "too_alike")}


def test_a_forced_member_too_alike_is_asked_again_itself() -> None:
    pool = a_pool(lambda _: "the given one" if len(pool[0].requests) == 1 else "another thought", "a third")
    responses = run(a_row(instruction="Go", responses=["the given one"]), pool, keep_responses=True, one_side="m0")
    assert [response["text"] for response in responses] == ["the given one", "another thought"]
    assert not pool[1].requests


def test_rouge_l_above_the_limit_is_too_alike_and_at_the_limit_is_not() -> None:
    long, near = "one two three four five six seven eight nine ten", "one two three four five six seven eight nine zehn"
    row = a_row(instruction="Count")
    assert len(run(row, a_pool(long, near), max_rouge_l=0.9)) == 2
    assert not row.losses
    with pytest.raises(Filtered, match=r"one_response: too_alike: ROUGE-L 0\.90 to a response of m[01]"):
        run(a_row(instruction="Count"), a_pool(long, near), max_rouge_l=0.85)


def test_redraws_are_finite_and_each_thrown_away_response_is_told() -> None:
    pool = a_pool("same", "same", "same")
    with pytest.raises(Filtered, match="one_response") as caught:
        run(a_row(instruction="Go"), pool, redraws=3)
    assert sum(len(model.requests) for model in pool) == 5
    assert str(caught.value).count("too_alike") == 4
    assert caught.value.raw == "same"


def test_a_failing_member_is_a_loss_and_the_others_go_on() -> None:
    def down(_: Request) -> str:
        raise RequestRefused("bad_request", "context too long")

    row = a_row(instruction="Go")
    responses = run(row, a_pool("one thing", down, "a second", ""), responses=4)
    assert sorted(response["text"] for response in responses) == ["a second", "one thing"]
    assert sorted(loss.reason for loss in row.losses) == ["bad_request", "empty"]


@pytest.mark.parametrize(
    ("answers", "reason"),
    [(("", " "), "no_response"), (("fine", ""), "one_response"), (("fine", "good", ""), "few_responses")],
    ids=["none", "one", "two of three"],
)
def test_too_few_responses_reject_the_row_to_be_retried(answers: tuple[str, ...], reason: str) -> None:
    row = a_row(instruction="Go")
    with pytest.raises(Unusable) as caught:
        run(row, a_pool(*answers), responses=len(answers), min_responses=len(answers))
    assert (caught.value.kind, caught.value.reason, caught.value.attempts) == ("failed", reason, 3)
    assert caught.value.raw in {"", " "}
    assert not row.losses, "a rejected row has its reject, not losses"


def test_more_responses_wanted_at_least_than_at_most_is_refused() -> None:
    with pytest.raises(ValidationError, match="min_responses is above responses"):
        ModelPool(responses=2, min_responses=3)


@pytest.mark.parametrize(
    "columns",
    [
        {"responses": ["given one", "and a given two"]},
        {"responses": [{"text": "given one"}, {"text": "and a given two", "model": "old"}, {"text": " "}, None]},
    ],
    ids=["texts", "structs with blanks"],
)
def test_given_responses_are_members_and_cost_nothing(columns: dict[str, Any]) -> None:
    pool = a_pool("new")
    responses = run(a_row(instruction="Go", **columns), pool, keep_responses=True)
    assert sorted(response["text"] for response in responses) == ["and a given two", "given one"]
    assert {response["origin"] for response in responses} == {"given"}
    assert not pool[0].requests


def test_a_single_response_is_kept_with_its_model_and_the_pool_adds_the_rest() -> None:
    row = a_row(instruction="Go", response="from the SFT set", response_model="tuned", system="Be kind.")
    responses = run(row, a_pool("new words", "newer words"), keep_responses=True, responses=3)
    assert [(r["text"], r["model"], r["principle"]) for r in responses[:1]] == [
        ("from the SFT set", "tuned", "Be kind.")
    ]
    assert [r["origin"] for r in responses] == ["given", "pool", "pool"]


def test_one_side_is_asked_even_where_enough_is_given() -> None:
    row = a_row(instruction="Go", responses=["given one", "and a given two"])
    responses = run(row, a_pool("mine alone", "other"), keep_responses=True, one_side="m0")
    assert [r["model"] for r in responses] == ["", "", "m0"]


@forall(st.permutations(["a first", "a second", "a second ", "the third"]))
def test_permuting_given_responses_changes_nothing(texts: list[str]) -> None:
    row = Row("0" * 32, {"instruction": "Go", "responses": texts})
    assert [r["text"] for r in run(row, a_pool("new"), keep_responses=True, responses=3)] == [
        r["text"]
        for r in run(
            Row("0" * 32, {"instruction": "Go", "responses": sorted(texts)}),
            a_pool("new"),
            keep_responses=True,
            responses=3,
        )
    ]
    assert [loss.reason for loss in row.losses] == ["too_alike"]


def test_a_permanent_error_stops_the_row_and_cancels_its_other_asks() -> None:
    ended, began = [], asyncio.Event()

    async def slow(_: Request) -> str:
        began.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return "late"

    async def refused(_: Request) -> str:
        await began.wait()
        raise PermanentError("no such key", "401")

    async def main() -> None:
        with pytest.raises(PermanentError):
            await model_pool(a_row(instruction="Go"), models_of([], pool=a_pool(slow, refused)), ModelPool())
        await asyncio.sleep(0)

    asyncio.run(main())
    assert ended == ["cancelled"]
