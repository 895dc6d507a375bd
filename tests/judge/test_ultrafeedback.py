import asyncio
import itertools
import re
from collections.abc import Callable
from typing import Any

import pytest

from tasks.engine.row import Row
from tasks.errors import Unusable
from tasks.judge.ultrafeedback import ASPECTS, UltraFeedback, ultrafeedback
from tasks.models.base import Request
from tasks.models.scripted import Rule, ScriptedModel
from tasks.text.responses import Response, make_response
from tests.rows import a_row, models_of

WORTH = {"Boil it slowly.": 5, "Boil it.": 3, "Buy it.": 2, "No.": 1}


def asked(request: Request) -> str:
    return request.messages[0]["content"] if request.messages else ""


def shown(request: Request) -> list[str]:
    """The responses in a prompt, in the order shown."""
    return re.findall(r"^Response(?: \d+)?: (.*)$", asked(request), re.MULTILINE)[: len(WORTH)]


def fair(request: Request) -> str:
    """Rates by worth, whatever the order or the form asked for."""
    if "Rating:" in asked(request):
        return f"Rating: {WORTH[shown(request)[0]]}\nReason: {shown(request)[0]}"
    texts = [text for text in shown(request) if text in WORTH]
    return "\n".join(f"Response {i}: rating {WORTH[text]} - {text}" for i, text in enumerate(texts, 1))


def sways(request: Request) -> str:
    """Likes what stands first."""
    return "\n".join(f"Response {i}: rating {max(1, 6 - i)} - stands there" for i in range(1, 5))


def a_pool(*texts: str, **columns: Any) -> Row:
    return a_row(
        instruction="Soup?", responses=[make_response(text, model="m", origin="pool") for text in texts], **columns
    )


def judged(row: Row, *judges: Rule | list[str], **params: Any) -> Row:
    panel = [ScriptedModel(judge, name=f"judge {i}") for i, judge in enumerate(judges)]
    [child] = asyncio.run(ultrafeedback(row, models_of([], judge=panel), UltraFeedback(**params)))
    return child


def scores(row: Row) -> dict[str, float | None]:
    return {response["text"]: response["score"] for response in row["responses"]}


def test_overall_rates_each_response_in_a_call_of_its_own_at_temperature_0() -> None:
    judge = ScriptedModel(fair, name="judge 0")
    [child] = asyncio.run(ultrafeedback(a_pool(*WORTH), models_of([], judge=[judge]), UltraFeedback()))
    assert scores(child) == WORTH
    assert len(judge.requests) == 4
    assert {request.sampling.temperature for request in judge.requests} == {0.0}
    for response in child["responses"]:
        [said] = response["ratings"]
        assert said == {
            "judge": "judge 0",
            "aspect": "overall",
            "order": 0,
            "rating": WORTH[response["text"]],
            "rationale": response["text"],
        }
    assert child["order_agreement"] is None


@pytest.mark.parametrize("aspects", ["paper", "chapter"])
def test_aspects_are_one_call_each_and_mapped_back(aspects: str) -> None:
    child = judged(a_pool(*WORTH), fair, aspects=aspects)
    assert scores(child) == WORTH
    for response in child["responses"]:
        assert [said["aspect"] for said in response["ratings"]] == list(ASPECTS[aspects])
        assert {said["rationale"] for said in response["ratings"]} == {response["text"]}
    assert ASPECTS["paper"] == ("instruction_following", "truthfulness", "honesty", "helpfulness")
    assert ASPECTS["chapter"] == ("helpfulness", "relevance", "deepening", "creativity")


def test_the_order_shown_is_drawn_from_the_texts() -> None:
    def first_shown(row: Row) -> tuple[str, ...]:
        judge = ScriptedModel(fair)
        asyncio.run(ultrafeedback(row, models_of([], judge=[judge]), UltraFeedback(aspects="chapter")))
        assert len({tuple(shown(request)) for request in judge.requests}) == 1, "one order for all aspects"
        return tuple(shown(judge.requests[0]))

    orders = {first_shown(a_pool(*texts)) for texts in itertools.permutations(WORTH)}
    assert len(orders) == 1, "permuting the responses changes nothing"
    seeds = {first_shown(Row("0" * 32, dict(a_pool(*WORTH)), run_seed=seed)) for seed in range(40)}
    assert len({order[0] for order in seeds}) == 4, "any response may stand first"


