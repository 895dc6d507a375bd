"""Budgets of whole runs: what is finished is published, the same command goes on, and nothing is paid for twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.engine.test_budget import continued
from tests.flows.command.in_process import run_command
from tests.flows.command.test_main import stillroom
from tests.flows.test_instruction_sft import Scripted, rule, sft
from tests.flows.test_preference_dpo import dpo, judged

QUESTIONS = [f"question {i}" for i in range(12)]
SHARES = {"nothing": 0.0, "one request": None, "half": 0.5, "all": 1.0}  # of the requests that the whole run makes


def everything(model: Any) -> str:
    """Plays all roles, a bootstrap's too."""
    text = model.messages[-1]["content"] if model.messages else ""
    return continued(model) if "9." in text else rule(model)


RUNS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "respond": (sft, rule, {"recipe": "respond", "seeds": QUESTIONS, "shard_rows": 5}),
    "evolved": (sft, rule, {"recipe": "evolved", "seeds": QUESTIONS[:4], "shard_rows": 2}),
    "basic with rows": (sft, rule, {"recipe": "basic", "rows": 8, "shard_rows": 3}),
    "bootstrap": (
        sft,
        everything,
        {
            "recipe": "seeded",
            "mode": "bootstrap",
            "shard_rows": 3,
            "seeds": [f"Write {word} about cats and dogs" for word in ("poems", "plans", "code")],
            "bootstrap": {"target": 8, "prompts_per_round": 2, "max_similarity": 1},
        },
    ),
    "dpo basic": (dpo, judged, {"recipe": "basic", "instructions": QUESTIONS[:5], "shard_rows": 3}),
    "dpo evolved": (dpo, judged, {"recipe": "evolved", "instructions": QUESTIONS[:5], "shard_rows": 2}),
}


def pending(run: str) -> int:
    """Rows that the tables of a run have as pending."""
    from flows.runs.manifests import manifest
    from tasks.storage.tables import Table

    steps = manifest(run)["steps"]
    return sum(Table.model_validate(table).pending for tables in steps.values() for table in tables)


