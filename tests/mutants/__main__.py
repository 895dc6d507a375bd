"""Break the laws one by one, each in a copy of the tree, and expect its tests to fail.

    python -m tests.mutants [WORD]      # all, or those with a word in their name

Ends with 1 where a change goes unnoticed, where the text that it replaces is no longer there, where its tests do not end by
themselves, and where they fail in a copy without any change: they would notice nothing then.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutants import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
COPIED = ("flows", "tasks", "tests", "prompts", "pyproject.toml", "stillroom.py")
LONGEST_S = 900
"""For the tests of one mutant. A test that waits for ever is ended before, by pytest's own limit, and told as well: what it waits
for is to be bounded."""
WAITED = "from pytest-timeout"
LAST_CHARS = 1000
"""Of what failing tests say, so much is shown."""


def main() -> None:
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    chosen = [mutant for mutant in MUTANTS if word in mutant.name]
    tests = sorted({path for mutant in chosen for path in mutant.tests.split()})
    if not tests:
        sys.exit(f"no mutant is called {word}")
    with a_copy() as tree:
        code, said = _pytest(tests, tree, None)
    if code:
        sys.exit(f"the tests fail as it is: {said[-LAST_CHARS:]}")
    sys.exit(1 if [fault for mutant in chosen if (fault := _fault(mutant))] else 0)


@contextmanager
def a_copy() -> Iterator[Path]:
    """A copy of all that the tests need."""
    with TemporaryDirectory() as folder:
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, Path(folder) / name)
        yield Path(folder)


def _fault(mutant: Mutant) -> str | None:
    """What is wrong: None where the tests caught the mutant."""
    with a_copy() as tree:
        told = _mutated(mutant, tree / mutant.file) or _noticed(mutant.tests.split(), tree)
    print(f"{mutant.name}: {told or 'caught'}", flush=True)
    return told


def _mutated(mutant: Mutant, path: Path) -> str | None:
    text = path.read_text()
    for old, new in mutant.changes:
        if text.count(old) != 1:
            return f"{text.count(old)} places in {mutant.file} have the text to replace: {old.strip()}"
        text = text.replace(old, new)
    path.write_text(text)
    return None


def _noticed(tests: Sequence[str], tree: Path) -> str | None:
    """None where a test failed by itself, else what became of the tests."""
    code, said = _pytest(tests, tree)
    if code is None:
        return f"THE TESTS DO NOT END: {said}"
    if code > 1:  # a test failed with 1; 2 and more: they could not even be run
        return f"the tests do not run: {said[-LAST_CHARS:]}"
    if code == 1 and WAITED in said:
        return f"A TEST WAITS FOR EVER: {said[-LAST_CHARS:]}"
    return None if code == 1 else "SURVIVED"


def _pytest(tests: Sequence[str], tree: Path, longest_s: float | None = LONGEST_S) -> tuple[int | None, str]:
    """How the tests end, None where they do not, and what they say."""
    # the example that Hypothesis finds first tells as much as the smallest one, which takes minutes to find
    options = ["-qx", "-p", "no:cacheprovider", "--hypothesis-profile=first-found"]
    command = [sys.executable, "-m", "pytest", *options, *tests]
    environment = os.environ | {"PYTHONPATH": str(tree)}
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, check=False, timeout=longest_s
        )
    except subprocess.TimeoutExpired:
        return None, f"not within {longest_s} s"
    return done.returncode, f"{done.stdout}{done.stderr}"


if __name__ == "__main__":
    main()
