"""Tasks for one Python function each, and tests of it, by a model that does not solve them.

    stillroom sft --recipe code --seeds snippets.jsonl --model M --set roles.tester='[OTHER]'
    stillroom sft --recipe code --seeds mbpp.jsonl --model M --set code_tasks.tasks=given

Wei et al. 2023 (arXiv:2312.02120, OSS-Instruct): a task inspired by any piece of code. Zeng et al. 2025 (arXiv:2502.01718, AceCoder): a
model imagines the tests from the task alone. Tests that seeds bring along (MBPP, HumanEval, AceCoder, OpenCodeInstruct, KodCode) are
kept, and nothing is asked for those.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import Filtered, Unusable
from tasks.models.base import Sampling
from tasks.text.conversation import asked_last
from tasks.verify.code.blocks import code_in, defined_in, python_tree
from tasks.verify.code.unit_tests import as_json, names_needed
from tasks.verify.code.verify import DEFINED, check_tests

FOLDER = "code_tasks"
SETUP = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.FunctionDef)


class CodeTasks(Params):
    """Where tasks come from, and how many tests each has."""

    tasks: Literal["written", "given"] = Field(
        "written",
        description="written: a task inspired by what the seed says, code or text. given: the seed is the task. A seed with tests "
        "is one, too",
    )
    tests: int = Field(8, ge=1, le=50, description="tests asked for, of each task")
    least_tests: int = Field(4, ge=1, le=50, description="tests that are usable, below which they are asked for again")
    sampling: Sampling = Field(
        Sampling(temperature=0.7, top_p=0.95, max_new_tokens=2048), description="how tasks and tests are sampled"
    )

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.least_tests > self.tests:
            raise ValueError("least_tests is above tests")
        return self

    @property
    def reads_tests(self) -> bool:
        """Whether tests that seeds bring along are read: they are. This step does not run them."""
        return True

    @property
    def reads_references(self) -> bool:
        """Tests that seeds bring along are kept."""
        return True

    def check_seed(self, seed: Mapping[str, Any], where: str) -> None:
        """Raise ConfigError for tests that cannot be run."""
        check_tests(seed, where)


@technique(reads="Rows", writes="TestedTasks", prompts=FOLDER)
async def code_tasks(row: Row, models: Models, params: CodeTasks) -> list[Row]:
    """Have a task written, unless it is given, and tests of it, unless the seed has them. The model is `roles.tester`.

    Writes `instruction` and `reference`, the tests as JSON. Raises Unusable (no_signature, no_tests, few_tests, other_function,
    defines_solution) where the model does not get it right in time.
    """
    seed = _text_of(row)
    if row.get("reference"):
        return [row.child(instruction=asked_last(row.get("messages") or ()) or seed, reference=row["reference"])]
    ask = partial(models.ask, by="tester", sampling=params.sampling, quoting=True)
    task, changes = seed, {"messages": row["messages"]} if row.get("messages") else {}
    if params.tasks == "written":
        task, changes = await ask(f"{FOLDER}/task", seed=seed, parse=models.in_language(task_of)), {}
    names = tuple(dict.fromkeys(DEFINED.findall(task)))
    parse = partial(tests_of_completion, names, params.least_tests)
    tests = await ask(f"{FOLDER}/tests", task=task, number=params.tests, parse=parse)
    return [row.child(**changes, instruction=task, reference=as_json(tests))]


def _text_of(row: Row) -> str:
    """What the seed says. Raises Filtered where it says nothing."""
    said = row.get("instruction") or row.get("context") or asked_last(row.get("messages") or ())
    if not str(said).strip():
        raise Filtered("no_instruction", "there is neither a task nor a text to take one from")
    return str(said)


def task_of(completion: str) -> str:
    """The task in a completion. Raises Unusable (empty, no_signature, defines_solution)."""
    text = completion.strip()
    if not text:
        raise Unusable("empty")
    names = DEFINED.findall(text)
    if not names:
        raise Unusable("no_signature", "the task says no `def name(...)`")
    if any(_has_body(code_in(text, {name}), name) for name in names):
        raise Unusable("defines_solution", f"{names[0]} is solved in the task")
    return text


def _has_body(code: str, name: str) -> bool:
    """Whether a function does something in a program: more than a docstring, `pass`, `...` or a NotImplementedError."""
    tree = python_tree(code)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return any(not isinstance(one, ast.Pass | ast.Raise) and not _is_constant(one) for one in node.body)
    return False


def _is_constant(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def tests_of_completion(names: Sequence[str], least: int, completion: str) -> tuple[str, ...]:
    """The tests in a completion: asserts that use the function, each once, after what they need.

    `names`: of the functions that the task speaks of; without any, the asserts say what the function is called. Raises
    Unusable (no_tests, few_tests, other_function, defines_solution).
    """
    code = code_in(completion, ()) or completion
    tree = python_tree(code)
    if tree is None or not any(isinstance(one, ast.Assert) for one in tree.body):
        raise Unusable("no_tests", "no assert at the beginning of a line", raw=completion)
    if defined := defined_in(code) & set(names):
        raise Unusable("defines_solution", f"the tests define {', '.join(sorted(defined))}", raw=completion)
    setup = [ast.unparse(one) for one in tree.body if isinstance(one, SETUP)]
    asserts = dict.fromkeys(ast.unparse(one) for one in tree.body if isinstance(one, ast.Assert))
    own = names_needed([*setup, *asserts])
    wanted = set(names) & own if names else own
    if not wanted or (not names and len(own) > 1):
        said = ", ".join(sorted(own)) or "nothing"
        raise Unusable(
            "other_function", f"the tests need {said}, the task {', '.join(names) or 'one name'}", raw=completion
        )
    used = [one for one in asserts if names_needed([one]) & wanted]
    if len(used) < least:
        raise Unusable("few_tests", f"{len(used)}, at least {least}", raw=completion)
    return (*setup, *used)
