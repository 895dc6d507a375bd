"""A real process killed at every stage of a batch: no line is paid for twice, and the next process has every answer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.ledger.one_run_in_batches import QUESTIONS
from tests.models.batch_server import BatchProvider, serving_batches

ROOT = Path(__file__).parents[2]
OPENAI = [
    "POST /v1/files",
    "POST /v1/files done",
    "POST /v1/batches",
    "POST /v1/batches done",
    "GET /v1/batches/ID",
    "GET /v1/files/ID/content",
    "half a file",
]
ANTHROPIC = ["POST /v1/messages/batches", "POST /v1/messages/batches done", "half a file"]
EVERYDAY = {"POST /v1/batches done", "half a file"}  # the others are as the first ones, and slow
STAGES = [("openai", stage) for stage in OPENAI] + [("anthropic", stage) for stage in ANTHROPIC]


def started(provider: BatchProvider, speaks: str, ledger: str, wait: str) -> subprocess.Popen[str]:
    url = provider.openai if speaks == "openai" else provider.anthropic
    arguments = [sys.executable, "-m", "tests.ledger.one_run_in_batches", url, ledger, speaks, wait]
    environment = os.environ | {"STILLROOM_LEASE_S": "1"}
    return subprocess.Popen(arguments, cwd=ROOT, text=True, stdout=subprocess.PIPE, env=environment)


def ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 0
    told: dict[str, Any] = json.loads(said.splitlines()[-1])
    return told


def killed_at(stage: str, provider: BatchProvider, speaks: str, ledger: str) -> None:
    """A process that its provider kills at a stage, before or after it has done what it was asked."""
    process: list[subprocess.Popen[str]] = []

    def at(call: str) -> None:
        if call == stage:
            process[0].send_signal(signal.SIGKILL)
            process[0].wait(20)

    provider.at = at
    process.append(started(provider, speaks, ledger, "wait"))
    process[0].communicate(timeout=200)
    assert process[0].returncode == -signal.SIGKILL, f"it never came to {stage}"
    provider.at = lambda _: None


@pytest.mark.parametrize(
    ("speaks", "stage"),
    [
        pytest.param(
            *one, id=" ".join(one), marks=() if one[0] == "openai" and one[1] in EVERYDAY else pytest.mark.slow
        )
        for one in STAGES
    ],
)
def test_a_process_killed_at_any_stage_pays_for_no_line_twice(speaks: str, stage: str, ledger_url: str) -> None:
    with serving_batches() as provider:
        killed_at(stage, provider, speaks, ledger_url)
        told = ended(started(provider, speaks, ledger_url, "wait"))
        assert told["error"] == ""
        assert (told["pending"], len(told["responses"])) == (0, len(QUESTIONS))
        assert dict(provider.paid) == dict.fromkeys(QUESTIONS, 1)


@pytest.mark.slow
def test_a_process_killed_again_and_again_gets_there(ledger_url: str) -> None:
    with serving_batches(looks=0, ends=[("expired", 3), ("completed", None)]) as provider:
        for stage in (
            "POST /v1/batches done",
            "half a file",
            "POST /v1/files done",
            "POST /v1/batches done",
            "half a file",
        ):
            killed_at(stage, provider, "openai", ledger_url)
        assert len(ended(started(provider, "openai", ledger_url, "wait"))["responses"]) == len(QUESTIONS)
        assert dict(provider.paid) == dict.fromkeys(QUESTIONS, 1)


@pytest.mark.slow
def test_of_two_processes_one_fetches_a_batch_and_both_have_its_answers(ledger_url: str) -> None:
    with serving_batches(looks=20) as provider:
        first, second = (started(provider, "openai", ledger_url, "wait") for _ in range(2))
        for told in (ended(first), ended(second)):
            assert len(told["responses"]) == len(QUESTIONS)
        assert dict(provider.paid) == dict.fromkeys(QUESTIONS, 1)
