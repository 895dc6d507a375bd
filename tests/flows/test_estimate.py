"""`--estimate`: twenty rows, a forecast that the run then keeps, and nothing paid for twice."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.runs.forecast import ModelLimits, Range, Stage, duration_s, forecast
from tasks.models.base import Completion, Request
from tasks.storage.digest import digest
from tasks.storage.shard_sizes import shard_count
from tests.flows.command.test_main import stillroom
from tests.flows.runs.test_budgets import everything
from tests.flows.test_instruction_sft import Scripted, rule, sft
from tests.flows.test_preference_dpo import dpo, judged

QUESTIONS = [f"question {i}" for i in range(150)]


def estimate(kind: str, **options: Any) -> dict[str, Any]:
    from flows.config import InstructionSFT, PreferenceDPO
    from flows.estimate import estimate_dpo, estimate_sft

    if kind == "sft":
        return estimate_sft(InstructionSFT(**{"model": "test", "out": "out"} | options))
    return estimate_dpo(PreferenceDPO(**{"model": "test", "out": "out", "max_reject_fraction": 1} | options))


def uneven(request: Request) -> Completion:
    """Answers of one to a hundred tokens; one in ten is empty and asked for again."""
    words = 0 if request.seed % 10 == 0 else 1 + request.seed % 100
    return Completion(" ".join(f"word-{i}" for i in range(words)), "stop", 50 + request.seed % 50, words)


def inside(values: dict[str, float], value: float) -> bool:
    return values["low"] <= value <= values["high"]


def test_the_run_keeps_to_the_estimate_and_does_not_pay_for_the_sample_again(scripted: Scripted) -> None:
    model = scripted(uneven)
    told = estimate("sft", recipe="respond", seeds=QUESTIONS)
    sample, whole = told["sample"], told["estimate"]
    assert (sample["rows_in"], sample["rows"]) == (20, 20)
    assert sample["requests"] == len(model.requests) < 40
    assert not Path("out/README.md").exists()
    run = sft(recipe="respond", seeds=QUESTIONS)
    assert run["ledger_hits"] == sample["requests"]
    assert whole["rows_in"] == {"expected": 150, "low": 150, "high": 150}
    assert inside(whole["rows"], run["rows"])
    for count in ("requests", "prompt_tokens", "completion_tokens"):
        taken = run[count] + sample[count]
        assert inside(whole[count], taken), count
        assert whole[count]["high"] < 1.6 * taken, count  # a range that says something
    assert "cost" not in whole


CONFIGS: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "evolved with rows": ("sft", rule, {"recipe": "evolved", "seeds": QUESTIONS, "rows": 100}),
    "basic": ("sft", rule, {"recipe": "basic", "rows": 60}),
    "bootstrap": (
        "sft",
        everything,
        {
            "recipe": "seeded",
            "mode": "bootstrap",
            "seeds": [f"Write {word} about cats and dogs" for word in ("poems", "plans", "code")],
            "bootstrap": {"target": 60, "prompts_per_round": 10, "max_similarity": 1},
        },
    ),
    "bootstrap of some of the seeds": (
        "sft",
        everything,
        {
            "recipe": "seeded",
            "mode": "bootstrap",
            "seeds": [f"Write {word} about cats and dogs" for word in ("poems", "plans", "code", "songs", "plays")],
            "max_candidates": 2,
            "bootstrap": {"target": 30, "prompts_per_round": 10, "max_similarity": 1},
        },
    ),
    "dpo": ("dpo", judged, {"recipe": "basic", "instructions": QUESTIONS[:40]}),
    "fewer rows than the sample": ("sft", rule, {"recipe": "respond", "seeds": QUESTIONS[:7]}),
}


def test_the_seeds_of_an_estimate_lie_in_as_few_tables_as_those_of_a_run(scripted: Scripted, home: Path) -> None:
    tables: list[int] = []

    def counting(request: Request) -> str:
        tables.append(len(list(home.glob("estimate-*/seeds/*.parquet"))))
        return rule(request)

    scripted(counting)
    estimate("sft", recipe="respond", seeds=QUESTIONS)
    assert tables[0] == shard_count(len(QUESTIONS), 1000) < 10


@pytest.mark.parametrize("name", CONFIGS)
def test_what_was_sampled_is_a_part_of_the_run(name: str, scripted: Scripted) -> None:
    kind, answers, options = CONFIGS[name]
    scripted(answers)
    told = estimate(kind, **options)
    sampled = told["sample"]["requests"]
    assert sampled > 0
    run = (sft if kind == "sft" else dpo)(**options)
    assert run["ledger_hits"] == sampled, "a request of the sample is none of the run"
    requests = told["estimate"]["requests"]
    assert requests["low"] * 0.95 <= run["requests"] + sampled <= requests["high"] * 1.05  # 90 % is not always
    assert inside(told["estimate"]["rows"], run["rows"]) or abs(told["estimate"]["rows"]["expected"] - run["rows"]) < 10


def test_a_bootstrap_that_tires_stays_within_its_range_and_is_not_told_with_confidence(scripted: Scripted) -> None:
    def tiring(request: Request) -> str:
        """The prompts of the first round get new tasks, the later ones all the same."""
        if "Continue this list" not in (request.messages or ())[-1]["content"]:
            return "It is so."
        words = digest(request.order) if request.order < 20 else "0123456789abcdef"
        return "Describe " + " ".join(words[at : at + 2] for at in range(0, 16, 2))

    scripted(tiring)
    options: dict[str, Any] = {
        "recipe": "seeded",
        "mode": "bootstrap",
        "seeds": QUESTIONS[:5],
        "bootstrap": {"target": 60, "prompts_per_round": 20, "max_rounds": 12},
    }
    told = estimate("sft", **options)
    assert "not known" in told["note"]
    run = sft(**options)
    taken = run["requests"] + told["sample"]["requests"]
    assert run["rows"] < 60, "the target is not reached"
    assert taken > 1.5 * told["estimate"]["requests"]["expected"], "rounds like the first would have been enough"
    assert inside(told["estimate"]["requests"], taken)
    assert inside(told["estimate"]["rows"], run["rows"])


def test_a_second_estimate_costs_nothing_and_says_that_it_knows_nothing_of_the_time(scripted: Scripted) -> None:
    scripted(uneven)
    first = estimate("sft", recipe="respond", seeds=QUESTIONS)
    again = estimate("sft", recipe="respond", seeds=QUESTIONS)
    assert again["sample"]["requests"] == 0
    assert again["sample"]["ledger_hits"] == first["sample"]["requests"]
    assert again["estimate"]["requests"] == first["estimate"]["requests"]
    assert again["estimate"]["completion_tokens"] == first["estimate"]["completion_tokens"]
    assert "seconds" in first["estimate"]
    assert "seconds" not in again["estimate"]


def test_cost_and_time_follow_from_prices_latency_and_the_window(scripted: Scripted) -> None:
    from tasks.engine.process import process
    from tasks.models.config import ModelConfig

    async def half_a_second(request: Request) -> Completion:
        await asyncio.sleep(0.5)
        return Completion("yes", "stop", 100, 10)

    model = scripted(half_a_second)
    model.max_in_flight = 10
    priced = {"name": "test", "price_prompt": 1, "price_completion": 10, "max_in_flight": 10}
    process.adopt(ModelConfig.model_validate(priced), model)
    told = estimate("sft", recipe="respond", seeds=QUESTIONS, model=priced)
    assert told["estimate"]["cost"]["expected"] == pytest.approx(150 * (100 + 100) / 1e6)
    assert told["sample"]["cost"] == pytest.approx(20 * 200 / 1e6)
    requests_alone_s = 150 * 0.5 / 10
    assert requests_alone_s <= told["estimate"]["seconds"]["expected"] < 3 * requests_alone_s
    assert told["in_flight"] == {"test": 10}


def test_a_stream_of_unknown_length_is_told_by_the_thousand(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from flows.runs.plan import RunPlan
    from tasks.seeds.sources import open_source

    def stream(plan: Any) -> Any:
        source = open_source(plan.seeds, columns=plan.columns)
        return replace(source, reader=replace(source.reader, size=None))

    monkeypatch.setattr(RunPlan, "source", stream)
    scripted(uneven)
    told = estimate("sft", recipe="respond", seeds=QUESTIONS)
    assert told["per_rows"] == 1000
    assert told["estimate"]["rows_in"]["expected"] == 1000
    limited = estimate("sft", recipe="respond", seeds=QUESTIONS, max_seeds=50)
    assert (limited["per_rows"], limited["estimate"]["rows_in"]["expected"]) == (None, 50)


def test_a_budget_that_does_not_last_for_the_sample_is_a_mistake(scripted: Scripted) -> None:
    from tasks.errors import ConfigError

    scripted(rule)
    with pytest.raises(ConfigError, match="max_requests 3"):
        estimate("sft", recipe="respond", seeds=QUESTIONS, max_requests=3)


@pytest.mark.slow
def test_the_command_prints_the_estimate_and_writes_no_dataset(tmp_path: Path, prefect_server: str) -> None:
    from tests.flows.command.test_main import respond

    arguments = respond(tmp_path, 60)
    told = stillroom(tmp_path, *arguments, "--estimate", server=prefect_server)
    assert told.returncode == 0, told.stderr
    figures = json.loads(told.stdout.splitlines()[-1])
    assert figures["estimate"]["requests"]["expected"] == 60
    assert list((tmp_path / "out").iterdir()) == []
    shown = stillroom(tmp_path, *[a for a in arguments if a != "--json"], "--estimate", server=prefect_server)
    assert "sample: 20 rows" in shown.stdout
    assert "requests                    60" in shown.stdout
    finished = stillroom(tmp_path, *arguments, server=prefect_server)
    assert json.loads(finished.stdout.splitlines()[-1])["requests"] == 40
    assert pl.read_parquet(tmp_path / "out" / "data" / "train.parquet").height == 60


def of(rows: int) -> Any:
    return lambda _yield, _before: rows


@pytest.mark.parametrize("rows", [30, 1000])
def test_nine_of_ten_ranges_hold_the_truth(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.runs.forecast.DRAWS", 200)
    rng, held, tries = random.Random(1), 0, 150
    for _ in range(tries):
        truth = [rng.lognormvariate(3, 0.5) for _ in range(rows)]
        units: list[Any] = [{"rows": 1, "chain_s": 0, "requests": value} for value in truth[:20]]
        told = forecast([Stage(units, of(rows))], {}, lambda _: 0)["requests"]
        held += told.low <= sum(truth) <= told.high
    assert 0.8 < held / tries < 0.98


def test_a_sample_of_everything_is_exact() -> None:
    units: list[Any] = [{"rows": i % 2, "chain_s": 1, "requests": i} for i in range(6)]
    told = forecast([Stage(units, of(6))], {}, lambda _: 0)
    assert told["requests"] == Range(15, 15, 15)
    assert told["rows"] == Range(3, 3, 3)


def test_time_is_that_of_the_slowest_window_or_of_one_row() -> None:
    totals: Any = {("busy_s", "a"): 100.0, ("requests", "a"): 50.0, ("tokens", "a"): 600.0}
    assert duration_s(totals, {"a": ModelLimits(10)}, 2, 0) == 10
    assert duration_s(totals, {"a": ModelLimits(10)}, 2, 1) == 12
    assert duration_s(totals, {"a": ModelLimits(1000)}, 2, 0) == 2
    assert duration_s(totals, {"a": ModelLimits(10, requests_per_minute=5)}, 2, 0) == 600
    assert duration_s(totals, {"a": ModelLimits(10, tokens_per_minute=60)}, 2, 0) == 600
