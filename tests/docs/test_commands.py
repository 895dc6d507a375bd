"""Every command that README and docs print is run.

Runs (`sft`, `dpo`) go through all their steps as a preview of one row, with a scripted model in the place of the one that is
named: most of these are behind a server, on the Hub or on a GPU. The slow test runs those of the README as they are printed,
one after the other, with Prefect. Other commands run as printed, or are shown to be there.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from flows.command.main import app
from tasks.engine import process
from tests.docs.printed import PAGES, ROOT, Command, blocks, commands, inline
from tests.docs.stand_in import stand_in
from tests.flows.command.in_process import run_command

SEEDS = [f"Tell me what you know about galaxy {name}." for name in ("one", "two", "three", "four", "five", "six")]
FERRIES = "# Ferries\n\n" + " ".join(f"The ferry of {hour} o'clock takes 75 minutes." for hour in range(6, 18)) + "\n"
RUNS = ("sft", "dpo")
ALL = [command for page in PAGES for command in commands(page)]
OURS = [command for command in ALL if command.words[0] == "stillroom"]
OTHERS = [command for command in ALL if command.words[0] != "stillroom"]
ELSEWHERE = {"export": None, "ray": ["--version"]}  # of a shell; needs a second machine: that the program is there


@pytest.fixture
def folder(home: Path) -> Path:
    """The folder that the pages speak of, with each file that a command in it names."""
    here = home.parent
    extending = ROOT / "docs/extending.md"
    steps, test, recipe = blocks(extending, "python")
    [provider] = blocks(ROOT / "docs/servers.md", "python")
    files = {
        "my_steps.py": steps,
        "test_my_steps.py": test,
        "my_provider.py": provider,
        "my_recipe.py": recipe,
        "my_verifier.py": blocks(ROOT / "docs/constraints.md", "python")[0],
        "my_prompts/shorten/shorten.j2": blocks(extending, "jinja")[0],
        "chain.yaml": blocks(extending, "yaml")[0],
        "run.yaml": blocks(ROOT / "docs/config.md", "yaml")[0],
        "batch.yaml": blocks(ROOT / "docs/batch.md", "yaml")[0],
        "attributes.yaml": next(one for one in blocks(ROOT / "docs/recipes.md", "yaml") if "recipe: attributes" in one),
        "handbook/ferries.md": FERRIES,
        "articles/ferries.txt": FERRIES,
        "personas.jsonl": '{"persona": "a captain who has steered the ferry for thirty years"}\n',
        "rl.yaml": blocks(ROOT / "docs/reasoning.md", "yaml")[0],
        "problems.jsonl": "".join(json.dumps({"question": seed, "answer": "It is.\n#### 4"}) + "\n" for seed in SEEDS),
        "my_rules.py": "def answer(request):\n    return f'The answer is {request.seed}.'\n",
        "questions.csv": "prompt\n" + "\n".join(SEEDS),
        "pairs.jsonl": "".join(
            json.dumps({"prompt": seed, "chosen": f"It is far, as {seed[-10:]} says.", "rejected": "No."}) + "\n"
            for seed in SEEDS
        ),
    }
    tested = "".join(json.dumps({"text": seed, "test_list": ["assert galaxy() is None"]}) + "\n" for seed in SEEDS)
    files["mbpp.jsonl"] = tested
    files |= dict.fromkeys(
        (
            "seeds.jsonl",
            "snippets.jsonl",
            "questions.jsonl",
            "datasets/older/rows.jsonl",
            "benchmarks/gsm8k/1.jsonl",
            "benchmarks/mt_bench/1.jsonl",
        ),
        "".join(json.dumps({"instruction": seed}) + "\n" for seed in SEEDS),
    )
    for name, text in files.items():
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(text)
    (here / "examples").symlink_to(ROOT / "examples")
    return here


@pytest.fixture
def scripted_models(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(process, "open_model", stand_in)
    yield
    process.process.close()


def without_estimate(words: list[str]) -> list[str]:
    return [word for word in words if word != "--estimate"]


@pytest.mark.parametrize("command", [c for c in OURS if c.words[1] in RUNS], ids=str)
def test_a_run_that_is_printed_goes_through_its_steps(command: Command, folder: Path, scripted_models: None) -> None:
    there = dict.fromkeys(("datasets/demo-sft", "datasets/sft-constrained"), "seeds.jsonl")
    there["datasets/sft-code"] = "mbpp.jsonl"
    words = [there.get(word, word) for word in without_estimate(command.words[1:])]
    told = CliRunner().invoke(app, [*words, "--preview", "1", "--json"])
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout.splitlines()[-1])["requests"] > 0


@pytest.mark.parametrize(
    "command", [*(c for c in OURS if c.words[1] not in RUNS), *(c for page in PAGES for c in inline(page))], ids=str
)
def test_a_command_that_is_named_takes_the_options_that_it_is_printed_with(command: Command) -> None:
    group, words = get_command(app), command.words[1:]
    if "--help" not in words and re.search(r"--[a-z-]+$", command.text):
        words = [*words, "dpo"]  # the name of an option alone: what stands for its value is in the sentence
    while hasattr(group, "get_command") and not (getattr(group, "invoke_without_command", False) and not words):
        name, *words = words
        group = group.get_command(None, name)
        assert group is not None, name
    if "--help" not in words:
        group.make_context(name, words)


@pytest.mark.parametrize("command", OTHERS, ids=str)
def test_what_else_is_printed_is_there(command: Command) -> None:
    program, *arguments = command.words if not command.text.startswith("export ") else ["export"]
    if program == "make":
        assert subprocess.run(["make", "--dry-run", *arguments], cwd=ROOT, capture_output=True).returncode == 0
    elif program == "python":
        assert all((ROOT / word).exists() for word in arguments if word.endswith(".py"))
    elif program == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        assert arguments[0] == "install"
        assert {extra for word in arguments for extra in re.findall(r"\[(\w+)\]", word)} <= set(extras)
    elif (asked := ELSEWHERE[program]) is not None:
        assert subprocess.run([Path(sys.executable).with_name(program), *asked], capture_output=True).returncode == 0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_commands_of_the_readme_run_as_they_are_printed(
    folder: Path, prefect_server: str, scripted_models: None
) -> None:
    def run(*words: str) -> str:
        told = run_command(*words)
        assert told.returncode == 0, f"{words}\n{told.stdout}{told.stderr}"
        return told.stdout

    sft = ("sft", "--recipe", "evolved", "--seeds", "seeds.jsonl", "--out", "datasets/demo-sft")
    run_apart(*sft, folder=folder, server=prefect_server)  # what `make demo` leaves
    given = {"ROW_ID": row_id(folder / "datasets/demo-sft")}
    for command in commands(ROOT / "README.md"):
        if command.words[0] != "stillroom" or command.words[1] in ("serve", "doctor", "studio"):
            continue  # tests/deployments and tests/flows have these, with a server
        if "code" in command.words:
            continue  # tests/flows/test_code.py has it, with a model that writes programs
        if command.words[1] == "prove":  # which needs more rows than the runs here make
            rows = [{"prompt": f"Say {n}.", "completion": f"It is {n}."} for n in range(150)]
            (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            run("prove", "rows.jsonl", *command.words[3:], "--epochs", "1", "--out", "proof")
            continue
        if command.words[1:] == ["runs"]:
            given["RUN"] = run("runs").split()[0]
        run(*(given.get(word, word) for word in command.words[1:]))


def run_apart(*words: str, folder: Path, server: str) -> None:
    """A command in a process of its own, as a user starts it."""
    ours = {"PREFECT_API_URL": server, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.docs.stand_in", *words]
    told = subprocess.run(command, cwd=folder, env=os.environ | ours, capture_output=True, text=True, timeout=300)
    assert told.returncode == 0, f"{words}\n{told.stdout}{told.stderr}"


def row_id(dataset: Path) -> str:
    import polars as pl

    return str(pl.read_parquet(dataset / "data/train.parquet")["row_id"][0])
