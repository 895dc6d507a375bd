"""`stillroom new-technique` and `stillroom new-recipe`: what is written works as it is, and nothing is written over."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tasks.own_code import load
from tests.flows.command.in_process import run_command


def run_test(name: str, *fixtures: Any) -> None:
    """Run the one test that was written for a technique or a recipe."""
    file = f"test_{name}.py"
    [test] = [node.name for node in ast.parse(Path(file).read_text()).body if getattr(node, "name", "")[:5] == "test_"]
    load(f"{file}:{test}", "a test")(*fixtures)


def test_a_new_technique_passes_its_test_and_fails_it_once_it_does_something_else(home: Path) -> None:
    told = run_command("new-technique", "say_less")
    assert told.stdout.split() == ["say_less.py", "my_prompts/say_less/say_less.j2", "test_say_less.py"]
    assert "pytest test_say_less.py" in told.stderr
    run_test("say_less")
    file = Path("say_less.py")
    file.write_text(file.read_text().replace("row.child(instruction=changed)", "row.child()"))
    with pytest.raises(AssertionError):
        run_test("say_less")


@pytest.mark.parametrize(("kind", "steps"), [("sft", []), ("sft", ["say_less"]), ("dpo", []), ("dpo", ["say_less"])])
def test_a_new_recipe_passes_its_test(kind: str, steps: list[str], home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_command("new-technique", "say_less")
    told = run_command("new-recipe", "brief", "--kind", kind, *(f"--step={step}.py:{step}" for step in steps))
    assert f"stillroom {kind} --recipe brief.py:brief" in told.stderr, told.stderr
    run_test("brief", home, monkeypatch)
    assert ("say_less<br/>generator" in run_command("draw", "brief.py:brief").stdout) is bool(steps)


@pytest.mark.slow
def test_the_tests_that_are_written_run_as_their_owner_runs_them(home: Path) -> None:
    run_command("new-technique", "say_less")
    run_command("new-recipe", "brief", "--step", "say_less.py:say_less")
    told = subprocess.run([sys.executable, "-m", "pytest", "-q"], capture_output=True, text=True)
    assert told.returncode == 0 and "2 passed" in told.stdout, told.stdout + told.stderr


@pytest.mark.parametrize("there", ["say_less.py", "test_say_less.py", "my_prompts/say_less/say_less.j2"])
def test_nothing_is_written_over(there: str, home: Path) -> None:
    Path(there).parent.mkdir(parents=True, exist_ok=True)
    Path(there).write_text("mine")
    told = run_command("new-technique", "say_less")
    assert (told.returncode, told.stderr.count("\n")) == (2, 1)
    assert f"there is such a file: {there}" in told.stderr
    assert {str(path) for path in Path().rglob("*") if path.is_file()} == {there}
    assert Path(there).read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("new-technique SayLess", "this is no name for it: SayLess"),
        ("new-technique 2nd", "this is no name for it: 2nd"),
        ("new-technique ../less", "this is no name for it"),
        ("new-technique class", "this is no name for it: class"),
        ("new-technique magpie", "one of ours has this name: magpie"),
        ("new-recipe evolved", "one of ours has this name: evolved"),
        ("new-technique json", "would hide a module of Python's: json"),
        ("new-recipe brief --step magpie", "a step of your own in this folder is FILE.py:NAME: magpie"),
        ("new-recipe brief --step ../less.py:less", "a step of your own in this folder is FILE.py:NAME"),
        ("new-recipe brief --step less.py:less", "cannot read a technique: less.py"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(words: str, said: str, home: Path) -> None:
    told = run_command(*words.split())
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (2, "", 1)
    assert said in told.stderr
    assert not any(Path().iterdir())
