"""Duplicates and contaminated rows leave both kinds of dataset, are counted in no `rows`, and what stands stays."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from tasks.errors import ConfigError
from tests.flows.test_instruction_sft import Scripted, dataset_bytes, rule, sft
from tests.flows.test_preference_dpo import dpo, judged

TOWNS = "Name a town in the north of {} where many people ride to work on a bicycle."
COPIED = "Tell me in two sentences why the moon shows us the same side."
DISTINCT = [TOWNS.format("France").replace("bicycle", "horse and drink tea"), "Explain what a lever does.", COPIED]
NEAR = {"threshold": 0.7}
SEEDS = [TOWNS.format("Spain"), TOWNS.format("Spain").upper() + "!", TOWNS.format("Poland"), *DISTINCT]


def gone(folder: str = "out") -> list[tuple[str, str, str]]:
    rejects = pl.read_parquet(f"{folder}/rejects.parquet")
    return sorted(rejects.select("reason", "kind", "technique").rows())


def test_rows_counts_what_is_left_and_a_dataset_that_grows_has_no_duplicates(scripted: Scripted) -> None:
    model = scripted(rule)
    Path("moon.jsonl").write_text(json.dumps({"question_id": 7, "turns": [COPIED]}))
    options = {
        "recipe": "respond",
        "seeds": SEEDS,
        "curate": {"decontaminate": {"benchmarks": ["moon.jsonl"]}, "deduplicate": NEAR},
    }
    summary = sft(**options, rows=3)
    assert summary["rows"] == 3
    assert sft(**options)["rows"] == 3
    assert gone() == [
        ("contaminated", "filtered", "decontaminate"),
        ("near_duplicate", "filtered", "deduplicate"),
        ("near_duplicate", "filtered", "deduplicate"),
    ]
    asked = len(model.requests)
    before = dataset_bytes(Path("out/data"))
    assert sft(**options)["requests"] == 0
    assert len(model.requests) == asked
    assert dataset_bytes(Path("out/data")) == before
    more = {**options, "seeds": [*SEEDS, TOWNS.format("Wales"), "Say what a pulley is for."]}
    grown = sft(**more, incremental=True)
    assert (grown["rows"], grown["changes"]["added"], grown["changes"]["gone"]) == (4, 1, 0)


def test_pairs_have_no_duplicates_and_null_keeps_all(scripted: Scripted) -> None:
    scripted(judged)
    options = {"recipe": "basic", "instructions": SEEDS}
    assert dpo(**options, curate={"deduplicate": NEAR})["rows"] <= 4
    assert gone("pairs").count(("near_duplicate", "filtered", "deduplicate")) in (1, 2)
    everything = dpo(**options, out="all", curate={"deduplicate": None})
    assert not [reason for reason, _, technique in gone("all") if technique == "deduplicate"]
    assert everything["rows"] + len(gone("all")) == len(SEEDS)


def test_a_benchmark_that_is_not_there_is_told_before_anything_is_asked(scripted: Scripted) -> None:
    model = scripted(rule)
    Path("empty").mkdir()
    for benchmark, told in (("nowhere", "no such file: nowhere"), ("empty", "a benchmark folder without data: empty")):
        with pytest.raises(ConfigError, match=told):
            sft(recipe="respond", seeds=SEEDS, curate={"decontaminate": {"benchmarks": [benchmark]}})
    assert not model.requests


def test_of_prompts_that_are_given_only_equal_ones_go(scripted: Scripted) -> None:
    scripted(rule)
    seeds = [TOWNS.format(place) for place in ("Spain", "Poland", "France")] + [TOWNS.format("Spain").upper()]
    assert sft(recipe="respond", seeds=seeds)["rows"] == 3
    assert gone() == [("duplicate", "filtered", "deduplicate")]
    assert sft(recipe="respond", seeds=seeds, curate={"deduplicate": NEAR}, out="near")["rows"] == 1


def test_several_answers_to_one_prompt_are_no_duplicates(scripted: Scripted) -> None:
    scripted(rule)
    seeds = [*DISTINCT, DISTINCT[0].upper()]
    assert sft(recipe="respond", seeds=seeds, text_generation={"generations": 3})["rows"] == 9
    assert gone() == [("duplicate", "filtered", "deduplicate")] * 3
