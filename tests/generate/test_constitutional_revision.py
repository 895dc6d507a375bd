import asyncio
from collections import Counter
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.engine.row import Row
from tasks.errors import Filtered, Unusable
from tasks.generate.constitutional_revision import ConstitutionalRevision, constitutional_revision
from tasks.models.base import Request
from tasks.text.prompts import FULL, Prompts
from tasks.text.responses import make_response, response_name
from tests.rows import a_row, models_of

PRINCIPLES = ("It is kind.", "It is brief.", "It is true.")


def between(request: Request, mark: str) -> str:
    assert request.messages is not None
    return request.messages[-1]["content"].partition(f"<{mark}>\n")[2].partition(f"\n</{mark}>")[0]


def critic(request: Request) -> str:
    principle = between(request, "principle")
    return f"Critique: Not so: {principle}\nBroken: {'no' if 'true' in principle else 'yes'}"


def reviser(request: Request) -> str:
    return f"{between(request, 'response')} Now {between(request, 'critique')[8:]}"


def run(row: Row, critic: Any = critic, reviser: Any = reviser, **params: Any) -> Row:
    models = models_of([], prompts=Prompts(FULL, "en"), critic=critic, reviser=reviser)
    params = {"principles": PRINCIPLES} | params
    [child] = asyncio.run(constitutional_revision(row, models, ConstitutionalRevision(**params)))
    return child


def pool(number: int = 0, *texts: str) -> Row:
    return a_row(instruction="Soup?", number=number, responses=[make_response(t, model="m") for t in texts or ("Go.",)])


def test_a_response_that_breaks_its_principle_stands_before_its_revision() -> None:
    row = run(pool(), principles=("It is kind.",))
    original, revised = row["responses"]
    assert (revised["text"], revised["origin"], revised["parent"]) == (
        "Go. Now It is kind.",
        "revised",
        response_name(original),
    )
    assert row["principles"] == revised["operations"] == ["It is kind."]


def test_one_principle_is_drawn_for_each_row_evenly_and_one_more_changes_no_other_row() -> None:
    drawn, more = Counter[str](), 0
    for number in range(60):
        try:
            one = run(pool(number))["principles"]
        except Filtered:
            one = ["It is true."]
        drawn.update(one)
        four = (*PRINCIPLES, "It is a poem.")
        try:
            with_more = run(pool(number), principles=four)["principles"]
        except Filtered:
            with_more = ["It is true."]
        assert with_more in (one, ["It is a poem."])
        more += with_more == ["It is a poem."]
    assert set(drawn) == set(PRINCIPLES) and min(drawn.values()) > 10 and 5 < more < 30


def test_rounds_go_on_from_the_text_of_the_round_before() -> None:
    row = run(pool(), rounds=3)
    original, revised = row["responses"]
    assert sorted(row["principles"]) == sorted(PRINCIPLES), "none comes twice"
    assert len(revised["operations"]) == 2 and "It is true." not in revised["operations"]
    assert revised["text"].startswith("Go. Now") and revised["text"].count("Now") == 2
    assert revised["parent"] == response_name(original)


def test_a_response_that_keeps_its_principles_is_no_pair() -> None:
    with pytest.raises(Filtered, match="keeps_principles"):
        run(pool(), principles=("It is true.",))


def test_a_round_that_fails_is_a_loss_and_all_of_them_a_reject() -> None:
    def fails_at_kind(request: Request) -> str:
        return "" if "kind" in between(request, "principle") else reviser(request)

    row = pool()
    assert len(run(row, reviser=fails_at_kind, rounds=3)["responses"]) == 2
    assert [loss.reason for loss in row.losses] == ["empty"]
    with pytest.raises(Unusable, match="not_revised"):
        run(pool(), reviser=lambda request: between(request, "response"), rounds=2)


def test_ours_are_taken_in_the_language_of_the_prompts() -> None:
    models = models_of(
        [], prompts=Prompts(FULL, "ja"), critic=lambda _: "Broken: はい\nCritique: x", reviser=["別の答え"]
    )
    [row] = asyncio.run(constitutional_revision(pool(), models, ConstitutionalRevision()))
    assert row["principles"][0] in Prompts(FULL, "ja").lists("constitutional_revision")["principles"]


@pytest.mark.parametrize("principles", [("",), ("It is kind.", "It is kind. ")])
def test_principles_that_say_nothing_or_the_same_are_refused(principles: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError):
        ConstitutionalRevision(principles=principles)
