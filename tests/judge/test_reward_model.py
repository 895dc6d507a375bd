import asyncio
from typing import Any

import pytest

from tasks.engine.row import Row
from tasks.errors import Filtered, PermanentError, RequestRefused, Unusable
from tasks.judge.reward_model import RewardModel, reward_model
from tasks.judge.reward_scores import RewardScores, reward_scores
from tasks.models.base import Request
from tasks.models.scripted import Rule, ScriptedModel
from tasks.text.responses import make_response
from tests.rows import a_row, models_of

WORTH = {"Iron.": 2.5, "Bronze.": -11.0, "Iron, I think.": 0.5}


def by_worth(request: Request) -> str:
    assert request.scored_by == "score" and request.messages is not None
    return repr(WORTH[request.messages[-1]["content"]])


def scored(row: Row, answer: Rule = by_worth, **params: Any) -> Row:
    [kept] = asyncio.run(
        reward_model(row, models_of([], reward=ScriptedModel(answer, name="rm")), RewardModel(**params))
    )
    return kept


def a_response(text: str = "Iron.", **columns: Any) -> Row:
    return a_row(instruction="Name a metal.", response=text, **columns)


def test_a_row_keeps_its_score_and_goes_below_the_threshold() -> None:
    row = a_response()
    assert (scored(row)["reward"], scored(row).row_id) == (2.5, row.row_id)
    assert scored(a_response("Bronze."))["reward"] == -11
    assert scored(a_response("Iron, I think."), threshold=0.5)["reward"] == 0.5
    with pytest.raises(Filtered, match="low_reward: -11, at least -10"):
        scored(a_response("Bronze."), threshold=-10)


def test_the_whole_conversation_is_scored() -> None:
    model = ScriptedModel(by_worth)
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    row = a_row(messages=[*turns, {"role": "user", "content": "A metal?"}], response="Iron.", system="You know metals.")
    asyncio.run(reward_model(row, models_of([], reward=model), RewardModel()))
    [request] = model.requests
    assert [(m["role"], m["content"]) for m in request.messages or ()] == [
        ("system", "You know metals."),
        ("user", "Hi"),
        ("assistant", "Hello"),
        ("user", "A metal?"),
        ("assistant", "Iron."),
    ]


def test_a_model_that_chats_is_no_reward_model() -> None:
    with pytest.raises(PermanentError, match=r"the model gives no score: rm: 'It is good\.'"):
        scored(a_response(), lambda _: "It is good.")


@pytest.mark.parametrize(
    ("above", "kept"),
    [(0, True), (1.9, True), (2, False), (-1, True)],
    ids=["better", "by more", "by as much", "worse"],
)
def test_a_row_goes_that_is_not_above_what_the_base_says(above: float, kept: bool) -> None:
    """The base's answer is worth 0.5, the row's 2.5."""
    models = models_of([], reward=ScriptedModel(by_worth, name="rm"), base=ScriptedModel(["Iron, I think."], name="b"))
    row = a_response()
    if kept:
        [child] = asyncio.run(reward_model(row, models, RewardModel(above_base=above)))
        assert (child["reward"], child.row_id) == (2.5, row.row_id)
        return
    with pytest.raises(Filtered, match=r"not_above_base: 2\.5, more than 0\.5 \+ 2"):
        asyncio.run(reward_model(row, models, RewardModel(above_base=above)))


def test_the_base_is_shown_the_conversation_and_not_the_answer() -> None:
    base = ScriptedModel(["Bronze."], name="b")
    models = models_of([], reward=ScriptedModel(by_worth, name="rm"), base=base)
    row = a_response("Iron.", system="You know metals.")
    asyncio.run(reward_model(row, models, RewardModel(above_base=0)))
    [request] = base.requests
    assert [m["content"] for m in request.messages or ()] == ["You know metals.", "Name a metal."]
    assert request.sampling.temperature == 0
    with pytest.raises(Filtered, match="low_reward"):  # a row below the threshold costs no answer of the base
        asyncio.run(reward_model(row, models, RewardModel(above_base=0, threshold=9)))
    assert len(base.requests) == 1


def test_without_an_answer_of_the_base_nothing_is_said_of_the_row() -> None:
    models = models_of([], reward=ScriptedModel(by_worth, name="rm"), base=ScriptedModel(lambda _: " ", name="b"))
    with pytest.raises(Unusable, match="empty"):
        asyncio.run(reward_model(a_response(), models, RewardModel(above_base=0)))


def a_pool(*texts: str, **known: Any) -> Row:
    return a_row(instruction="Name a metal.", responses=[make_response(text, **known) for text in texts])


def test_responses_have_the_models_scores_whatever_ratings_they_had() -> None:
    before = {"judge": "j", "aspect": "overall", "rating": 5.0, "rationale": "", "order": 0}
    models = models_of([], reward=ScriptedModel(by_worth, name="rm"))
    [child] = asyncio.run(reward_scores(a_pool(*WORTH, ratings=[before], score=5.0), models, RewardScores()))
    assert {one["text"]: one["score"] for one in child["responses"]} == WORTH
    assert {one["ratings"][-1]["judge"] for one in child["responses"]} == {"rm"}
    assert all(one["ratings"][0] == before for one in child["responses"])


def test_a_response_that_is_refused_has_no_score_and_all_refused_reject_the_row() -> None:
    def refuses(request: Request) -> str:
        assert request.messages is not None
        if "think" in request.messages[-1]["content"]:
            raise RequestRefused("context_too_long", "9 tokens")
        return by_worth(request)

    row, models = a_pool(*WORTH), models_of([], reward=ScriptedModel(refuses))
    [child] = asyncio.run(reward_scores(row, models, RewardScores()))
    assert {one["text"]: one["score"] for one in child["responses"]} == WORTH | {"Iron, I think.": None}
    assert [loss.reason for loss in row.losses] == ["context_too_long"]
    with pytest.raises(Unusable, match="no_rating"):
        asyncio.run(reward_scores(a_pool("I think."), models, RewardScores()))
