"""What people decide about a dataset is taken up by its next revision, and by any dataset that is made of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.errors import ConfigError
from tasks.publish.origin import story_of
from tasks.reviews.desk import ReviewDesk
from tests.flows.test_curate import curate
from tests.flows.test_instruction_sft import rule, sft
from tests.flows.test_preference_dpo import dpo, judged

Scripted = Callable[..., Any]
SEEDS = [f"question {number}" for number in range(30)]


def rows_of(folder: str) -> list[dict[str, Any]]:
    return pl.read_parquet(f"{folder}/data/train.parquet").to_dicts()


def last(row: dict[str, Any]) -> str:
    return str(row["messages"][-1]["content"])


def edit(row: dict[str, Any], text: str) -> dict[str, Any]:
    column = "chosen" if row.get("chosen") else "messages"
    return {"decision": "edit", "edits": [{"column": column, "turn": len(row[column]) - 1, "text": text}]}


def revise(dataset: str, **told: Any) -> dict[str, Any]:
    from flows.revise import flow_of, revision_of

    config = revision_of(Path(dataset), told.pop("rows", None), told)
    return flow_of(config)(config)


def test_the_next_revision_is_without_what_went_has_the_edits_and_is_refilled(scripted: Scripted) -> None:
    scripted(rule)
    sft(recipe="respond", seeds=SEEDS, rows=10, curate={})
    before = rows_of("out")
    desk = ReviewDesk(Path("out"))
    desk.decide("anna", [before[0]["row_id"], before[1]["row_id"]], {"decision": "reject"})
    desk.decide("anna", [before[2]["row_id"]], edit(before[2], "By hand, and better."))

    summary = revise("out")
    after = rows_of("out")
    assert (summary["revision"], summary["rows"]) == (2, 10), "as many as before: two more were taken"
    assert [row["row_id"] for row in after[1:8]] == [row["row_id"] for row in before[3:]]
    assert last(after[0]) == "By hand, and better."
    assert after[0]["response_model"] == f"{before[2]['response_model']} (edited)"
    assert summary["requests"] <= 4, "the ledger answers all but what was not asked before"
    gone = pl.read_parquet("out/rejects.parquet").filter(reason="by_review")
    assert sorted(gone["row_id"]) == sorted(row["row_id"] for row in before[:2])
    story = story_of(Path("out"), after[0]["row_id"])
    lines = [(line["technique"], line["parents"]) for line in story["lines"]]
    assert lines[0] == ("edit_by_review", [before[2]["row_id"]])
    assert ("text_generation", before[2]["row_id"]) in {(line["technique"], line["row_id"]) for line in story["lines"]}

    desk = ReviewDesk(Path("out"))
    desk.decide("ben", [after[0]["row_id"]], edit(after[0], "Better still."))
    desk.decide("ben", [after[1]["row_id"]], {"decision": "reject"})
    revise("out")
    third = rows_of("out")
    assert last(third[0]) == "Better still.", "an edit of an edited row counts upon it"
    assert after[1]["row_id"] not in {row["row_id"] for row in third}
    revise("out")
    assert rows_of("out") == third, "again the same"


def test_a_curated_dataset_takes_decisions_up_and_keeps_its_own_columns(scripted: Scripted) -> None:
    scripted(rule)
    sft(recipe="respond", seeds=SEEDS[:6], curate=None)
    before = rows_of("out")
    desk = ReviewDesk(Path("out"))
    desk.decide("anna", [before[0]["row_id"]], {"decision": "rate", "rating": 1})
    desk.decide("ben", [before[0]["row_id"]], {"decision": "rate", "rating": 2})
    desk.decide("anna", [before[1]["row_id"]], edit(before[1], "Mine."))
    told = {"dataset": "out", "least_rating": 3}
    assert curate("out", out="apart", curate={"filters": None, "deduplicate": None, "by_review": told})["rows"] == 5
    made = rows_of("apart")
    assert [last(row) for row in made] == ["Mine.", *map(last, before[2:])]
    assert made[0]["row_id"] != before[1]["row_id"]
    assert [row["row_id"] for row in made[1:]] == [row["row_id"] for row in before[2:]]
    assert made[0]["messages"][:-1] == before[1]["messages"][:-1]


def test_pairs_are_turned_round_thrown_out_or_edited_as_people_say(scripted: Scripted) -> None:
    scripted(judged)
    dpo(recipe="basic", instructions=SEEDS[:5], out="pairs", curate=None)
    before = rows_of("pairs")
    assert len(before) >= 4
    ids = [row["row_id"] for row in before]
    desk = ReviewDesk(Path("pairs"))
    desk.decide("anna", ids[:1], {"decision": "prefer", "preferred": "rejected", "left": "rejected"})
    desk.decide("anna", ids[1:2], {"decision": "prefer", "preferred": "tie", "left": "chosen"})
    desk.decide("anna", ids[2:3], edit(before[2], "The best answer."))
    desk.decide("anna", ids[3:4], {"decision": "swap"})
    desk.decide("ben", ids[3:4], {"decision": "prefer", "preferred": "chosen"})
    revise("pairs")
    after = rows_of("pairs")
    assert len(after) == len(before) - 1
    assert (after[0]["chosen"], after[0]["rejected"]) == (before[0]["rejected"], before[0]["chosen"])
    assert (after[0]["chosen_model"], after[0]["judges"]) == (before[0]["rejected_model"], ["people"])
    assert after[0]["score_chosen"] is None, "the judge had it the other way round"
    assert after[1]["chosen"][0]["content"] == "The best answer."
    assert after[1]["chosen_origin"] == "edited"
    assert after[1]["rejected"] == before[2]["rejected"]
    assert after[2] == before[3], "one for each side: it stays as it is"


def test_a_decision_about_what_a_row_does_not_say_any_more_does_not_count(scripted: Scripted) -> None:
    scripted(rule)
    sft(recipe="respond", seeds=SEEDS[:4], curate=None)
    row = rows_of("out")[0]
    ReviewDesk(Path("out")).decide("anna", [row["row_id"]], {"decision": "reject"})
    changed = pl.read_parquet("out/data/train.parquet").with_columns(
        messages=pl.lit([{"role": "user", "content": "q"}, {"role": "assistant", "content": "another"}])
    )
    Path("other.jsonl").write_text(changed.write_ndjson())
    only = {"filters": None, "deduplicate": None, "by_review": {"dataset": "out"}}
    assert curate("other.jsonl", out="apart", curate=only)["rows"] == 4


def test_what_cannot_be_revised_is_told_in_one_line(scripted: Scripted) -> None:
    scripted(rule)
    sft(recipe="respond", seeds=SEEDS[:2], curate=None, incremental=True)
    with pytest.raises(ConfigError, match="nobody has decided"):
        curate("out", out="apart", curate={"by_review": {"dataset": "out"}})
    ReviewDesk(Path("out")).decide("anna", [rows_of("out")[0]["row_id"]], {"decision": "accept"})
    with pytest.raises(ConfigError, match="what stands in it stays"):
        revise("out")
    with pytest.raises(ConfigError, match="no dataset there"):
        revise("nowhere")
