import asyncio
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.engine.row import Row
from tasks.errors import Filtered, Unusable
from tasks.judge.rubric import RubricWeights, missed, rubric_score
from tasks.judge.rubric_ratings import RubricRatings, rubric_ratings
from tasks.judge.rubrics import Rubrics, rubrics
from tasks.models.base import Request
from tasks.models.scripted import Rule, ScriptedModel
from tasks.text.prompts import FULL, Prompts
from tasks.text.responses import make_response
from tasks.text.verdicts.rubric import KINDS, EntryCheck, RubricEntry
from tests.rows import a_row, models_of

EN = Prompts(FULL, "en")
WRITTEN = "1. [essential] It says iron.\n2. [important] It is one word.\n3. [optional] It has a full stop.\n4. [pitfall] It says bronze."
MEETS = {
    "Iron.": "yes yes yes no",
    "Iron, as I think": "yes no no no",
    "Bronze": "no yes no yes",
    "Iron": "yes yes no no",
}
WEIGHTS = RubricWeights()
SCORES = {"Iron.": 1.0, "Iron, as I think": 1.0 / 2, "Bronze": 0.0, "Iron": 1.7 / 2}


def asked(request: Request) -> str:
    return "\n".join(message["content"] for message in request.messages or ())


def fair(request: Request) -> str:
    """Writes the rubric, and checks by MEETS."""
    text = asked(request)
    if "checklist by which answers" in text:
        return WRITTEN
    response = text.partition("<response>\n")[2].partition("\n</response>")[0]
    return said(MEETS[response])


def said(verdicts: str) -> str:
    return "\n\n".join(f"Criterion {n}\nReason: r{n}\nMet: {one}" for n, one in enumerate(verdicts.split(), 1))


def harsh(request: Request) -> str:
    return said("no no no yes")


def gated(row: Row, *judges: Rule, **params: Any) -> Row:
    panel = [ScriptedModel(judge, name=f"judge {i}") for i, judge in enumerate(judges)]
    [kept] = asyncio.run(rubrics(row, models_of([], judge=panel, prompts=EN), Rubrics(**params)))
    return kept


def a_response(text: str = "Iron.", **columns: Any) -> Row:
    return a_row(instruction="Name a metal.", response=text, **columns)


@pytest.mark.parametrize("text", MEETS)
def test_the_score_is_what_is_gained_less_what_is_lost_as_a_share(text: str) -> None:
    kept = gated(a_response(text), fair, threshold=0, all_essential=False)
    assert kept["rubric_score"] == pytest.approx(SCORES[text])
    assert kept["rubric"][0] == "[essential] It says iron." and len(kept["rubric"]) == 4
    [rating] = kept["ratings"]
    assert (rating["judge"], rating["aspect"], rating["rating"]) == ("judge 0", "rubric", kept["rubric_score"])
    assert rating["rationale"].splitlines()[0] == f"{MEETS[text].split()[0]} - [essential] It says iron.: r1"


def test_a_row_below_the_threshold_goes_with_its_figure_and_what_the_judge_said() -> None:
    with pytest.raises(Filtered, match=r"low_rubric_score: score 0\.5, at least 0\.6") as refusal:
        gated(a_response("Iron, as I think"), fair)
    assert json.loads(refusal.value.raw or "")[0]["rating"] == 0.5
    assert gated(a_response("Iron, as I think"), fair, threshold=0.5)["rubric_score"] == 0.5


def test_a_row_that_misses_what_is_essential_goes_whatever_its_score() -> None:
    with pytest.raises(Filtered, match=r"essential_missing: It says iron\."):
        gated(a_response("Bronze"), fair, threshold=0)
    assert gated(a_response("Bronze"), fair, threshold=0, all_essential=False)["rubric_score"] == 0
    assert gated(a_response(), fair, harsh, threshold=0)["rubric_score"] == 0.5, "one of two is not most"