def test_permuting_the_responses_changes_no_judgement() -> None:
    def run_on(texts: tuple[str, ...]) -> list[Response]:
        responses = [make_response(text, model="m", origin="pool") for text in texts]
        row = Row("0" * 32, {"instruction": "Soup?", "responses": responses})
        return judged(row, sways, fair, aspects="paper", second_order=True)["responses"]  # type: ignore[no-any-return]

    outcomes = [run_on(texts) for texts in itertools.permutations(WORTH)]
    assert all(outcome == outcomes[0] for outcome in outcomes)


@pytest.mark.parametrize(
    ("judge", "agreement"), [(fair, 1.0), (sways, 0.0)], ids=["a fair judge", "a judge swayed by position"]
)
def test_a_second_order_shows_position_bias(judge: Callable[[Request], str], agreement: float) -> None:
    child = judged(a_pool(*WORTH), judge, aspects="chapter", second_order=True)
    assert child["order_agreement"] == agreement
    assert all([said["order"] for said in r["ratings"]] == [0, 1] * 4 for r in child["responses"])
    if agreement == 0:
        assert len(set(scores(child).values())) == 1, "over both orders a swayed judge prefers nothing"


def test_several_judges_each_keep_their_rating_and_the_score_is_the_mean() -> None:
    child = judged(a_pool("Boil it.", "Buy it."), fair, lambda _: "Rating: 1\nReason: dull", lambda _: "Rating: N/A")
    assert scores(child) == {"Boil it.": 2.0, "Buy it.": 1.5}
    for response in child["responses"]:
        assert [(said["judge"], said["rating"]) for said in response["ratings"]] == [
            ("judge 0", WORTH[response["text"]]),
            ("judge 1", 1.0),
            ("judge 2", None),
        ]


def test_a_judge_that_fails_is_a_loss_and_the_others_judge() -> None:
    row = a_pool(*WORTH)
    child = judged(row, lambda _: "Rating: 8/10", fair)
    assert scores(child) == WORTH
    assert [(loss.reason, loss.attempts, loss.raw) for loss in row.losses] == [
        ("rating_out_of_range", 3, "Rating: 8/10")
    ] * 4


def test_a_row_that_no_judge_rates_is_rejected_with_the_last_raw_text() -> None:
    row = a_pool("Boil it.", "Buy it.")
    with pytest.raises(Unusable) as caught:
        judged(row, lambda _: "I cannot say.", lambda _: "Rating: 47")
    assert (caught.value.reason, caught.value.kind, caught.value.raw) == ("no_rating", "failed", "Rating: 47")
    assert caught.value.detail.count("rating_missing") == 2
    assert not row.losses


def test_an_unusable_rating_is_asked_for_again_warmer() -> None:
    judge = ScriptedModel(["Rating: 11", "Rating: 4"])
    [child] = asyncio.run(ultrafeedback(a_pool("Boil it."), models_of([], judge=[judge]), UltraFeedback()))
    assert scores(child) == {"Boil it.": 4}
    assert [request.sampling.temperature for request in judge.requests] == [0.0, 0.3]


def test_ratings_from_before_are_kept_and_counted() -> None:
    first = judged(a_pool("Boil it.", "Buy it."), fair)
    child = judged(a_row(instruction="Soup?", responses=first["responses"]), lambda _: "Rating: 1")
    assert scores(child) == {"Boil it.": 2.0, "Buy it.": 1.5}
    assert all(len(response["ratings"]) == 2 for response in child["responses"])


def test_a_conversation_is_shown_whole() -> None:
    judge = ScriptedModel(fair)
    turns = [("system", "You cook."), ("user", "Hi"), ("assistant", "Hello"), ("user", "Soup?")]
    row = a_pool("Boil it.", messages=[{"role": role, "content": text} for role, text in turns])
    asyncio.run(ultrafeedback(row, models_of([], judge=[judge]), UltraFeedback()))
    assert "Instruction: system: You cook.\nuser: Hi\nassistant: Hello\nuser: Soup?\n\nResponse: Boil it." in asked(
        judge.requests[0]
    )


def test_one_response_has_no_second_order() -> None:
    judge = ScriptedModel(fair)
    asyncio.run(
        ultrafeedback(
            a_pool("Boil it."), models_of([], judge=[judge]), UltraFeedback(aspects="paper", second_order=True)
        )
    )
    assert len(judge.requests) == 4
