"""Recipe `deita`: rows are evolved, scored beside their variants, and the best that are unlike each other are the dataset."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.models.base import Request
from tasks.notices import heard
from tests.flows.test_instruction_sft import Scripted, dataset_bytes, sft
from tests.flows.test_preference_dpo import dpo, judged

TOWNS = ["Ulm", "Bonn", "Kiel", "Trier", "Jena", "Gera", "Aalen", "Worms", "Fulda", "Hanau", "Celle", "Emden"]
SUBJECTS = [
    "a lever",
    "the tide",
    "yeast",
    "a violin",
    "glass",
    "chess",
    "paper",
    "the moon",
    "salt",
    "a clock",
    "honey",
    "thunder",
]
SEEDS = [
    {"instruction": f"Explain {subject} to somebody from {town}.", "response": f"{subject} is known in {town}."}
    for subject, town in zip(SUBJECTS, TOWNS, strict=True)
]


def rule(request: Request) -> str:
    """Evolves by adding words, answers, and scores by length: the longer, the higher."""
    text = "\n".join(message["content"] for message in request.messages or ())
    if "Score each from" in text:
        kind = (
            "Instruction"
            if "Instruction 1: " in text.split("Reply with")[0] and "Response 1: " not in text.split("Reply with")[0]
            else "Response"
        )
        shown = re.findall(rf"^{kind} \d: (.*)$", text.split("Reply with")[0], re.MULTILINE)
        return "\n".join(f"{kind} {at}: {min(6, 1 + len(one) // 30)}" for at, one in enumerate(shown, 1))
    if "digit from 1 to 6" in text:
        return str(1 + len(text) % 6)
    subject = next((subject for subject in SUBJECTS if subject in text), "it")
    if "Reply with the rewritten" in text or "Reply with the new" in text:
        return f"Explain {subject} in {request.seed % 900 + 90} words, with {subject.upper()} and its history since {request.seed % 97}"
    if "Reply with the better" in text or "better response" in text:
        return f"{subject} is known, and it was found in the year {request.seed % 2000} by somebody who looked for something else."
    return f"Of {subject} there are {request.seed % 97} kinds."


def published(folder: str = "out") -> pl.DataFrame:
    return pl.read_parquet(f"{folder}/data/train.parquet")


def rejects(folder: str = "out") -> pl.DataFrame:
    return pl.read_parquet(f"{folder}/rejects.parquet").filter(pl.col("technique") == "diversify")


def test_the_best_n_come_out_and_a_second_run_asks_nothing(scripted: Scripted) -> None:
    model = scripted(rule)
    told: list[str] = []
    with heard(told.append):
        summary = sft(recipe="deita", seeds=SEEDS, rows=6)
    assert summary["rows"] == 6
    asked = len(model.requests)
    before = dataset_bytes(Path("out/data"))
    again = sft(recipe="deita", seeds=SEEDS, rows=6)
    assert (again["rows"], again["requests"], len(model.requests)) == (6, 0, asked)
    assert dataset_bytes(Path("out/data")) == before
    manifest = json.loads(max(Path("home/runs").glob("*/manifest.json")).read_text())
    selection = manifest["selection"]
    assert (selection["by"], selection["embedder"], selection["rows"]) == ("deita", "ngrams", 6)
    assert selection["candidates"] >= 18
    assert any(f"above a similarity of {selection['threshold']:g} go" in line for line in told)
    card = Path("out/README.md").read_text()
    assert "chosen out of" in card
    assert "`ngrams` (hashed character n-grams" in card
    assert "| test | not stated" in card and "| ngrams | not stated" not in card
    everything = pl.read_parquet("out/rejects.parquet")
    assert "duplicate" not in {*everything["reason"]}, "an answer and what it has become have one question"
    gone = rejects()
    assert {*gone["kind"]} == {"filtered"}
    assert {*gone["reason"]} <= {"not_selected", "too_similar"}
    kept_ids = {*published()["row_id"]}
    for row_id, reason, detail in gone.select("row_id", "reason", "detail").rows():
        assert row_id not in kept_ids
        if reason == "too_similar":
            other, figure = re.fullmatch(r"([0-9a-f]{32}), similarity (0\.\d+|1\.0+)", detail).groups()  # type: ignore[union-attr]
            assert other in kept_ids
            assert float(figure) >= selection["threshold"] - 0.001
    assert "embedding" not in published().columns
    assert all("embedding" not in held for held in gone["input"])


def test_the_order_of_the_rows_changes_nothing(scripted: Scripted) -> None:
    scripted(rule)
    options: dict[str, Any] = {"recipe": "deita", "rows": 5, "curate": {"diversify": {"candidates": "all"}}}
    options["curate"]["deduplicate"] = None  # of near duplicates the first stays
    sft(seeds=SEEDS, out="one", **options)
    sft(seeds=SEEDS[::-1], out="other", **options)
    assert {*published("one")["row_id"]} == {*published("other")["row_id"]}


def test_what_a_step_is_told_is_laid_over_what_the_recipe_says(scripted: Scripted) -> None:
    model = scripted(rule)
    sft(
        recipe="deita",
        seeds=SEEDS[:4],
        rows=2,
        evol_instruct={"generations": 1},
        curate={"diversify": {"candidates": "all"}},
    )
    evolving = [r for r in model.requests if "Reply with the rewritten" in r.messages[-1]["content"]]  # type: ignore[index]
    assert len({r.messages[-1]["content"] for r in evolving}) == 4  # type: ignore[index]


def test_any_recipe_is_scored_and_chosen_from_by_deita(scripted: Scripted) -> None:
    scripted(rule)
    summary = sft(recipe="respond", seeds=SEEDS, rows=3, curate={"diversify": {"by": "deita", "threshold": 0.99}})
    assert summary["rows"] == 3
    scripted(lambda request: rule(request) if "1 to 6" in request.messages[-1]["content"] else judged(request))  # type: ignore[index]
    pairs = dpo(
        recipe="basic",
        instructions=[one["instruction"] for one in SEEDS],
        rows=2,
        curate={"diversify": {"threshold": 0.999}},
    )
    assert pairs["rows"] == 2


def test_a_pool_that_gives_too_few_grows_until_there_are_as_many_or_no_more(scripted: Scripted) -> None:
    scripted(lambda request: "4" if "1 to 6" in request.messages[-1]["content"] else "So it is.")  # type: ignore[index]
    alike = [
        f"Explain a lever to somebody from Ulm, {word}!" for word in ("please", "now", "soon", "today", "well", "again")
    ]
    seeds = [*alike, *(one["instruction"] for one in SEEDS[1:])]
    options: dict[str, Any] = {
        "recipe": "respond",
        "curate": {"deduplicate": None, "diversify": {"threshold": 0.8, "candidates": 4}},
    }
    assert sft(seeds=seeds, rows=4, **options)["rows"] == 4
    assert "too_similar" in {*rejects()["reason"]}
    assert rejects().height + 4 > 5, "the first wave has five"
    told: list[str] = []
    with heard(told.append):
        assert sft(seeds=alike, rows=2, **options | {"out": "few"})["rows"] == 1
    assert told[-1].startswith("1 of 2 rows: 6 candidates are used up")


def test_rows_of_the_dataset_turn_out_those_like_them(scripted: Scripted) -> None:
    scripted(lambda request: "4" if "1 to 6" in request.messages[-1]["content"] else "It is so.")  # type: ignore[index]
    options: dict[str, Any] = {"recipe": "respond", "rows": 2, "incremental": True}
    options["curate"] = {"diversify": {"threshold": 0.8}, "deduplicate": None}
    seeds = [one["instruction"] for one in SEEDS]
    sft(seeds=seeds[:2], **options)
    copies = [f"{one} Please!" for one in seeds[:2]]
    grown = sft(seeds=[*seeds[:2], *copies, *seeds[2:4]], **options)
    assert (grown["rows"], grown["changes"]["added"], grown["changes"]["gone"]) == (4, 2, 0)
    first = {*published()["row_id"][:2]}
    assert {detail[:32] for detail in rejects().filter(pl.col("reason") == "too_similar")["detail"]} == first


@pytest.mark.parametrize("by", ["deita", "random"])
def test_a_recipe_without_a_number_is_told_so(by: str, scripted: Scripted) -> None:
    from tasks.errors import ConfigError

    model = scripted(rule)
    with pytest.raises(ConfigError, match="needs to know how many rows to choose"):
        sft(recipe="deita", seeds=SEEDS, curate={"diversify": {"by": by}})
    assert not model.requests
