import asyncio
import json
import re
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.engine.row import Row
from tasks.errors import ConfigError, Filtered, Unusable
from tasks.judge.panel import check_panel
from tasks.judge.rate import Criterion, Rate, check_rate, criteria_in, rate, verdicts_of
from tasks.models.base import Request
from tasks.models.scripted import Rule, ScriptedModel
from tasks.text.prompts import DEMO, FULL, Prompts, languages_of
from tests.rows import a_row, models_of

EN = Prompts(FULL, "en")
OURS = ["correct", "complete", "clear", "safe"]


def said(*values: Any) -> str:
    return "\n\n".join(f"Criterion {n}\nReason: r{n}\nRating: {value}" for n, value in enumerate(values, 1))


def always(*values: Any) -> Rule:
    return lambda _: said(*values)


def rated(row: Row, *judges: Rule | list[str], prompts: Prompts = EN, **params: Any) -> Row:
    panel = [ScriptedModel(judge, name=f"judge {i}") for i, judge in enumerate(judges)]
    [kept] = asyncio.run(rate(row, models_of([], judge=panel, prompts=prompts), Rate(**params)))
    return kept


def a_response(**columns: Any) -> Row:
    return a_row(**{"instruction": "Name a metal.", "response": "Iron."} | columns)


def asked(request: Request) -> str:
    return "\n".join(message["content"] for message in request.messages or ())


def test_a_row_that_stays_is_the_same_row_with_its_ratings_beside_it() -> None:
    row = a_response()
    kept = rated(row, always(5, 4, 3, 4))
    assert kept.row_id == row.row_id and {name: kept[name] for name in row} == dict(row)
    assert kept["score"] == 4
    assert [(one["judge"], one["aspect"], one["rating"], one["rationale"]) for one in kept["ratings"]] == [
        ("judge 0", name, value, f"r{n}") for n, (name, value) in enumerate(zip(OURS, (5, 4, 3, 4), strict=True), 1)
    ]


@pytest.mark.parametrize(
    ("values", "threshold", "stays"),
    [((3, 3, 3, 3), 3, True), ((3, 3, 3, 2), 3, False), ((4, 3, 4, 3), 3.5, True), ((1, 1, 1, 1), 1, True)],
)
def test_the_threshold_itself_stays_and_what_is_below_goes(values: Any, threshold: float, stays: bool) -> None:
    if stays:
        rated(a_response(), always(*values), threshold=threshold)
        return
    with pytest.raises(Filtered) as refusal:
        rated(a_response(), always(*values), threshold=threshold)
    assert refusal.value.reason == "low_rating"
    assert refusal.value.detail == "score 2.75, at least 3 (correct 3, complete 3, clear 3, safe 2)"
    ratings = json.loads(refusal.value.raw or "")
    assert [one["rating"] for one in ratings] == list(values), "what was paid for is in the reject"


def test_criteria_of_the_users_own_have_weights_and_a_least_rating_each() -> None:
    criteria = [
        {"name": "in our tone", "text": "It sounds like us.\n1 - no\n10 - yes", "weight": 3},
        {"name": "short", "text": "It is short.", "least": 5},
    ]
    model = ScriptedModel(always(9, 5))
    row, told = a_response(), {"criteria": criteria, "scale": 10, "threshold": 8}
    [kept] = asyncio.run(rate(row, models_of([], judge=model, prompts=EN), Rate(**told)))
    assert kept["score"] == (3 * 9 + 5) / 4
    text = asked(model.requests[0])
    assert "Criterion 1: in our tone\nIt sounds like us.\n1 - no\n10 - yes" in text
    assert "from 1 to 10" in text and "correct" not in re.findall(r"Criterion \d: (\w+)", text)
    with pytest.raises(Filtered, match="low_rating: short 4, at least 5"):
        rated(row, always(10, 4), **told)


def test_one_of_ours_can_be_named_without_its_text() -> None:
    ours = EN.lists("rate")
    told = (Criterion(name="safe", least=4), Criterion(name="kind", text="It is kind."))
    assert criteria_in(told, ours) == {"safe": ours["safe"], "kind": ["It is kind."]}
    with pytest.raises(ConfigError, match="did you mean correct"):
        criteria_in((Criterion(name="corect"),), ours)


def test_several_judges_are_averaged_criterion_by_criterion() -> None:
    kept = rated(a_response(), always(5, 5, 5, 5), always(1, 5, 3, "N/A"), threshold=1)
    assert kept["score"] == (3 + 5 + 4 + 5) / 4, "what does not apply counts for nothing"
    assert [one["judge"] for one in kept["ratings"]] == ["judge 0"] * 4 + ["judge 1"] * 4


