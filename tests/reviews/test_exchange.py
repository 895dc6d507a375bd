"""Decisions in Argilla's and Label Studio's formats, out and in.

`tests/data/reviews`: what argilla 2.8.0 (`JsonIO.to_json`) and label-studio-sdk 2.1.2 (tasks that its `LabelInterface` takes)
have written of our own export. `pairs`: an older one, whose sides have their names.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tasks.errors import ConfigError
from tasks.reviews.decisions import Decision
from tasks.reviews.desk import ReviewDesk
from tasks.reviews.exchange.argilla import argilla_records, argilla_settings, from_argilla
from tasks.reviews.exchange.label_studio import from_label_studio, label_studio_config, label_studio_tasks
from tasks.reviews.uses import edit_pairs, good_rows, people_pairs
from tests.publish.report.made import pair, publish_rows, talk

DATA = Path(__file__).parents[1] / "data" / "reviews"


@pytest.fixture
def talks(tmp_path: Path, home: Path) -> ReviewDesk:
    desk = ReviewDesk(publish_rows(tmp_path / "talks", [talk(f"q {at}", f"a {at}") for at in range(4)]))
    ids = desk.view.ids_of(range(4))
    desk.decide("Anna Ø", ids[:2], {"decision": "accept"})
    desk.decide("Anna Ø", ids[:1], {"decision": "rate", "rating": 4})
    edit = {"decision": "edit", "edits": [{"column": "messages", "turn": 1, "text": "new"}], "note": "hm"}
    desk.decide("ben", ids[1:2], edit)
    desk.decide("ben", ids[2:3], {"decision": "skip"})
    return desk


@pytest.fixture
def pairs(tmp_path: Path, home: Path) -> ReviewDesk:
    rows = [pair(f"q {at}", f"good {at}", "bad", score_chosen=4.0, score_rejected=1.0) for at in range(4)]
    desk = ReviewDesk(publish_rows(tmp_path / "pairs", rows, kind="dpo"))
    ids = desk.view.ids_of(range(4))
    desk.decide("ben", ids[:1], {"decision": "prefer", "preferred": "rejected", "left": "chosen"})
    desk.decide("ben", ids[1:2], {"decision": "accept"})
    desk.decide("ben", ids[2:3], {"decision": "reject"})
    return desk


def told(desk: ReviewDesk) -> set[tuple[Any, ...]]:
    def plain(one: Decision) -> tuple[Any, ...]:
        return one.reviewer, one.about, one.decision, one.rating, one.preferred, tuple(edit.text for edit in one.edits)

    return {plain(one.decision) for some in desk.stand().values() for one in some}


def emptied(desk: ReviewDesk) -> ReviewDesk:
    for path in (desk.journal.path, desk.journal.table):
        path.unlink(missing_ok=True)
    return ReviewDesk(desk.dataset)


@pytest.mark.parametrize("tool", ["argilla", "label studio"])
@pytest.mark.parametrize("which", ["talks", "pairs"])
def test_what_was_exported_comes_back_and_is_not_added_twice(
    tool: str, which: str, request: pytest.FixtureRequest
) -> None:
    desk: ReviewDesk = request.getfixturevalue(which)
    before = told(desk)
    made = argilla_records(desk.asked()) if tool == "argilla" else label_studio_tasks(desk.asked())
    assert len(made) == 4
    held = json.loads(json.dumps(made))
    read = from_argilla if tool == "argilla" else from_label_studio
    fresh = emptied(desk)
    assert fresh.bring(read(held))[1] == 0
    assert told(fresh) == before
    assert fresh.bring(read(held))[0] == 0
    assert desk.bring(read(held))[0] == 0, "where it was decided the sides may have been the other way round"
    held[0]["id" if tool == "argilla" else "data"] = "f" * 32 if tool == "argilla" else {"row_id": "f" * 32}
    assert fresh.bring(read(held))[1] > 0


@pytest.mark.parametrize("name", ["talks", "pairs", "blind_pairs"])
def test_what_the_tools_themselves_write_is_read(name: str) -> None:
    records = json.loads((DATA / f"{name}.argilla.json").read_text())
    tasks = json.loads((DATA / f"{name}.label-studio.json").read_text())
    of_argilla = sorted((row, who, sorted(some.items())) for row, who, some in from_argilla(records))
    assert of_argilla == sorted((row, who, sorted(some.items())) for row, who, some in from_label_studio(tasks))
    expected = {"Anna Ø", "ben"}
    assert {who for _, who, _ in of_argilla} == expected


def test_answers_of_users_without_a_name_of_ours_are_theirs() -> None:
    record = {"id": "a", "metadata": {}, "responses": {"decision": [{"value": "accept", "user_id": "12345678-9"}]}}
    assert list(from_argilla([record])) == [("a", "argilla 12345678", {"decision": "accept"})]
    result = {"from_name": "decision", "type": "choices", "value": {"choices": ["reject"]}}
    by = [{"email": "x@example.org"}, 7]
    annotations = [{"result": [result], "completed_by": one} for one in by] + [{"result": [], "was_cancelled": True}]
    found = list(from_label_studio([{"data": {"row_id": "a"}, "annotations": annotations}]))
    assert [who for _, who, _ in found] == ["x@example.org", "label studio 7", "label studio"]
    assert [some for _, _, some in found] == [{"decision": "reject"}] * 2 + [{"decision": "skip"}]


@pytest.mark.parametrize("tool", ["argilla", "label studio"])
def test_the_sides_of_a_pair_have_no_names_there_and_what_is_said_of_them_comes_back(
    tool: str, tmp_path: Path, home: Path
) -> None:
    rows = [pair(f"q {at}", f"good {at}", f"bad {at}", score_chosen=4.0, score_rejected=1.0) for at in range(16)]
    desk = ReviewDesk(publish_rows(tmp_path / "pairs", rows, kind="dpo"))
    made = argilla_records(desk.asked()) if tool == "argilla" else label_studio_tasks(desk.asked())
    settings = json.dumps(argilla_settings(pairs=True)) if tool == "argilla" else label_studio_config(pairs=True)
    assert not [word for word in ("chosen", "rejected", "score") if word in settings + json.dumps(made)]
    shown = [one["fields" if tool == "argilla" else "data"] for one in made]
    assert len({one["left"][:3] for one in shown}) == 2, "either side is left"

    for one, texts in zip(made, shown, strict=True):
        better = "left" if texts["left"].startswith("good") else "right"
        answers = {"preferred": better, f"edited_{better}": f"{texts[better]}, mended"}
        if tool == "argilla":
            one["responses"] = {name: [{"value": value, "user_id": "u" * 8}] for name, value in answers.items()}
        else:
            kinds = {"preferred": ("choices", "choices"), f"edited_{better}": ("textarea", "text")}
            result = [
                {"from_name": name, "type": kinds[name][0], "value": {kinds[name][1]: [value]}}
                for name, value in answers.items()
            ]
            one["annotations"] = [{"result": result}]
    added, unknown = desk.bring((from_argilla if tool == "argilla" else from_label_studio)(made))
    assert (added, unknown) == (32, 0)
    decisions = [one.decision for some in desk.stand().values() for one in some]
    assert {one.preferred for one in decisions if one.decision == "prefer"} == {"chosen"}
    assert {one.left for one in decisions if one.decision == "prefer"} == {"chosen", "rejected"}
    assert {edit.column for one in decisions for edit in one.edits} == {"chosen"}
    assert desk.figures().kappa["side"] == 1.0, "what was shown blind counts for the agreement with the judges"


def test_a_preference_of_sides_with_names_is_none_that_was_blind(pairs: ReviewDesk) -> None:
    pairs = emptied(pairs)
    row_id = pairs.view.ids_of([0])[0]
    answers = {"preferred": [{"value": "rejected", "user_id": "u"}]}
    pairs.bring(
        from_argilla([{"id": row_id, "metadata": {}, "responses": answers, "fields": {"chosen": "", "rejected": ""}}])
    )
    ((one,),) = pairs.stand().values()
    assert (one.decision.preferred, one.decision.left) == ("rejected", None)


def test_an_edit_of_a_question_does_not_come_back_as_one_of_the_answer(talks: ReviewDesk) -> None:
    talks = emptied(talks)
    ids = talks.view.ids_of([0])
    edit = {"decision": "edit", "edits": [{"column": "messages", "turn": 0, "text": "another question"}]}
    talks.decide("ben", ids, edit)
    made = argilla_records(talks.asked())
    assert "another question" not in json.dumps(made)


def test_settings_name_the_questions_that_are_read() -> None:
    for paired in (False, True):
        names = {one["name"] for one in argilla_settings(pairs=paired)["questions"]}
        tags = ElementTree.fromstring(label_studio_config(pairs=paired))
        asked = {tag.get("name") for tag in tags if tag.get("toName")}
        assert asked == names
        assert ("preferred" in names) is paired


def test_what_is_neither_is_told() -> None:
    for wrong in ({}, [{}], [1]):
        with pytest.raises(ConfigError, match="not what"):
            list(from_argilla(wrong))
        with pytest.raises(ConfigError, match="not what"):
            list(from_label_studio(wrong))


def test_edits_are_pairs_and_what_was_accepted_are_seeds(talks: ReviewDesk, pairs: ReviewDesk) -> None:
    (edited,) = edit_pairs(talks.decided())
    assert edited["prompt"] == [{"role": "user", "content": "q 1"}]
    assert (edited["chosen"][0]["content"], edited["rejected"][0]["content"]) == ("new", "a 1")
    seeds = sorted(row["messages"][-1]["content"] for row in good_rows(talks.decided()))
    assert seeds == ["a 0", "new"]
    people = {one["prompt"][-1]["content"]: one for one in people_pairs(pairs.decided())}
    assert set(people) == {"q 0", "q 1"}
    assert people["q 0"]["chosen"][0]["content"] == "bad", "people preferred the other one"
