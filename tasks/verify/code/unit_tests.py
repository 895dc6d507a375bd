"""Unit tests as datasets have them: statements, functions or a `check`, in a list or as one text.

    unit_tests('["assert add(1, 2) == 3", "assert add(0, 0) == 0"]')      # two, as JSON (AceCoder, OpenCodeInstruct, MBPP)
    unit_tests("def check(candidate):\n    assert candidate(1) == 2")     # HumanEval; pytest's functions too (KodCode)

A test is what would raise: an `assert`, a function `test_...`, a class `Test...`, a function `check`. All else is what they need.
"""

from __future__ import annotations

import ast
import builtins
import json
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.verify.code.blocks import python_tree


@dataclass(frozen=True, slots=True)
class UnitTests:
    """`parts`: programs to be run one after the other; `tests`: how many tests they hold; `names`: what they need of a solution.

    `fault`: what is wrong with them, "" where nothing is.
    """

    parts: tuple[str, ...] = ()
    tests: int = 0
    names: frozenset[str] = frozenset()
    fault: str = ""


def unit_tests(text: str) -> UnitTests:
    """The tests in a column: JSON with a list of programs, or one program."""
    given = programs_in(text)
    if given is None:
        return UnitTests(fault="they are no list of programs")
    trees = [python_tree(one) for one in given]
    if None in trees:
        return UnitTests(fault=f"this is no Python: {given[trees.index(None)][:80]!r}")
    parts = [ast.unparse(statement) for tree in trees if tree is not None for statement in tree.body]
    tests = sum(is_test(statement) for tree in trees if tree is not None for statement in tree.body)
    return UnitTests(tuple(parts), tests, names_needed(parts), "" if tests else "there is no test in it")


def programs_in(text: str) -> list[str] | None:
    """The programs in a column; None where it is JSON of another kind."""
    if not text.lstrip().startswith(("[", "{")):
        return [text]
    try:
        held = json.loads(text)
    except ValueError:
        return [text]
    return held if isinstance(held, list) and all(isinstance(one, str) for one in held) else None


def as_json(tests: Sequence[str]) -> str:
    """Tests as they stand in a column."""
    return json.dumps(list(tests), ensure_ascii=False)


def is_test(statement: ast.stmt) -> bool:
    """Whether a statement at the top level tests something."""
    if isinstance(statement, ast.FunctionDef):
        return statement.name.startswith("test") or statement.name == "check"
    if isinstance(statement, ast.ClassDef):
        return statement.name.startswith("Test")
    return any(isinstance(node, ast.Assert) for node in ast.walk(statement))


def names_needed(parts: Sequence[str]) -> frozenset[str]:
    """What the tests use, do not define, and Python does not have: the solution's names, those that they import from it too."""
    used: set[str] = set()
    own: set[str] = set()
    for part in parts:
        for node in ast.walk(ast.parse(part)):
            if isinstance(node, ast.Name):
                (used if isinstance(node.ctx, ast.Load) else own).add(node.id)
            elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.arg):
                own.add(node.arg if isinstance(node, ast.arg) else node.name)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.asname or alias.name.partition(".")[0] for alias in node.names}
                (used if isinstance(node, ast.ImportFrom) and node.module == "solution" else own).update(names)
    return frozenset(used - own - set(dir(builtins)))