@pytest.mark.parametrize(
    ("name", "shares"),
    [
        pytest.param("respond", list(SHARES), id="respond"),
        *(pytest.param(name, ["half"], id=f"{name}, half") for name in ("bootstrap", "dpo basic")),
        *(pytest.param(name, list(SHARES), id=name, marks=pytest.mark.slow) for name in RUNS if name != "respond"),
    ],
)
def test_a_run_and_its_continuation_pay_what_one_run_would(
    name: str, shares: list[str], scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, answers, options = RUNS[name]
    scripted(answers)
    whole = run(**options, out="whole")
    assert (whole["ended"], whole["pending"], whole["cost"]) == ("completed", 0, None)
    unlimited = whole["requests"]
    for most in sorted({1 if share is None else round(share * unlimited) for share in map(SHARES.get, shares)}):
        monkeypatch.setenv("STILLROOM_HOME", str(tmp_path / f"home-{most}"))
        model = scripted(answers)
        cut = run(**options, max_requests=most, out=f"out-{most}")
        assert cut["requests"] == len(model.requests) == most
        assert cut["ended"] == ("completed" if most == unlimited else "budget reached")
        assert cut["pending"] == pending(cut["run"])
        assert (cut["pending"] > 0) == (most < unlimited)
        goes_on = run(**options, out=f"out-{most}")
        assert goes_on["ended"] == "completed"
        assert cut["requests"] + goes_on["requests"] == unlimited
        train = pl.read_parquet(f"out-{most}/data/train.parquet")
        assert train.equals(pl.read_parquet("whole/data/train.parquet"))


def test_what_is_finished_when_the_budget_is_reached_is_published(scripted: Scripted) -> None:
    scripted(rule)
    summary = sft(recipe="respond", seeds=QUESTIONS, max_requests=5)
    assert (summary["rows"], summary["rejects"], summary["pending"]) == (5, 0, 7)
    assert pl.read_parquet("out/data/train.parquet").height == 5
    assert pl.read_parquet("out/provenance.parquet").height == 5
    card = Path("out/README.md").read_text()
    assert "budget" in card
    assert "7 rows" in card


def test_rows_that_are_finished_go_on_as_far_as_the_ledger_answers(scripted: Scripted) -> None:
    scripted(rule)
    sft(recipe="evolved", seeds=QUESTIONS[:3], out="before")
    summary = sft(recipe="evolved", seeds=QUESTIONS[:5], max_requests=1, shard_rows=1)
    assert summary["rows"] >= pl.read_parquet("before/data/train.parquet").height > 0
    assert (summary["requests"], summary["ended"]) == (1, "budget reached")


def test_a_cut_table_is_not_taken_for_a_finished_one(scripted: Scripted, home: Path) -> None:
    scripted(rule)
    cut = sft(recipe="respond", seeds=QUESTIONS, max_requests=5)
    again = sft(recipe="respond", seeds=QUESTIONS, max_requests=0)
    assert (again["requests"], again["ledger_hits"], again["pending"]) == (0, 5, 7)
    assert again["rows"] == cut["rows"]
    assert sft(recipe="respond", seeds=QUESTIONS)["pending"] == 0


@pytest.mark.parametrize(("limit", "least"), [({"max_total_tokens": 30}, 3), ({"max_cost_usd": 0.00003}, 1)])
def test_tokens_and_cost_are_counted_and_end_the_run(limit: dict[str, float], least: int, scripted: Scripted) -> None:
    from tasks.engine.process import process
    from tasks.models.config import ModelConfig

    model = scripted(rule)
    priced = {"name": "test", "price_prompt": 1, "price_completion": 2}
    process.adopt(ModelConfig.model_validate(priced), model)
    summary = sft(recipe="respond", seeds=QUESTIONS, model=priced, **limit)
    assert summary["ended"] == "budget reached" or summary["rows"] == len(QUESTIONS)
    assert summary["requests"] >= least
    tokens = (summary["prompt_tokens"], summary["completion_tokens"])
    assert summary["cost"] == pytest.approx((tokens[0] + 2 * tokens[1]) / 1e6)
    from flows.runs.manifests import manifest

    tally = manifest(summary["run"])["tally"]
    assert tally["cost"] == pytest.approx(summary["cost"])
    assert tally["steps"]["text_generation"]["requests"] == summary["requests"]


def test_the_state_of_the_flow_run_says_that_the_budget_was_reached(scripted: Scripted) -> None:
    from flows.config import InstructionSFT
    from flows.instruction_sft import instruction_sft

    scripted(rule)
    config = InstructionSFT(model="test", recipe="respond", seeds=QUESTIONS, max_requests=2, out="out")
    state = instruction_sft(config, return_state=True)
    assert state.is_completed()
    assert state.message == (
        "budget reached: 10 rows are pending; the same command with a higher budget, or none, goes on from there"
    )
    assert state.result()["rows"] == 2


def test_a_budget_of_money_needs_prices(home: Path) -> None:
    Path("seeds.jsonl").write_text('{"instruction": "why?"}\n')
    arguments = ["sft", "--recipe", "respond", "--seeds", "seeds.jsonl", "--max-cost-usd", "2"]
    said = run_command(*arguments)
    assert said.returncode == 2
    assert len(said.stderr.strip().splitlines()) == 1
    assert "price_prompt" in said.stderr
    assert "demo" in said.stderr


@pytest.mark.slow
def test_the_command_says_how_to_go_on_and_exits_0(tmp_path: Path, prefect_server: str) -> None:
    from tests.flows.command.test_main import respond

    arguments = respond(tmp_path, 6)
    cut = stillroom(tmp_path, *arguments, "--max-requests", "2", server=prefect_server)
    assert cut.returncode == 0, cut.stderr
    assert cut.stderr.strip() == (
        "stillroom: budget reached: 4 rows are pending; the same command with a higher budget, or none, goes on from there"
    )
    summary = json.loads(cut.stdout.splitlines()[-1])
    assert (summary["ended"], summary["pending"], summary["rows"]) == ("budget reached", 4, 2)
    finished = stillroom(tmp_path, *arguments, "--max-requests", "4", server=prefect_server)
    summary = json.loads(finished.stdout.splitlines()[-1])
    assert (summary["ended"], summary["requests"], summary["rows"]) == ("completed", 4, 6)
