"""The user's own code is found by `FILE.py:NAME`, and what is wrong with it is said in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tasks.errors import ConfigError
from tasks.own_code import absolute, is_own, load, name_of_own
from tasks.text.words import words


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "beside_it.py").write_text("def twice(n):\n    return 2 * n\n")
    (tmp_path / "steps.py").write_text(
        "from beside_it import twice\n\ndef four():\n    return twice(2)\n\nNUMBER = 4\n"
    )
    return tmp_path


def test_a_name_in_a_file_is_found_with_what_lies_beside_it(folder: Path) -> None:
    four = load("steps.py:four", "a step")
    assert four() == 4
    assert load(absolute("steps.py:four"), "a step") is four
    assert str(folder) not in sys.path


def test_a_changed_file_is_run_anew(folder: Path) -> None:
    before = load("steps.py:four", "a step")
    (folder / "steps.py").write_text("def four():\n    return 5\n")
    assert (before(), load("steps.py:four", "a step")()) == (4, 5)


def test_its_name_is_one_that_another_process_finds(folder: Path) -> None:
    name = name_of_own(load("steps.py:four", "a step"))
    assert name == f"{folder}/steps.py:four"
    assert name_of_own(words) is None
    code = f"from tasks.own_code import load; print(load({name!r}, 'a step')())"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert ran.stdout == "4\n", ran.stderr


@pytest.mark.parametrize(
    ("spec", "text", "said"),
    [
        ("none.py:four", None, "cannot read a step: none.py: No such file"),
        ("steps.py:five", None, "the file has no step of this name: steps.py:five; it has twice, four"),
        ("bad.py:x", "x = 1\ny = 1 / 0\n", "the file of a step does not run: {folder}/bad.py:2; ZeroDivisionError"),
        ("bad.py:x", "def x(:\n", "the file of a step does not run: {folder}/bad.py:1; SyntaxError"),
    ],
    ids=["no file", "no such name", "an error of its own", "no Python"],
)
def test_a_mistake_is_one_line(folder: Path, spec: str, text: str | None, said: str) -> None:
    if text is not None:
        (folder / "bad.py").write_text(text)
    if spec == "steps.py:five":
        said = said.replace("twice, ", "")  # which is imported, not its own
    with pytest.raises(ConfigError) as error:
        load(spec, "a step")
    line = str(error.value)
    assert "\n" not in line
    assert line.startswith(said.format(folder=folder).split("; ")[0])
    assert all(part in line for part in said.format(folder=folder).split("; "))


@pytest.mark.parametrize(
    ("spec", "own"), [("a.py:b", True), ("C:/x/a.py:b", True), ("evolved", False), ("a.py:", False), ("a.py", False)]
)
def test_own_code_is_told_from_a_name_of_ours(spec: str, own: bool) -> None:
    assert is_own(spec) is own
