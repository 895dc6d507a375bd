"""Pairs of a dataset that was made elsewhere: their sides have no names either, and what is decided is about the right one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tasks.reviews.desk import ReviewDesk
from tasks.storage.digest import digest
from tests.flows.studio.asked import open_studio
from tests.publish.report.made import publish_rows


def said(role: str, text: str) -> dict[str, str]:
    return {"role": role, "content": text}


def turn(who: str, text: str) -> dict[str, str]:
    return {"from": who, "value": text}


ASKED, GOOD, BAD = said("user", "q"), said("assistant", "a good answer"), said("assistant", "a bad answer")
SCORES = {"score_chosen": 9.0, "score_rejected": 2.0}
FORMS: dict[str, dict[str, Any]] = {
    "texts (TRL, Intel)": {"prompt": "q", "chosen": "a good answer", "rejected": "a bad answer"},
    "conversations (TRL)": {"prompt": [ASKED], "chosen": [GOOD], "rejected": [BAD]},
    "whole conversations (reward)": {"chosen": [ASKED, GOOD], "rejected": [ASKED, BAD], "margin": 7.0},
    "ultrafeedback_binarized": {
        "prompt": "q",
        "prompt_id": "p",
        "chosen": [ASKED, GOOD],
        "rejected": [ASKED, BAD],
        "messages": [ASKED, GOOD],
        **SCORES,
    },
    "sharegpt (LLaMA-Factory)": {
        "conversations": [turn("human", "q")],
        "chosen": turn("gpt", "a good answer"),
        "rejected": turn("gpt", "a bad answer"),
    },
    "alpaca (LLaMA-Factory)": {
        "instruction": "q",
        "input": "a text that it is about",
        "chosen": "a good answer",
        "rejected": "a bad answer",
    },
    "with models and origins": {
        "prompt": [ASKED],
        "chosen": [GOOD],
        "rejected": [BAD],
        "chosen_model": "gpt-4",
        "rejected_model": "tiny",
        **SCORES,
    },
}


def shown(studio: TestClient, by: str, more: str = "") -> str:
    page = studio.get(f"/d/elsewhere/review?by={by}&order=given{more}")
    assert page.status_code == 200
    return page.text.partition('<main id="main"')[2].partition("</main>")[0]


def sides_of(page: str) -> list[str]:
    article = page.partition('<article id="row"')[2].partition("</article>")[0]
    return [re.sub("<[^>]+>", "", part) for part in article.partition('<div class="beside">')[2].split("<b>")[1:]]


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_the_sides_of_a_pair_from_elsewhere_have_no_names(form: str, tmp_path: Path, home: Path) -> None:
    row = {"row_id": digest(form), **FORMS[form]}
    out = publish_rows(tmp_path / "datasets" / "elsewhere", [row], kind="dpo")
    studio, desk = open_studio(tmp_path / "datasets"), ReviewDesk(out)
    lefts = set()
    for number in range(8):
        by = f"reviewer {number}"
        page = shown(studio, by)
        assert not re.search("chosen|rejected|score|margin|gpt|tiny", page), form
        assert re.search(r"<b>user</b>q<", page), "what was asked is shown"
        left, right = sides_of(page)
        assert {left.partition("a ")[2].strip(), right.partition("a ")[2].strip()} == {"good answer", "bad answer"}
        lefts.add("good" in left)
        texts = re.findall(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
        assert [text for text in texts if "answer" in text][:2] == [
            text.partition("a ")[1] + text.partition("a ")[2].strip() for text in (left, right)
        ]
        assert sum("answer" in text for text in texts) == 2, "no column says which of them is the better one"
        better = "left" if "good" in left else "right"
        studio.post("/d/elsewhere/review", data={"session": f"by={by}", "row": row["row_id"], "decision": better})
        again = shown(studio, by, f"&row={row['row_id']}")
        assert f"{better.title()} " in again.partition("you said:")[2][:20]
        assert not re.search("chosen|rejected", again)
    assert lefts == {True, False}, "either side is left, drawn for each reviewer"
    decisions = [one.decision for some in desk.stand().values() for one in some]
    assert {one.preferred for one in decisions} == {"chosen"}
    assert {one.left for one in decisions} == {"chosen", "rejected"}


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_what_is_decided_of_it_becomes_of_the_row(form: str, tmp_path: Path, home: Path) -> None:
    from tasks.publish.report.said import texts_of_row
    from tasks.reviews.changes import changes_of
    from tasks.reviews.standing import review_outcome_of

    row = {"row_id": digest(form), **FORMS[form]}
    out = publish_rows(tmp_path / "datasets" / "elsewhere", [row], kind="dpo")
    studio, desk = open_studio(tmp_path / "datasets"), ReviewDesk(out)
    page = shown(studio, "anna")
    names = re.findall(r'name="(text\.\d+)"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    edited = {name: f"{text}, mended" if "bad" in text else text for name, text in names}
    studio.post("/d/elsewhere/review", data={"session": "by=anna", "row": row["row_id"], "decision": "edit", **edited})
    worse = "left" if "bad" in sides_of(page)[0] else "right"
    studio.post("/d/elsewhere/review", data={"session": "by=anna", "row": row["row_id"], "decision": worse})
    ((_, held, decisions),) = desk.decided()
    after = {**held, **changes_of(held, review_outcome_of(decisions, "majority", 1))}
    assert [text for _, text in texts_of_row(after).answers] == ["a bad answer, mended", "a good answer"]
    assert after.get("messages") in (None, after["chosen"])
    assert after.get("margin") in (None, 0.0)
    assert after.get("score_chosen") is None


def test_with_names_shown_a_preference_was_not_blind(tmp_path: Path, home: Path) -> None:
    row = {"row_id": digest("x"), **FORMS["conversations (TRL)"]}
    out = publish_rows(tmp_path / "datasets" / "elsewhere", [row], kind="dpo")
    studio = open_studio(tmp_path / "datasets")
    studio.post("/d/elsewhere/review", data={"session": "by=anna&named=1", "row": row["row_id"], "decision": "left"})
    ((one,),) = ReviewDesk(out).stand().values()
    assert (one.decision.preferred, one.decision.left) == ("chosen", None)


def test_a_round_through_another_tool_leaves_the_sides_blind(tmp_path: Path, home: Path) -> None:
    from tasks.reviews.exchange.argilla import argilla_records, from_argilla

    row = {"row_id": digest("x"), **FORMS["ultrafeedback_binarized"]}
    out = publish_rows(tmp_path / "datasets" / "elsewhere", [row], kind="dpo")
    desk, studio = ReviewDesk(out), open_studio(tmp_path / "datasets")
    records = argilla_records(desk.asked())
    worse = "left" if "bad" in records[0]["fields"]["left"] else "right"
    records[0]["responses"] = {"preferred": [{"value": worse, "user_id": "u"}]}
    records[0]["metadata"] = {"reviewers": "u ben"}
    assert desk.bring(from_argilla(records)) == (1, 0)
    page = shown(studio, "ben", f"&row={row['row_id']}")
    side = "Left" if "bad" in sides_of(page)[0] else "Right"
    assert page.partition("you said:")[2].strip().startswith(side)
    assert not re.search("chosen|rejected", page)