def test_the_first_judge_writes_the_rubric_before_it_sees_a_response_and_all_check_by_it() -> None:
    panel = [ScriptedModel(fair, name="a"), ScriptedModel(fair, name="b")]
    row = a_response(reference="Iron is one.")
    asyncio.run(rubrics(row, models_of([], judge=panel, prompts=EN), Rubrics()))
    written, *checked = [asked(request) for model in panel for request in model.requests]
    assert "Iron." not in written and "<reference>\nIron is one.\n</reference>" in written
    assert len(checked) == 2 and checked[0] == checked[1]
    assert re.findall(r"^Criterion \d: (.*)$", checked[0], re.MULTILINE) == re.findall(r"\] (.*)", WRITTEN)
    assert "[essential]" not in checked[0], "who checks is not told what it weighs"


def test_ratings_from_before_stay_beside_those_of_the_rubric() -> None:
    earlier = {"judge": "j", "aspect": "clear", "rating": 4.0, "rationale": "", "order": 0}
    kept = gated(a_response(ratings=[earlier]), fair)
    assert [one["aspect"] for one in kept["ratings"]] == ["clear", "rubric"]


def test_a_rubric_that_nobody_can_write_rejects_the_row() -> None:
    with pytest.raises(Unusable, match="rubric_empty"):
        gated(a_response(), lambda _: "I cannot.")
    with pytest.raises(Unusable, match="too_few_judges"):
        gated(a_response(), fair, lambda _: "I cannot.", min_judges=2)


def a_pool(*texts: str) -> Row:
    return a_row(instruction="Name a metal.", responses=[make_response(one, model="m", origin="pool") for one in texts])


def pooled(row: Row, *judges: Rule, **params: Any) -> Row:
    panel = [ScriptedModel(judge, name=f"judge {i}") for i, judge in enumerate(judges)]
    [child] = asyncio.run(rubric_ratings(row, models_of([], judge=panel, prompts=EN), RubricRatings(**params)))
    return child


def test_responses_are_rated_by_one_rubric_on_the_scale_of_pairs() -> None:
    model = ScriptedModel(fair)
    [child] = asyncio.run(rubric_ratings(a_pool(*MEETS), models_of([], judge=model, prompts=EN), RubricRatings()))
    found = {one["text"]: one["score"] for one in child["responses"]}
    assert found == {text: pytest.approx(1 + 4 * score) for text, score in SCORES.items()}
    assert len(model.requests) == 1 + len(MEETS)


def test_permuting_the_responses_changes_no_rating() -> None:
    one, other = (pooled(a_pool(*texts), fair) for texts in (MEETS, reversed(MEETS)))
    assert one["responses"] == other["responses"]


def test_a_response_that_too_few_judges_have_checked_has_no_rating() -> None:
    def unsure(request: Request) -> str:
        return "I cannot say." if "Bronze" in asked(request) else fair(request)

    child = pooled(a_pool("Iron.", "Bronze"), fair, unsure, min_judges=2)
    assert {one["text"]: one["score"] for one in child["responses"]} == {"Iron.": 5.0, "Bronze": None}


kinds = st.lists(st.sampled_from(KINDS), min_size=0, max_size=8).map(lambda more: ["essential", *more])


@given(kinds, st.data())
def test_a_score_is_a_share_and_meeting_more_never_lowers_it(named: list[str], data: st.DataObject) -> None:
    rubric = tuple(RubricEntry(kind, f"entry {n}") for n, kind in enumerate(named))
    met = data.draw(st.lists(st.booleans(), min_size=len(named), max_size=len(named)))
    score = rubric_score(rubric, [EntryCheck(one, "") for one in met], WEIGHTS)
    assert 0 <= score <= 1
    for n, entry in enumerate(rubric):
        better = [*met[:n], entry.kind != "pitfall", *met[n + 1 :]]
        assert rubric_score(rubric, [EntryCheck(one, "") for one in better], WEIGHTS) >= score - 1e-12
    best = [EntryCheck(entry.kind != "pitfall", "") for entry in rubric]
    assert rubric_score(rubric, best, WEIGHTS) == 1 and missed(rubric, best) == []
