"""Fifty answers, each with the tests it is held to, and what has to come of it."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tasks.errors import Filtered
from tasks.verify.code.blocks import code_in
from tasks.verify.code.mutants import mutants
from tasks.verify.code.unit_tests import unit_tests
from tasks.verify.code.verify import run_tests, verify_tests
from tasks.verify.sandbox.limits import SandboxLimits

ADD = ["assert add(1, 2) == 3", "assert add(-1, 1) == 0"]
GOOD = "def add(a, b):\n    return a + b"
BAD = "def add(a, b):\n    return a - b"
CHECK = "METADATA = {}\n\n\ndef check(candidate):\n    assert candidate(1, 2) == 3\n    assert candidate(0, 0) == 0\n"
PYTEST = "from solution import add\n\ndef test_small():\n    assert add(1, 2) == 3\n\ndef test_none():\n    assert add(0, 0) == 0\n"
CLASS = "import unittest\n\nclass TestAdd(unittest.TestCase):\n    def setUp(self):\n        self.one = 1\n    def test_add(self):\n        self.assertEqual(add(self.one, 2), 3)\n"
HELPER, ONE = "def helper():\n    return 1", "def add(a, b):\n    return 4"
BOTH = "def add(a, b):\n    return 2\n\n\ndef sub(a, b):\n    return 3"
STACK = ["s = Stack()\ns.push(1)", "assert s.pop() == 1", "assert s.empty()"]
STACKED = "class Stack:\n    def __init__(self):\n        self.held = []\n    def push(self, x):\n        self.held.append(x)\n    def pop(self):\n        return self.held.pop()\n    def empty(self):\n        return not self.held"


def block(code: str, language: str = "python", mark: str = "```") -> str:
    return f"{mark}{language}\n{code}\n{mark}"


PAIRS: dict[str, tuple[Any, str, str]] = {
    # where the program stands in the answer
    "a block": (ADD, block(GOOD), ""),
    "a block of capital letters": (ADD, block(GOOD, "Python"), ""),
    "a block that says py": (ADD, block(GOOD, "py"), ""),
    "a block that says nothing": (ADD, block(GOOD, ""), ""),
    "tildes": (ADD, block(GOOD, "python", "~~~"), ""),
    "four marks around three": (ADD, f"````python\n{GOOD}\n\nTEXT = '''\n```\n'''\n````", ""),
    "prose around it": (ADD, f"I add them.\n\n{block(GOOD)}\n\nThat is all: `a + b`.", ""),
    "no block at all": (ADD, GOOD, ""),
    "indented in a list": (ADD, "1. So:\n\n   ```python\n   def add(a, b):\n       return a + b\n   ```", ""),
    "never closed": (ADD, f"```python\n{GOOD}", ""),
    "in Windows' line ends": (ADD, block(GOOD).replace("\n", "\r\n"), ""),
    "usage after it": (ADD, f"{block(GOOD)}\n\nUse it so:\n\n{block('print(add(1, 2))')}", ""),
    "usage that is no Python": (ADD, f"{block(GOOD)}\n\n{block('>>> add(1, 2)')}", ""),
    "output in a block": (ADD, f"{block(GOOD)}\n\n{block('3', '')}", ""),
    "a shell's block first": (ADD, f"{block('pip install x', 'bash')}\n{block(GOOD)}", ""),
    "corrected later": (ADD, f"First try:\n{block(BAD)}\nThat is wrong. Better:\n{block(GOOD)}", ""),
    "made worse later": (ADD, f"{block(GOOD)}\nOr:\n{block(BAD)}", "tests_failed"),
    "in another language": (ADD, block("function add(a, b) { return a + b }", "javascript"), "no_code"),
    "prose alone": (ADD, "I would add them, one to the other.", "no_code"),
    "a sum in prose": (ADD, "add", "no_code"),
    "nothing": (ADD, "", "no_code"),
    "cut off in the middle": (ADD, "```python\ndef add(a, b):\n    return (a +", "not_python"),
    # what the program does
    "a lambda": (ADD, block("add = lambda a, b: a + b"), ""),
    "another name": (ADD, block("def plus(a, b):\n    return a + b"), "tests_failed"),
    "wrong in one case": (ADD, block("def add(a, b):\n    return abs(a) + abs(b)"), "tests_failed"),
    "prints and does not return": (ADD, block("def add(a, b):\n    print(a + b)"), "tests_failed"),
    "prints a lot on the way": (ADD, block("print('x' * 100)\ndef add(a, b):\n    print(a, b)\n    return a + b"), ""),
    "prints that it has passed": (ADD, block(f"{BAD}\nprint('passed')\nprint('[\"ended\", \"\"]')"), "tests_failed"),
    "ends the process well": (ADD, block(f"{BAD}\nimport os\nos._exit(0)"), "ended_early"),
    "ends when it is called": (ADD, block("import os\ndef add(a, b):\n    os._exit(0)"), "ended_early"),
    "leaves by an exception": (ADD, block("def add(a, b):\n    raise SystemExit(0)"), "tests_failed"),
    "leaves while loading": (ADD, block(f"{GOOD}\nimport sys\nsys.exit(0)"), "tests_failed"),
    "a main part": (
        ADD,
        block(f"{GOOD}\n\nif __name__ == '__main__':\n    print(add(*map(int, input().split())))"),
        "",
    ),
    "asks for input": (ADD, block(f"x = input()\n{GOOD}"), "tests_failed"),
    "never returns": (ADD, block("def add(a, b):\n    while True:\n        pass"), "out_of_time"),
    "calls itself for ever": (ADD, block("def add(a, b):\n    return add(a, b)"), "tests_failed"),
    "splits in two": (ADD, block(f"import os\nos.fork()\n{BAD}"), "tests_failed"),
    "needs what is not installed": (ADD, block(f"import numpy\n{GOOD}"), "tests_failed"),
    "Python's own library": (ADD, block("from operator import add"), ""),
    "changes what the tests use": ([*ADD, "assert len([1]) == 1"], block(f"{BAD}\nlen = lambda x: 1"), "tests_failed"),
    "an escape that is none": (ADD, block(f"{GOOD}\nPATTERN = '\\d'"), ""),
    "other letters": (["assert größe('ab') == 2"], block("def größe(text):\n    return len(text)"), ""),
    "nearly equal": (["assert abs(half(0.2) - 0.1) < 1e-9"], block("def half(x):\n    return x / 2"), ""),
    "a class": (STACK, block(STACKED), ""),
    "a class with a fault": (STACK, block(STACKED.replace("not self.held", "self.held")), "tests_failed"),
    # how tests come
    "HumanEval's check": (CHECK, block(GOOD), ""),
    "HumanEval's check, wrong": (CHECK, block(BAD), "tests_failed"),
    "pytest's functions": (PYTEST, block(GOOD), ""),
    "pytest's functions, wrong": (PYTEST, block(BAD), "tests_failed"),
    "a class of unittest": (CLASS, block(GOOD), ""),
    "a class of unittest, wrong": (CLASS, block(BAD), "tests_failed"),
    "a loop of asserts": ("for x in range(3):\n    assert add(x, x) == 2 * x", block(GOOD), ""),
}
QUICK = SandboxLimits(cpu_s=1)


@pytest.mark.parametrize(("tests", "answer", "reason"), PAIRS.values(), ids=PAIRS.keys())
def test_an_answer_passes_or_fails_for_its_reason(
    monkeypatch: pytest.MonkeyPatch, tests: Any, answer: str, reason: str
) -> None:
    monkeypatch.setattr("tasks.verify.code.verify.USUAL_LIMITS", QUICK)
    held = tests if isinstance(tests, str) else json.dumps(tests)
    said = verify_tests({"reference": held, "instruction": "Write `def add(a, b)`."}, answer)
    assert (said.reason, said.passed) == (reason, not reason), said.figure


def test_there_are_fifty() -> None:
    assert len(PAIRS) >= 50


@pytest.mark.parametrize(
    ("text", "count", "fault"),
    [
        (json.dumps(ADD), 2, ""),
        (CHECK, 1, ""),
        (PYTEST, 2, ""),
        (json.dumps(["import math", "assert math.floor(f(1)) == 1"]), 1, ""),
        ('{"inputs": [], "outputs": []}', 0, "they are no list of programs"),
        ("print(add(1, 2))", 0, "there is no test in it"),
        ("assert add(1, 2 ==", 0, "this is no Python"),
    ],
)
def test_tests_are_counted_and_what_tests_nothing_is_refused(text: str, count: int, fault: str) -> None:
    found = unit_tests(text)
    assert (
        (found.tests if not fault else 0) == count
        and found.fault.startswith(fault)
        and bool(found.fault) == bool(fault)
    )


@pytest.mark.parametrize("row", [{}, {"reference": ""}, {"reference": "x = 1"}])
def test_a_row_without_tests_is_refused(row: dict[str, str]) -> None:
    with pytest.raises(Filtered, match="no_tests"):
        verify_tests(row, GOOD)


def test_the_figures_say_how_many_pass() -> None:
    tests = unit_tests(json.dumps(["assert add(1, 0) == 1", "assert add(0, 0) == 0", "assert add(1, 2) == 3"]))
    ran = run_tests(BAD, tests)
    assert (ran.passed, ran.tests, ran.reason) == (2, 3, "tests_failed")
    assert ran.figure == "2 of 3 tests pass; assert add(1, 2) == 3: AssertionError"
    assert run_tests(GOOD, tests).figure == "3 of 3 tests pass"


def test_good_tests_fail_on_mutants_and_weak_ones_do_not() -> None:
    code = (
        "def top(xs):\n    best = xs[0]\n    for x in xs:\n        if x > best:\n            best = x\n    return best"
    )
    made = list(mutants(code, random.Random(0), 4))
    good = unit_tests(
        json.dumps(["assert top([2, 9, 1, 3]) == 9", "assert top([-1]) == -1", "assert top([5, 5]) == 5"])
    )
    weak = unit_tests(json.dumps(["assert callable(top)"]))
    assert sum(bool(run_tests(one, good).reason) for one in made) >= 3
    assert [run_tests(one, weak).reason for one in made[:2]] == ["", ""]


@pytest.mark.parametrize(
    "code",
    ["def f():\n    pass", "x = 1", 'def f(a: "int" = 3) -> "int":\n    """Doc."""\n    return f"{a}"'],
    ids=["nothing", "a constant", "quiet parts"],
)
def test_mutants_are_python_and_never_what_they_were_made_of(code: str) -> None:
    for mutant in mutants(code, random.Random(0), 10):
        compile(mutant, "mutant", "exec")
        assert mutant != code
        assert ("Doc." in mutant) == ("Doc." in code)


def test_the_block_that_is_taken_defines_most_of_what_is_asked() -> None:
    answer = f"{block(HELPER)}\n{block(BOTH)}\n{block(ONE)}"
    assert "return 3" in code_in(answer, {"add", "sub"})
    assert "return 4" in code_in(answer, {"add"})
