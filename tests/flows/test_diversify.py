"""The rows of a dataset are chosen out of a full pool, in both kinds of dataset, whatever the order of the candidates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.errors import ConfigError
from tasks.notices import heard
from tests.flows.test_instruction_sft import Scripted, dataset_bytes, rule, sft
from tests.flows.test_preference_dpo import dpo, judged

SEEDS = [
    f"Tell me {n} facts about the town of {name}."
    for n, name in enumerate(["Ulm", "Bonn", "Kiel", "Trier", "Jena", "Gera", "Aalen", "Worms"], 2)
]
FACTS = "Say which numbers are even: {}"


def published(folder: str = "out") -> pl.DataFrame:
    return pl.read_parquet(f"{folder}/data/train.parquet")


def reasons(folder: str = "out") -> list[str]:
    return sorted(pl.read_parquet(f"{folder}/rejects.parquet")["reason"].to_list())


def test_three_times_as_many_candidates_are_made_and_the_number_is_exact(scripted: Scripted) -> None:
    model = scripted(rule)
    seeds = [FACTS.format(n) for n in range(40)]
    summary = sft(recipe="respond", seeds=seeds, rows=5, curate={"diversify": {"by": "random"}})
    assert summary["rows"] == 5
    assert len(model.requests) == 17  # 15 are needed, and a tenth to spare
    assert reasons() == ["not_selected"] * 12
    own = sft(
        recipe="respond", seeds=seeds, curate={"diversify": {"by": "random", "rows": 5, "candidates": 8}}, out="own"
    )
    assert own["rows"] == 5
    everything = sft(recipe="respond", seeds=seeds, rows=5, curate={"diversify": {"by": "random", "candidates": "all"}})
    assert (everything["rows"], everything["requests"]) == (5, 23)


def test_the_order_of_the_seeds_changes_nothing(scripted: Scripted) -> None:
    scripted(rule)
    options: dict[str, Any] = {
        "recipe": "respond",
        "rows": 3,
        "curate": {"diversify": {"by": "random", "candidates": "all"}},
    }
    sft(seeds=SEEDS, out="one", **options)
    sft(seeds=SEEDS[::-1], out="other", **options)
    assert {*published("one")["row_id"]} == {*published("other")["row_id"]}


def test_rows_like_a_target_are_chosen_and_a_second_run_asks_nothing(scripted: Scripted) -> None:
    scripted(rule)
    Path("target.jsonl").write_text(
        json.dumps({"instruction": "Facts about the town of Trier, and about the town of Worms"})
    )
    options: dict[str, Any] = {
        "recipe": "respond",
        "seeds": [*SEEDS, *(FACTS.format(n) for n in range(12))],
        "rows": 8,
        "curate": {"diversify": {"by": "rds", "target": ["target.jsonl"], "candidates": "all"}},
    }
    first = sft(**options)
    assert {row[0]["content"] for row in published()["messages"]} == {*SEEDS}
    before = dataset_bytes(Path("out/data"))
    again = sft(**options)
    assert (first["rows"], again["rows"], again["requests"]) == (8, 8, 0)
    assert dataset_bytes(Path("out/data")) == before
    manifest = json.loads(next(Path("home/runs").glob("*/manifest.json")).read_text())
    assert manifest["selection"] == {"by": "rds", "candidates": 20, "rows": 8, "embedder": "ngrams"}
    embedded = sum(table["rows_in"] for table in manifest["steps"]["embed"])
    assert embedded == 20, "what is compared with is none of the run's rows"


def test_pairs_are_chosen_too(scripted: Scripted) -> None:
    scripted(judged)
    summary = dpo(recipe="basic", instructions=SEEDS, rows=2, curate={"diversify": {"by": "random"}})
    assert summary["rows"] == 2
    assert "embedding" not in published("pairs").columns


def test_of_too_few_candidates_what_there_is_is_chosen_and_told(scripted: Scripted) -> None:
    scripted(rule)
    told: list[str] = []
    with heard(told.append):
        assert sft(recipe="respond", seeds=SEEDS, rows=5, curate={"diversify": {"by": "random"}})["rows"] == 5
    assert [line for line in told if "candidates" in line] == [
        "curate.diversify: 8 of 15 candidates, since there are no more"
    ]


def test_a_pool_that_a_budget_cuts_short_is_not_chosen_from(scripted: Scripted) -> None:
    scripted(rule)
    options: dict[str, Any] = {
        "recipe": "respond",
        "seeds": SEEDS,
        "rows": 2,
        "curate": {"diversify": {"by": "random"}},
    }
    cut = sft(**options, max_requests=3)
    assert (cut["published"], cut["rows"], cut["ended"]) == (False, 0, "budget reached")
    assert cut["pending"] >= 3
    whole = sft(**options)
    assert (whole["rows"], whole["requests"]) == (2, 4)
    sft(**options, out="at_once")
    assert dataset_bytes(Path("out/data")) == dataset_bytes(Path("at_once/data"))


def test_a_dataset_that_grows_gets_as_many_more(scripted: Scripted) -> None:
    scripted(rule)
    options: dict[str, Any] = {"recipe": "respond", "rows": 2, "incremental": True}
    options["curate"] = {"diversify": {"by": "random"}}
    assert sft(seeds=SEEDS[:6], **options)["rows"] == 2
    grown = sft(seeds=SEEDS[:6] + [FACTS.format(n) for n in range(20)], **options)
    assert (grown["rows"], grown["changes"]) == (4, {"added": 2, "changed": 0, "gone": 0})


@pytest.mark.parametrize(
    ("told", "diversify", "message"),
    [
        ({"rows": 4}, {"by": "random", "rows": 5}, "two numbers of rows: rows 4, curate.diversify.rows 5"),
        ({}, {"by": "random"}, "needs to know how many rows to choose"),
        ({"rows": 9}, {"by": "random", "candidates": 5}, "more rows to choose than candidates: 9 of 5"),
        ({"rows": 1}, {"by": "rds", "target": ["nowhere.jsonl"]}, "no such file: nowhere.jsonl"),
        ({"rows": 1, "embedder": "nowhere/at_all"}, {"by": "rds", "target": ["t.jsonl"]}, "nowhere/at_all"),
    ],
)
def test_a_mistake_is_told_before_anything_is_asked(
    told: dict[str, Any], diversify: dict[str, Any], message: str, scripted: Scripted
) -> None:
    model = scripted(rule)
    Path("t.jsonl").write_text('{"instruction": "a"}')
    with pytest.raises(ConfigError, match=message):
        sft(recipe="respond", seeds=SEEDS, curate={"diversify": diversify}, **told)
    assert not model.requests
