"""The newcomer's way: a technique and a recipe in a folder of their own, begun by the commands that README and docs name.

The same files are then run from the command, from YAML, from Prefect's form on a served worker, and on Ray's workers.
Each way has a seed of its own, so that none is answered by what another has asked.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.serving import ROOT, Served, environment, free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
RULES = '''\
def answer(request):
    """Shortens what it is asked to shorten, and answers everything else."""
    text = request.messages[-1]["content"]
    if text.startswith("Say this in at most"):
        return " ".join(text.split("\\n\\n")[1].split()[:4]) + "?"
    return f"You ask: {text}"
'''
SEEDS = [f"Is galaxy {name} made of gas or of stars, please?" for name in ("one", "two", "three")]
SHORT = {" ".join(seed.split()[:4]) + "?" for seed in SEEDS}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the two commands have written, with seeds, a model and a config beside it; and a Prefect server that serves it."""
    here = tmp_path_factory.mktemp("newcomer")
    (here / "seeds.jsonl").write_text("".join(json.dumps({"instruction": seed}) + "\n" for seed in SEEDS))
    (here / "my_rules.py").write_text(RULES)
    stillroom(here, "new-technique", "shorten")
    stillroom(here, "new-recipe", "short", "--step", "shorten.py:shorten")
    return here


def stillroom(here: Path, *words: str) -> dict[str, Any]:
    """Run the command in the newcomer's folder; what its last line says as JSON, where it is asked to."""
    command = [sys.executable, "-P", str(ROOT / "stillroom.py"), "flows.command.main", *words]
    told = subprocess.run(command, cwd=here, env=environment(here), capture_output=True, text=True, timeout=300)
    assert told.returncode == 0, f"{words}\n{told.stdout}{told.stderr}"
    return json.loads(told.stdout.splitlines()[-1]) if "--json" in words else {}


def options(out: str, seed: int, **more: Any) -> dict[str, Any]:
    """The settings of one way, as YAML and the form have them."""
    model = {"name": "scripted:my_rules.py:answer"}
    known = {"recipe": "short.py:short", "seeds": "seeds.jsonl", "prompts": "my_prompts", "model": model}
    return known | {"out": out, "seed": seed} | more


def check(here: Path, out: str) -> None:
    rows = pl.read_parquet(here / out / "data/train.parquet")["messages"].to_list()
    assert {turns[0]["content"] for turns in rows} == SHORT
    assert all(turns[1]["content"] == f"You ask: {turns[0]['content']}" for turns in rows)


def test_the_tests_that_were_written_pass(folder: Path) -> None:
    told = subprocess.run([sys.executable, "-m", "pytest", "-q"], cwd=folder, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.parametrize("runner", ["threads", "ray"])
def test_the_command_makes_the_dataset(runner: str, folder: Path) -> None:
    if runner == "ray":
        pytest.importorskip("prefect_ray")
    seed = {"threads": 1, "ray": 2}[runner]
    words = ["sft", "--recipe", "short.py:short", "--seeds", "seeds.jsonl", "--model", "scripted:my_rules.py:answer"]
    told = stillroom(
        folder,
        *words,
        "--set",
        "prompts=my_prompts",
        "--set",
        f"seed={seed}",
        "--runner",
        runner,
        "--out",
        runner,
        "--json",
    )
    assert (told["rows"], told["rejects"], told["requests"]) == (3, 0, 6)
    check(folder, runner)


def test_a_config_makes_the_dataset(folder: Path) -> None:
    (folder / "short.yaml").write_text(json.dumps(options("by-yaml", 3)))
    assert stillroom(folder, "sft", "--config", "short.yaml", "--json")["requests"] == 6
    check(folder, "by-yaml")


def test_the_form_makes_the_dataset_on_a_served_worker_in_threads_and_on_ray(folder: Path) -> None:
    served = Served(folder, free_port())
    try:
        served.chain(False)
        ways: dict[str, dict[str, Any]] = {
            "by-form": {"seed": 4},
            "by-form-on-ray": {"seed": 5, "runner": "ray", "ray": {"workers": 1}},
        }
        for out, more in ways.items():
            run = served.ended(served.start_run("instruction-sft-nightly", config=options(out, **more)))
            assert run["state_type"] == "COMPLETED", run["state"]["message"]
            check(folder, out)
    finally:
        served.stop()
