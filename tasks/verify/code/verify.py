"""The verifier `tests`: whether the code in an answer passes the tests that the row has.

    stillroom dpo --recipe verified --instructions datasets/sft-code --model MODEL --set verified_scores.verifier=tests

The row has its tests as `ground_truth`, else as `reference` (`tasks/verify/code/unit_tests.py`). Answer and tests are run in a
sandbox, never in this process. A passing answer has run every test to its end: what ends the process, or runs on, does not pass.
"""

from __future__ import annotations

import ast
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tasks.errors import ConfigError, Filtered, PermanentError
from tasks.verify.code.blocks import code_in, is_cut_off, python_tree
from tasks.verify.code.unit_tests import UnitTests, unit_tests
from tasks.verify.sandbox.choose import sandbox
from tasks.verify.sandbox.limits import USUAL_LIMITS, SandboxLimits
from tasks.verify.sandbox.run import ProgramRun, run_program
from tasks.verify.verifier import Verification

TESTS_VERIFIER = "tests"
"""What runs tests is called so in the column `verifier`."""
DEFINED = re.compile(r"\bdef\s+([A-Za-z_]\w*)\s*\(")
HARNESS = Path(__file__).with_name("harness.py")


@dataclass(frozen=True, slots=True)
class TestsRun:
    """How tests went: of `tests` so many `passed`; why they did not all in `reason` and `figure`, "" where they did."""

    tests: int
    passed: int
    reason: str
    figure: str


def verify_tests(row: Mapping[str, Any], answer: str) -> Verification:
    """Run the row's tests against the code in an answer. Raises Filtered where the row has none (no_tests).

    Reasons: no_code, not_python, tests_failed, out_of_time, too_much_output, ended_early.
    """
    tests = tests_of(row)
    names = names_asked(row, tests)
    code = code_in(answer, names)
    if not code:
        cut = is_cut_off(answer)
        figure = "its code is not Python" if cut else f"no code that defines {', '.join(sorted(names)) or 'anything'}"
        return Verification(False, figure, "not_python" if cut else "no_code")
    ran = run_tests(code, tests, entry_point(row, code), USUAL_LIMITS)
    return Verification(not ran.reason, ran.figure, ran.reason)


def tests_of(row: Mapping[str, Any]) -> UnitTests:
    """The tests of a row. Raises Filtered (no_tests) where there are none that can be run."""
    held = str(row.get("ground_truth") or row.get("reference") or "")
    if not held.strip():
        raise Filtered("no_tests", "the row has none")
    tests = unit_tests(held)
    if tests.fault:
        raise Filtered("no_tests", tests.fault, raw=held)
    return tests


def check_tests(seed: Mapping[str, Any], where: str) -> None:
    """Raise ConfigError where the tests of a seed cannot be run."""
    held = seed.get("reference")
    if held is not None and (fault := unit_tests(str(held)).fault):
        fix = "a list of Python programs that raise, or one; another column: --column reference=NAME"
        raise ConfigError("these are no tests", f"{where}: {fault}", fix)


def names_asked(row: Mapping[str, Any], tests: UnitTests) -> frozenset[str]:
    """What a solution has to define: what the tests name, else what the task says `def` of."""
    return tests.names or frozenset(DEFINED.findall(str(row.get("instruction") or "")))


def entry_point(row: Mapping[str, Any], code: str) -> str:
    """The function that a `check` of HumanEval's kind is given: of those that the code defines the last that is asked for, else the last."""
    tree = python_tree(code)
    defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)] if tree else []
    asked = str(row.get("instruction") or "")
    named = sorted((asked.rfind(f"def {name}("), name) for name in defined if f"def {name}(" in asked)
    return named[-1][1] if named else (defined or [""])[-1]


def run_tests(code: str, tests: UnitTests, entry: str = "", limits: SandboxLimits = USUAL_LIMITS) -> TestsRun:
    """Run tests against code in the sandbox. Raises PermanentError where that does not start. Blocks: call it in a thread."""
    token = secrets.token_hex(16)
    told = {"code": code, "parts": tests.parts, "entry": entry, "token": token}
    ran = run_program(_harness(), json.dumps(told), sandbox(), limits)
    if not ran.has_begun:
        raise PermanentError("the sandbox does not start", ran.said.strip()[-200:], "see STILLROOM_SANDBOX")
    said = list(_told(ran.output, token))
    failed = [about for how, about in said if how in ("failed", "not_loaded")]
    passed = sum(how == "passed" for how, _ in said)
    has_ended = any(how == "ended" for how, _ in said)
    if not failed and has_ended and not ran.too_much:
        return TestsRun(passed, passed, "", f"{tests.tests} of {tests.tests} tests pass")
    reason = "tests_failed" if failed and not ran.is_late else _why(ran, has_ended)
    about = failed[0] if failed else _in_words(ran, reason)
    good = max(0, min(passed - (len(tests.parts) - tests.tests), tests.tests - 1))
    return TestsRun(tests.tests, good, reason, f"{good} of {tests.tests} tests pass; {about}")


def _told(output: str, token: str) -> Iterator[tuple[str, str]]:
    """What the harness has said, line by line; one that is cut off is none."""
    for line in output.split("\n"):
        if line.startswith(token):
            with suppress(ValueError):
                how, about = json.loads(line[len(token) :])
                yield how, about


def _why(ran: ProgramRun, has_ended: bool) -> str:
    if ran.is_late:
        return "out_of_time"
    if ran.too_much:
        return "too_much_output"
    return "tests_failed" if has_ended else "ended_early"


def _in_words(ran: ProgramRun, reason: str) -> str:
    if reason == "out_of_time":
        return "it takes too long"
    return (
        "it writes too much" if reason == "too_much_output" else f"it ends before the tests do (exit code {ran.code})"
    )


@cache
def _harness() -> str:
    return HARNESS.read_text(encoding="utf-8")
