"""The same flows against a real server that is not ours: `transformers serve`, with the built-in model's weights."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tasks.models.open import DEMO_WEIGHTS

ROOT = Path(__file__).parents[2]
START_S = 120
SEEDS = ("Find three times eight.", "4 classes share 20 pencils evenly. How many pencils for each?")
QUESTIONS = [
    f"{n} classes share {n * m + 3} pencils evenly. But first 6 more are added. How many pencils for each?"
    for n in (4, 5)
    for m in (5, 6, 7)
]


def sampling_weights(folder: Path) -> Path:
    """The built-in model's weights, such that the server samples: it is greedy, whatever is asked, where they do not say so."""
    weights = shutil.copytree(DEMO_WEIGHTS, folder / "weights")
    config = json.loads((weights / "generation_config.json").read_text())
    (weights / "generation_config.json").write_text(json.dumps(config | {"do_sample": True}))
    return weights


@contextmanager
def transformers_serve(folder: Path) -> Iterator[str]:
    """The server as a process of its own on loopback; yields its base URL. Skips where it is not installed."""
    pytest.importorskip("openai", reason="transformers serve needs openai: pip install openai accelerate")
    pytest.importorskip("accelerate", reason="transformers serve needs accelerate: pip install openai accelerate")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).with_name("transformers")), "serve", "--host", "127.0.0.1", "--port", str(port)]
    own = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "hub"), "TRANSFORMERS_VERBOSITY": "error"}
    said = folder / "serve.log"
    with (
        said.open("wb") as log,
        subprocess.Popen(
            [*command, "--device", "cpu", "--log-level", "warning"], env=os.environ | own, stdout=log, stderr=log
        ) as server,
    ):
        try:
            wait_until_healthy(f"http://127.0.0.1:{port}/health", server, said)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()


def wait_until_healthy(url: str, server: subprocess.Popen[bytes], said: Path) -> None:
    deadline = time.monotonic() + START_S
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.3)
    raise AssertionError(f"transformers serve does not start: {said.read_text()[-2000:]}")


def stillroom(folder: Path, prefect: str, *arguments: str) -> dict[str, Any]:
    """The summary of a run."""
    own = {"STILLROOM_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT), "PREFECT_API_URL": prefect}
    done = subprocess.run(
        [sys.executable, "-m", "flows.command.main", *arguments, "--json"],
        env=os.environ | own,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return summary


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_both_pipelines_run_unchanged_against_transformers_serve_and_a_second_run_asks_nothing(
    tmp_path: Path, prefect_server: str
) -> None:
    import polars as pl

    (tmp_path / "seeds.jsonl").write_text("".join(json.dumps({"instruction": seed}) + "\n" for seed in SEEDS))
    weights = sampling_weights(tmp_path)
    with transformers_serve(tmp_path) as url:
        # the weights of the built-in model, which reads no other prompts
        model = ["--model", f"{weights}@{url}", "--set", "max_reject_fraction=1", "--set", "prompt_set=demo"]
        sft = ["sft", "--recipe", "seeded", "--seeds", "seeds.jsonl", "--out", "sft", *model]
        made = stillroom(tmp_path, prefect_server, *sft)
        assert made["rows"] > 0
        assert made["requests"] >= made["rows"]
        assert made["prompt_tokens"] > 0 < made["completion_tokens"]
        assert all(
            messages[1]["content"] for messages in pl.read_parquet(tmp_path / "sft/data/train.parquet")["messages"]
        )

        (tmp_path / "questions.jsonl").write_text("".join(json.dumps({"instruction": q}) + "\n" for q in QUESTIONS))
        dpo = ["dpo", "--recipe", "basic", "--instructions", "questions.jsonl", "--out", "dpo", *model]
        paired = stillroom(tmp_path, prefect_server, *dpo)
        assert paired["rows"] > 0
        pairs = pl.read_parquet(tmp_path / "dpo/data/train.parquet")
        assert (pairs["chosen"] != pairs["rejected"]).all()

        for arguments, first in ((sft, made), (dpo, paired)):
            again = stillroom(tmp_path, prefect_server, *arguments)
            assert (again["requests"], again["rows"]) == (0, first["rows"])
