import asyncio
from typing import Any

import pytest

from tasks.engine.row import Row
from tasks.errors import ConfigError, Filtered, Unusable
from tasks.generate.policy_pool import PolicyPool, policy_pool
from tasks.models.base import Request
from tasks.models.scripted import ScriptedModel
from tests.rows import a_row, models_of


def different(request: Request) -> str:
    return f"Answer number {request.seed % 100_000} of {request.seed % 77}."


def run(row: Row, policy: Any = different, pool: int = 0, **params: Any) -> tuple[Row, list[ScriptedModel]]:
    members = [ScriptedModel(policy, name="mine"), *(ScriptedModel(different, name=f"other-{n}") for n in range(pool))]
    models = models_of([], policy=members[:1], **({"pool": members[1:]} if pool else {}))
    [child] = asyncio.run(policy_pool(row, models, PolicyPool(**params)))
    return child, members


def origins(row: Row) -> list[tuple[str, str]]:
    return [(one["origin"], one["model"]) for one in row["responses"]]


def test_the_policy_gives_as_many_responses_as_asked_for() -> None:
    row, [mine] = run(a_row(instruction="Soup?"))
    assert origins(row) == [("on_policy", "mine")] * 5
    assert len({request.seed for request in mine.requests}) == 5


def test_others_stand_beside_it_drawn_row_by_row() -> None:
    drawn = set()
    for number in range(12):
        row, _ = run(a_row(instruction="Soup?", number=number), pool=4, on_policy=1, off_policy=2)
        assert [origin for origin, _ in origins(row)] == ["on_policy", "off_policy", "off_policy"]
        drawn |= {model for origin, model in origins(row) if origin == "off_policy"}
    assert len(drawn) == 4


def test_the_answer_of_a_row_is_an_off_policy_one() -> None:
    talk = [{"role": "user", "content": "Soup?"}, {"role": "assistant", "content": "Boil it."}]
    row, [mine] = run(a_row(messages=talk), on_policy=1, keep_responses=True)
    assert [(one["origin"], one["text"][:4]) for one in row["responses"]] == [("given", "Boil"), ("on_policy", "Answ")]
    assert mine.requests[0].messages == (talk[0],), "the answer is not shown"


def test_what_is_too_alike_is_asked_for_again_and_then_lost() -> None:
    answers = iter(["Boil it well.", "Boil it well.", "Boil it well.", "Fry it."])
    row, [mine] = run(a := a_row(instruction="Soup?"), lambda _: next(answers), on_policy=2, redraws=2)
    assert [one["text"] for one in row["responses"]] == ["Boil it well.", "Fry it."]
    assert [loss.reason for loss in a.losses] == ["too_alike"] * 2 and len(mine.requests) == 4


def test_a_policy_that_says_one_thing_alone_makes_no_pool() -> None:
    with pytest.raises(Filtered, match="one_response"):
        run(a_row(instruction="Soup?"), lambda _: "Boil it.")
    with pytest.raises(Unusable, match="no_response"):
        run(a_row(instruction="Soup?"), lambda _: "")


@pytest.mark.parametrize(
    ("params", "pool", "what"),
    [
        ({"off_policy": 3}, 2, "off_policy needs more models"),
        ({"off_policy": 1}, 0, "off_policy needs more models"),
        ({"on_policy": 1}, 0, "a pair needs two responses"),
    ],
)
def test_too_few_models_are_told_before_a_run(params: dict[str, Any], pool: int, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        PolicyPool(**params).check_models({"generator": ["m"], "pool": ["other"] * pool})
    PolicyPool(on_policy=1, off_policy=1).check_models({"generator": ["m"], "pool": ["other"]})
