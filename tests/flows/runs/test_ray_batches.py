"""Batches with the workers of a Ray cluster and the ledger on PostgreSQL: no line is paid for twice, whoever is killed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.flows.runs.test_runners import ray_here
from tests.flows.test_instruction_sft import sft
from tests.models.batch_server import BatchProvider, serving_batches
from tests.postgres import Postgres

__all__ = ["ray_here"]  # a fixture

pytestmark = pytest.mark.slow
QUESTIONS = [f"Which number is {number}?" for number in range(12)]
ONCE = dict.fromkeys(QUESTIONS, 1)
QUICK: dict[str, Any] = {"gather_s": 0.3, "poll_s": 0.2, "settle_s": 0.3}


@pytest.fixture
def place(
    prefect_server: str, home: Path, ray_here: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.setenv("STILLROOM_LEDGER", postgres.new_database())
    monkeypatch.setenv("STILLROOM_LEASE_S", "2")
    yield


def run(provider: BatchProvider, runner: str = "ray", **batch: Any) -> dict[str, Any]:
    model = {"name": provider.openai, "batch": QUICK | batch}
    ray = {"workers": 2, "num_cpus": 0.5} if runner == "ray" else {}
    return sft(recipe="respond", seeds=QUESTIONS, shard_rows=4, model=model, runner=runner, ray=ray)


def kill_workers() -> int:
    """Kill all workers of the cluster that this process has started; how many they were."""
    psutil = pytest.importorskip("psutil")
    killed = 0
    for process in psutil.Process(os.getpid()).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            title = " ".join(process.cmdline())
            if title.startswith("ray::") and "Agent" not in title:  # the node ends with its agents
                process.kill()
                killed += 1
    return killed


def test_workers_submit_and_fetch_batches_of_their_own_and_pay_for_each_line_once(place: None) -> None:
    with serving_batches(looks=2) as provider:
        told = run(provider)
        assert (told["rows"], told["requests"], told["pending"], provider.single) == (12, 12, 0, 0)
        assert dict(provider.paid) == ONCE
        talks = pl.read_parquet("out/data/train.parquet")["messages"].to_list()
        assert sorted(turns[0]["content"] for turns in talks) == sorted(QUESTIONS)


def test_what_workers_leave_in_batches_a_run_without_them_fetches(place: None) -> None:
    with serving_batches(looks=20) as provider:
        first = run(provider, wait=False)
        assert (first["pending"], first["requests"], sum(first["batches"].values())) == (12, 0, 12)
        provider.looks = 0
        last = run(provider, "threads")
        assert (last["rows"], last["requests"], last["pending"]) == (12, 12, 0)
        assert dict(provider.paid) == ONCE


@pytest.mark.parametrize("stage", ["POST /v1/batches done", "half a file"])
def test_workers_killed_in_the_middle_of_a_batch_pay_for_nothing_twice(stage: str, place: None) -> None:
    killed: list[int] = []

    def at(call: str) -> None:
        if call == stage and not killed:
            killed.append(kill_workers())

    with serving_batches(looks=0, at=at) as provider:
        told = run(provider)
        assert killed[0] > 0
        assert (told["rows"], told["pending"]) == (12, 0)
        assert dict(provider.paid) == ONCE
