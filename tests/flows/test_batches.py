"""Whole runs in batches, by the command: submitted and left, found again, fetched, listed and cancelled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.flows.command.test_main import stillroom
from tests.models.batch_server import BatchProvider, serving_batches

pytestmark = pytest.mark.slow
QUESTIONS = [f"Which number is {number}?" for number in range(5)]
PENDING = 4


def config_in(folder: Path, provider: BatchProvider, **batch: Any) -> None:
    quick = {"gather_s": 0.5, "poll_s": 0.1, "settle_s": 0.1}
    model = {"name": provider.openai, "price_prompt": 100, "price_completion": 100, "batch": quick | batch}
    told = {"recipe": "respond", "seeds": "seeds.jsonl", "out": "out", "model": model}
    (folder / "config.yaml").write_text(json.dumps(told))
    (folder / "seeds.jsonl").write_text("".join(json.dumps({"instruction": q}) + "\n" for q in QUESTIONS))


def test_a_run_is_left_and_the_same_command_fetches_it(tmp_path: Path, prefect_server: str) -> None:
    with serving_batches(looks=2) as provider:
        config_in(tmp_path, provider, wait=False)
        command = ["sft", "--config", "config.yaml", "--json"]
        first = stillroom(tmp_path, *command, server=prefect_server)
        assert first.returncode == PENDING, first.stderr
        told = json.loads(first.stdout.splitlines()[-1])
        assert (told["ended"], told["pending"], told["published"]) == ("batches under way", 5, False)
        assert told["batches"] == {"batch_0": 5}
        assert "5 rows are pending, none is finished" in first.stderr
        assert "the same command fetches the answers" in first.stderr

        listed = json.loads(stillroom(tmp_path, "batches", "--json").stdout)
        assert [(one["batch"], one["left"]) for one in listed] == [("batch_0", 5)]

        last = stillroom(tmp_path, *command, server=prefect_server)
        assert last.returncode == 0, last.stderr
        told = json.loads(last.stdout.splitlines()[-1])
        assert (told["rows"], told["requests"], told["ended"]) == (5, 5, "completed")
        assert told["cost"] == pytest.approx(5 * 10 * 100 / 1e6 / 2)
        assert set(provider.paid.values()) == {1}
        assert stillroom(tmp_path, "batches").stdout.strip() == "no batches are under way"


def test_a_batch_is_cancelled_by_the_command_and_the_next_run_goes_on(tmp_path: Path, prefect_server: str) -> None:
    with serving_batches(looks=100) as provider:
        config_in(tmp_path, provider, wait=False)
        command = ["sft", "--config", "config.yaml", "--json"]
        assert stillroom(tmp_path, *command, server=prefect_server).returncode == PENDING
        assert stillroom(tmp_path, "batches", "--cancel", "nothing").returncode == 2
        assert stillroom(tmp_path, "batches", "--cancel", "batch_0").returncode == 0
        assert stillroom(tmp_path, *command, server=prefect_server).returncode == PENDING
        provider.looks = 0
        anew, last = (stillroom(tmp_path, *command, server=prefect_server) for _ in range(2))
        assert anew.returncode in (PENDING, 0)  # as soon as the batch is over
        assert last.returncode == 0, last.stderr
        assert set(provider.paid.values()) == {1}


def test_an_estimate_asks_one_by_one_and_tells_the_rounds(tmp_path: Path, prefect_server: str) -> None:
    with serving_batches() as provider:
        config_in(tmp_path, provider)
        done = stillroom(tmp_path, "sft", "--config", "config.yaml", "--estimate", "--json", server=prefect_server)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout.splitlines()[-1])
        assert (told["rounds"], provider.single, provider.jobs) == (1, 5, {})
        assert told["sample"]["cost"] == pytest.approx(5 * 10 * 100 / 1e6)
        assert told["estimate"]["cost"]["expected"] == pytest.approx(5 * 10 * 100 / 1e6 / 2)
        assert "seconds" not in told["estimate"]