def test_a_judge_that_fails_is_a_loss_unless_more_have_to_have_rated() -> None:
    row = a_response()
    assert rated(row, lambda _: "I cannot say.", always(4, 4, 4, 4))["score"] == 4
    assert [loss.reason for loss in row.losses] == ["index_missing"]
    with pytest.raises(Unusable, match="too_few_judges: 1 answered, at least 2"):
        rated(a_response(), lambda _: "I cannot say.", always(4, 4, 4, 4), min_judges=2)
    with pytest.raises(Unusable, match="no_rating") as reject:
        rated(a_response(), lambda _: "I cannot say.")
    assert (reject.value.kind, reject.value.raw) == ("failed", "I cannot say.")


def test_the_conversation_before_the_answer_is_shown_and_so_is_a_reference() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "weigh", "arguments": '{"what": "iron"}'}}
    turns = [
        {"role": "user", "content": "Weigh it."},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "8 kg"},
    ]
    answer = {"role": "assistant", "content": "It weighs 8 kg."}
    for row in (
        a_row(messages=[*turns, answer], system="You weigh.", reference="8 kg"),
        a_row(messages=turns, response=answer["content"], system="You weigh.", reference="8 kg"),
    ):
        model = ScriptedModel(always(5, 5, 5, 5))
        asyncio.run(rate(row, models_of([], judge=model, prompts=EN), Rate()))
        text = asked(model.requests[0])
        shown = 'system: You weigh.\nuser: Weigh it.\nassistant: weigh({"what": "iron"})\ntool: 8 kg'
        assert f"<instruction>\n{shown}\n</instruction>" in text
        assert "<response>\nIt weighs 8 kg.\n</response>" in text and "<reference>\n8 kg\n</reference>" in text


@pytest.mark.parametrize(
    ("columns", "reason"),
    [({"instruction": "Name a metal."}, "no_response"), ({"response": "Iron."}, "no_prompt")],
)
def test_a_row_with_nothing_to_rate_is_filtered(columns: dict[str, str], reason: str) -> None:
    with pytest.raises(Filtered, match=reason):
        rated(a_row(**columns), always(5, 5, 5, 5))


def test_with_one_criterion_a_judge_need_not_say_which() -> None:
    assert verdicts_of("Rating: 4\nReason: fair", ["overall"], 5) == {"overall": (4.0, "fair")}
    reasoned = "19 + 2 = 21. It is 21: 21 yes.\nRating: 5\nReason: right, with the steps."
    assert verdicts_of(reasoned, ["overall"], 5)["overall"].rating == 5, "figures before it are no rating"
    assert verdicts_of("Reason: fair\nRating: 9", ["tone"], 10)["tone"] == (9.0, "fair")
    assert verdicts_of(said(4), ["overall"], 5) == {"overall": (4.0, "r1")}
    with pytest.raises(Unusable):
        verdicts_of("Rating: 4", ["correct", "clear"], 5)


@pytest.mark.parametrize("language", languages_of(FULL))
def test_every_language_has_our_four_criteria_with_five_grades(language: str) -> None:
    prompts = Prompts(FULL, language)
    check_rate(Rate(), prompts)
    assert all(len(lines) == 6 for lines in criteria_in((), prompts.lists("rate")).values())
    assert list(prompts.lists("rate")) == OURS


def test_the_built_in_model_has_one_criterion_and_cannot_be_given_others() -> None:
    demo = Prompts(DEMO, "en")
    check_rate(Rate(), demo)
    kept = rated(a_response(), lambda _: "Rating: 4\nReason: fair", prompts=demo)
    assert (kept["score"], kept["ratings"][0]["aspect"]) == (4, "overall")
    for told in ({"criteria": [{"name": "kind", "text": "It is kind."}]}, {"scale": 10}):
        with pytest.raises(ConfigError, match="one criterion of their own"):
            check_rate(Rate(**told), demo)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"threshold": 6}, "threshold: 6 is not on the scale of 1 to 5"),
        ({"criteria": [{"name": "safe", "least": 0}]}, "safe: 0 is not on the scale"),
        ({"criteria": [{"name": "safe"}, {"name": "Safe"}]}, "two criteria have the same name"),
        ({"criteria": [{"name": "safe", "weight": 0}]}, "greater than 0"),
        ({"scale": 1}, "greater than or equal to 2"),
    ],
)
def test_bad_settings_are_told(told: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Rate(**told)


def test_what_the_prompts_or_the_judges_cannot_do_is_told() -> None:
    with pytest.raises(ConfigError, match="grades of 1 to 5, not 10: correct, complete"):
        check_rate(Rate(scale=10), EN)
    with pytest.raises(ConfigError, match="none of ours: kind"):
        check_rate(Rate(criteria=({"name": "kind"},)), EN)  # type: ignore[arg-type]
    check_panel(2, 2, "min_judges")
    with pytest.raises(ConfigError, match="more judges than there are: 3"):
        check_panel(3, 2, "min_judges")
