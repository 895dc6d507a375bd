"""`rows: N` is N rows after all curation, for every recipe, however often a run was cut short, added to or healed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tasks.errors import PermanentError
from tasks.models.base import Request
from tasks.notices import heard
from tests.flows.runs.test_budgets import everything
from tests.flows.runs.test_lineage import failing, retry
from tests.flows.test_instruction_sft import Scripted, rule, sft
from tests.flows.test_preference_dpo import dpo, judged

ROWS = 7
BENCHMARK = "Explain in a few plain words why the moon shows people on earth the same side all year."
REFUSED = "I'm sorry, but I can't help with that."
SHAPES = ("Explain {}.", "Name {} things about a river.", "Sort {} towns by how old they are.", "What follows from {}?")
SEEDS = [SHAPES[at % 4].format(f"point {at}") for at in range(60)]
TWICE = [seed for at, seed in enumerate(SEEDS) for seed in ([seed, f" {seed.upper()}"] if at % 3 == 0 else [seed])]
SFT_RECIPES = [
    ("respond", "context"),
    ("basic", "context"),
    ("seeded", "context"),
    ("evolved", "context"),
    ("seeded", "bootstrap"),
]
DPO_RECIPES = ["basic", "evolved", "critiqued"]
CURATE = {"decontaminate": {"benchmarks": ["moon.jsonl"]}, "deduplicate": {}}


def spoilt(answer: Callable[[Request], str]) -> Callable[[Request], str]:
    """A model some of whose answers refuse, and some of which hold what a benchmark asks."""

    def spoil(request: Request) -> str:
        said = answer(request)
        if not said.startswith("The answer is"):
            return said
        return {0: REFUSED, 1: f"{said} {BENCHMARK}"}.get(request.seed % 5, said)

    return spoil


@pytest.fixture
def benchmark(home: Path) -> None:
    Path("moon.jsonl").write_text(json.dumps({"question_id": 1, "question": BENCHMARK}))


def asked_of(folder: str) -> list[str]:
    rows = pl.read_parquet(f"{folder}/data/train.parquet")
    talks = rows["messages" if "messages" in rows.columns else "prompt"]
    return [next(turn["content"] for turn in turns if turn["role"] == "user") for turns in talks.to_list()]


def gone(folder: str = "out") -> Counter[str]:
    return Counter(pl.read_parquet(f"{folder}/rejects.parquet")["reason"])


def check_clean(folder: str, rows: int) -> None:
    """So many rows, none of them what curation takes out."""
    frame = pl.read_parquet(f"{folder}/data/train.parquet")
    assert frame.height == rows
    text = json.dumps(frame.to_dicts())
    assert REFUSED not in text.replace("rejected", "") or "rejected" in frame.columns
    assert BENCHMARK not in text
    prompts = [" ".join(prompt.casefold().split()) for prompt in asked_of(folder)]
    assert len(set(prompts)) == rows


@pytest.mark.parametrize(("recipe", "mode"), SFT_RECIPES)
def test_an_sft_recipe_makes_so_many_good_rows(recipe: str, mode: str, scripted: Scripted, benchmark: None) -> None:
    scripted(spoilt(everything))
    bootstrap = {"target": 40, "prompts_per_round": 4, "max_similarity": 1}
    more = {"bootstrap": bootstrap} if mode == "bootstrap" else {}
    summary = sft(recipe=recipe, mode=mode, seeds=TWICE, rows=ROWS, curate=CURATE, **more)
    assert summary["rows"] == ROWS
    check_clean("out", ROWS)
    assert {"refusal", "contaminated"} & set(gone())


@pytest.mark.parametrize("recipe", DPO_RECIPES)
def test_a_dpo_recipe_makes_so_many_good_pairs(recipe: str, scripted: Scripted, benchmark: None) -> None:
    scripted(spoilt(judged))
    summary = dpo(recipe=recipe, instructions=TWICE, rows=ROWS, curate=CURATE)
    assert summary["rows"] == ROWS
    check_clean("pairs", ROWS)
    assert {"refusal", "contaminated"} & set(gone("pairs"))


@pytest.mark.parametrize("recipe", ["respond", "evolved"])
def test_a_run_cut_short_goes_on_to_the_rows_that_it_would_have_made(
    recipe: str, scripted: Scripted, benchmark: None
) -> None:
    model = scripted(spoilt(rule))
    told = {"recipe": recipe, "seeds": TWICE, "rows": ROWS, "curate": CURATE, "shard_rows": 3}
    whole = sft(**told, out="whole")
    paid = len(model.requests)
    calls = 0

    def dying(request: Request) -> str:
        nonlocal calls
        calls += 1
        if calls > 6:
            raise PermanentError("the key has expired", "test")
        return spoilt(rule)(request)

    scripted(dying).requests.clear()
    new = {"seed": 1, **told, "out": "cut"}
    with pytest.raises(PermanentError):
        sft(**new)
    model = scripted(spoilt(rule))
    some = sft(**new, max_requests=5)
    assert some["rows"] < ROWS or some["ended"] == "completed"
    assert sft(**new)["rows"] == ROWS
    check_clean("cut", ROWS)
    anew = sft(**{**new, "out": "anew"})
    assert anew["requests"] == 0
    assert Path("anew/data/train.parquet").read_bytes() == Path("cut/data/train.parquet").read_bytes()
    assert (whole["rows"], paid > 0) == (ROWS, True)


def test_each_night_adds_so_many_rows_that_are_like_none_before(scripted: Scripted, benchmark: None) -> None:
    scripted(spoilt(rule))
    told = {"recipe": "respond", "seeds": TWICE, "rows": ROWS, "curate": CURATE, "incremental": True}
    for nights in range(1, 4):
        summary = sft(**told)
        assert (summary["rows"], summary["changes"]["added"]) == (nights * ROWS, ROWS)
        check_clean("out", nights * ROWS)


def test_where_candidates_do_not_last_it_is_told_why(scripted: Scripted, benchmark: None) -> None:
    scripted(spoilt(rule))
    said: list[str] = []
    with heard(said.append):
        few = sft(recipe="respond", seeds=TWICE, rows=ROWS, max_candidates=8, curate=CURATE)
        assert few["rows"] < ROWS
        sft(recipe="respond", seeds=TWICE[:6], rows=ROWS, curate=CURATE, out="all")
    told = [line for line in said if "are used up" in line]
    assert f"{few['rows']} of {ROWS} rows: 8 candidates are used up, as many as max_candidates allows" in told[0]
    assert "6 candidates are used up, all that there are" in told[1]


def test_no_more_candidates_are_taken_than_allowed_where_all_are_taken_at_once(scripted: Scripted) -> None:
    scripted(everything)
    said: list[str] = []
    few = {"target": 4, "prompts_per_round": 2, "max_similarity": 1}
    with heard(said.append):
        sft(recipe="seeded", mode="bootstrap", seeds=SEEDS, rows=40, max_candidates=8, bootstrap=few)
    assert [line for line in said if "8 candidates are used up" in line]


def test_a_healed_row_is_no_duplicate_of_itself_and_earlier_verdicts_stay(scripted: Scripted, benchmark: None) -> None:
    seeds = [
        "Name a town.",
        "Explain a lever.",
        "name a TOWN.",
        "Why does it rain?",
        "explain a lever.",
        "What is tin?",
    ]
    broken = {"Name a town.", "Why does it rain?"}
    scripted(failing(rule, broken.__contains__))
    first = sft(recipe="respond", seeds=seeds, curate=CURATE, max_attempts=2, max_reject_fraction=1)
    assert asked_of("out") == ["Explain a lever.", "name a TOWN.", "What is tin?"]
    assert gone() == {"empty": 2, "duplicate": 1}
    scripted(rule)
    healed = retry(first["run"])
    # the copy that was published while its original had failed stays, and the original goes for it
    assert asked_of("out") == ["Explain a lever.", "name a TOWN.", "Why does it rain?", "What is tin?"]
    assert (healed["rows"], healed["changes"]) == (4, {"added": 1, "changed": 0, "gone": 0})
    assert gone() == {"duplicate_of_earlier": 2}
    again = retry(healed["run"])
    assert (again["rows"], again["requests"], again["revision"]) == (4, 0, healed["revision"])


def test_rows_are_exact_after_a_row_is_healed_too(scripted: Scripted, benchmark: None) -> None:
    broken = set(TWICE[1:40:4])
    scripted(failing(spoilt(rule), broken.__contains__))
    first = sft(recipe="respond", seeds=TWICE, rows=ROWS, curate=CURATE, max_attempts=2)
    assert first["rows"] == ROWS
    before = set(asked_of("out"))
    scripted(spoilt(rule))
    healed = retry(first["run"])
    assert healed["rows"] == ROWS
    check_clean("out", ROWS)
    assert len(before - set(asked_of("out"))) == healed["changes"]["gone"] == healed["changes"]["added"]


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [f"sft-{one}" for one, _ in SFT_RECIPES[:4]] + [f"dpo-{one}" for one in DPO_RECIPES])
def test_the_built_in_model_makes_so_many_rows(recipe: str, prefect_server: str, home: Path) -> None:
    """Of the recipes that it has learnt."""
    kind, _, name = recipe.partition("-")
    Path("moon.jsonl").write_text(json.dumps({"question": BENCHMARK}))
    curate: Any = {"decontaminate": {"benchmarks": ["moon.jsonl"]}}
    told = {"recipe": name, "model": "demo", "curate": curate, "max_reject_fraction": 1}
    if kind == "sft":
        seeds = {"seeds": [f"What is {at} + {at + 3}?" for at in range(60)]} if name == "respond" else {}
        assert sft(**told, rows=6, **seeds)["rows"] == 6
        check_clean("out", 6)
    else:
        assert dpo(**told, instructions=[f"What is {at} + {at + 3}?" for at in range(60)], rows=3)["rows"] == 3
        check_clean("pairs", 3)
