"""Duplicates among all rows of a run: the best of a group stays, embeddings are compared, and the numbers stay exact."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.errors import ConfigError
from tasks.notices import heard
from tests.flows.test_curate import curate, lines, said, user
from tests.flows.test_instruction_sft import Scripted, dataset_bytes, rule, sft

TOWN = "Name a town in the north of Spain where many people ride to work on a bicycle."
LEVER = "Explain in two sentences what a lever does and why it helps."
MOON = "Why does the moon show us the same side?"
SCORED = [(TOWN, 2), (TOWN.upper(), 5), (LEVER, 1), (f"  {TOWN}", 5), (MOON, None), (LEVER.lower(), None)]
SIMILAR = {"similarity": 0.6}


def records(scored: list[tuple[str, int | None]]) -> list[dict[str, Any]]:
    return [
        {"messages": [user(asked), said(f"Answer {at}.")], "score": score} for at, (asked, score) in enumerate(scored)
    ]


def published(folder: str) -> pl.DataFrame:
    return pl.read_parquet(f"{folder}/data/train.parquet")


def gone(folder: str = "out") -> list[tuple[str, str]]:
    rejects = pl.read_parquet(f"{folder}/rejects.parquet")
    return sorted(rejects.select("technique", "reason").rows())


def manifest_of(run: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path("home/runs", run, "manifest.json").read_text())
    return found


def test_the_best_of_each_group_stays_in_any_order(prefect_server: str, home: Path) -> None:
    best = {"deduplicate": {"best_by": "score"}}
    curate(lines("one.jsonl", records(SCORED)), curate=best, out="a")
    curate(lines("two.jsonl", records(SCORED)[::-1]), curate=best, out="b")
    one, two = published("a"), published("b")
    assert one.sort("row_id").equals(two.sort("row_id"))
    stay = {row["messages"][0]["content"].strip().lower(): row["score"] for row in one.to_dicts()}
    assert stay == {TOWN.lower(): 5, LEVER.lower(): 1, MOON.lower(): None}
    assert gone("a") == [("deduplicate", "duplicate")] * 3
    assert "score" in one.columns and "embedding" not in one.columns
    dry = curate("one.jsonl", curate=best, dry_run=True)
    assert [(one["step"], one["reason"], one["rows"]) for one in dry["gone"]] == [("deduplicate", "duplicate", 3)]


def test_prompts_are_compared_by_embeddings_and_a_second_run_pays_nothing(scripted: Scripted) -> None:
    model = scripted(rule)
    seeds = [TOWN, LEVER, f"Please tell me this: {TOWN}", MOON, f"{MOON} Thanks"]
    options: dict[str, Any] = {"recipe": "respond", "seeds": seeds, "curate": {"deduplicate": SIMILAR}}
    told: list[str] = []
    with heard(told.append):
        first = sft(**options)
    assert (first["rows"], gone()) == (3, [("deduplicate", "too_similar")] * 2)
    assert "curate.deduplicate: embedder ngrams, rows above a similarity of 0.6 go (as given)" in told
    details = pl.read_parquet("out/rejects.parquet")["detail"].to_list()
    kept = {row[0]["content"]: row_id for row_id, row in published("out").select("row_id", "messages").iter_rows()}
    assert {*kept} == {TOWN, LEVER, MOON}
    assert sorted(detail.split(", ")[0] for detail in details) == sorted([kept[TOWN], kept[MOON]])
    about = manifest_of(first["run"])["deduplicate"]
    assert about == {"embedder": "ngrams", "candidates": 5, "threshold": 0.6, "rows": 3}
    assert "above a similarity of 0.6 to a row that stays a row went: 2 of 5" in Path("out/README.md").read_text()
    asked, before = len(model.requests), dataset_bytes(Path("out/data"))
    again = sft(**options)
    assert (again["requests"], len(model.requests)) == (0, asked)
    assert dataset_bytes(Path("out/data")) == before


def test_rows_is_exact_and_what_stands_turns_out_what_comes(scripted: Scripted) -> None:
    scripted(rule)
    copies = [f"{word} {TOWN}" for word in ("Please:", "Now:", "So:", "Well:", "Here:", "Then:")]
    seeds = [TOWN, *copies, LEVER, MOON, "Say what a pulley is for.", "Count the legs of a spider."]
    options: dict[str, Any] = {"recipe": "respond", "curate": {"deduplicate": SIMILAR}}
    assert sft(**options, seeds=seeds, rows=3)["rows"] == 3
    assert {row[0]["content"] for row in published("out")["messages"]} == {TOWN, LEVER, MOON}
    grown = sft(**options, seeds=[*seeds, f"Again: {LEVER}", "Which river flows through Ulm?"], incremental=True)
    assert (grown["changes"]["added"], grown["changes"]["gone"]) == (3, 0)
    other = lines("other.jsonl", [{"question": f"First, {MOON}"}])
    options["curate"] = {"deduplicate": {**SIMILAR, "against": [other]}}
    assert sft(**options, seeds=[MOON, LEVER], out="apart")["rows"] == 1
    [detail] = pl.read_parquet("apart/rejects.parquet")["detail"].to_list()
    assert detail.startswith(f"{other} row 1, similarity 0.")


def test_the_threshold_is_calibrated_and_told(prefect_server: str, home: Path) -> None:
    asked = [f"{verb} {what} for {who}" for verb in ("Draw", "Bake", "Sell", "Mend") for what in ("a boat", "tin", "an old hat", "rye bread") for who in ("kings", "a dog", "my aunt", "two monks")]  # fmt: skip
    told: list[str] = []
    with heard(told.append):
        summary = curate(
            records([(one, 1) for one in asked]), curate={"deduplicate": {"similarity": "calibrated"}, "filters": None}
        )
    about = manifest_of(summary["run"])["deduplicate"]
    assert about["median"] < about["high"] < about["threshold"] < 1
    assert [line for line in told if "calibrated: of" in line]
    assert about["rows"] == summary["rows"] <= about["candidates"] == len(asked)


def test_a_budget_that_cuts_the_run_short_leaves_all_pending(scripted: Scripted) -> None:
    scripted(rule)
    options: dict[str, Any] = {"recipe": "respond", "seeds": [TOWN, LEVER, MOON], "curate": {"deduplicate": SIMILAR}}
    cut = sft(**options, max_requests=4)
    assert (cut["published"], cut["rows"], cut["ended"]) == (False, 0, "budget reached")
    whole = sft(**options)
    assert (whole["rows"], whole["requests"] + cut["requests"]) == (3, 6)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"deduplicate": {"best_by": "scores"}}, "names no column with a number: scores"),
        ({"deduplicate": SIMILAR, "diversify": {"by": "random", "rows": 1}}, "are not for one run"),
        ({"deduplicate": {**SIMILAR, "against": ["nowhere.jsonl"]}}, "no such file: nowhere.jsonl"),
    ],
)
def test_a_mistake_is_told_before_anything_is_asked(told: dict[str, Any], message: str, scripted: Scripted) -> None:
    model = scripted(rule)
    with pytest.raises(ConfigError, match=message):
        sft(recipe="respond", seeds=[TOWN], curate=told)
    with pytest.raises(ConfigError, match=message):
        curate(records(SCORED), curate=told)
    assert not model.requests


def test_an_embedder_that_is_not_there_is_told_before_anything_is_asked(scripted: Scripted) -> None:
    model = scripted(rule)
    with pytest.raises(ConfigError, match="nowhere/at_all"):
        sft(recipe="respond", seeds=[TOWN], curate={"deduplicate": SIMILAR}, embedder="nowhere/at_all")
    assert not model.requests
