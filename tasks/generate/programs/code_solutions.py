"""Programs that pass the tests of their task, where these tests fail programs that have a fault.

    stillroom sft --recipe code --seeds mbpp.jsonl --model M --set code_tasks.tasks=given --set code_solutions.samples=8

Xu et al. 2025 (arXiv:2503.02951, KodCode) and Ahmad et al. 2025 (arXiv:2504.04030, OpenCodeInstruct): solutions kept only if they
pass. Where it differs: solution and tests are of two models, a solution that fails has no new tests written for it (KodCode
writes both anew, up to ten times), and tests have to fail on solutions with one thing changed, which shows that they test
something. All runs are in a sandbox (`tasks/verify/sandbox`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from tasks.engine.ask import Models
from tasks.engine.gather import gather_with_losses
from tasks.engine.losses import lose_all, none_passed
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import Filtered, RowLoss
from tasks.models.base import Message, Sampling
from tasks.text.conversation import asked_last, conversation_of, response_of, with_last_turn
from tasks.text.templates import render
from tasks.verify.code.blocks import code_in
from tasks.verify.code.mutants import mutants
from tasks.verify.code.unit_tests import UnitTests, as_json
from tasks.verify.code.verify import TESTS_VERIFIER, entry_point, names_asked, run_tests, tests_of, verify_tests
from tasks.verify.sandbox.limits import SandboxLimits
from tasks.verify.verifier import Verification

FOLDER = "code_solutions"
CODE_SOLUTION = f"{FOLDER}/solution"
OF_MUTANTS = SandboxLimits(cpu_s=4, wall_s=20.0)
"""Many of them never end."""


class CodeSolutions(Params):
    """How tasks are solved, and what their tests have to show."""

    samples: int = Field(4, ge=1, le=256, description="solutions asked for, of each task")
    solutions: int = Field(1, ge=1, le=256, description="passing solutions that are kept of each task, a row each")
    prefer: Literal["shortest", "first"] = Field(
        "first",
        description="which of the passing ones are kept; first asks for one after the other, and for no more once it has enough",
    )
    mutants: int = Field(
        5, ge=0, le=50, description="programs with one thing changed that the tests are tried on; 0: they are not"
    )
    min_killed: float = Field(
        0.5, gt=0, le=1, description="share of them that the tests have to fail; some do the same as the solution"
    )
    sampling: Sampling = Field(
        Sampling(temperature=0.7, top_p=0.95, max_new_tokens=4096), description="how solutions are sampled"
    )

    @model_validator(mode="after")
    def _can_be_kept(self) -> Self:
        if self.solutions > self.samples:
            raise ValueError(f"{self.solutions} solutions cannot be kept of {self.samples} samples")
        return self

    @property
    def rows_of_each(self) -> int:
        """Solutions of one task."""
        return self.solutions

    @property
    def runs_code(self) -> bool:
        """Solutions and tests are run."""
        return True

    @property
    def needs_column(self) -> str:
        """The column that holds the tests."""
        return "reference"


class Passing(NamedTuple):
    """A solution that passes: which sample it is, its text, its program, and the figures."""

    sample: int
    text: str
    code: str
    figure: str


class Killed(NamedTuple):
    """How many mutants of a solution there were, and how many of them its tests failed."""

    mutants: int
    killed: int


@technique(reads="Instructions", writes="TestedSolutions", prompts=FOLDER)
async def code_solutions(row: Row, models: Models, params: CodeSolutions) -> list[Row]:
    """Have a task solved several times, and keep solutions that pass tests which tell right from wrong, a row each.

    Reads `instruction` or `messages`, and `reference`. Writes `response`, `ground_truth` (the tests, as JSON), `verifier`, and the
    proof: `verification`, `mutants`, `mutants_killed`. A solution that does not pass is a loss, with its reason. Where none passes the
    row is filtered for the commonest; where the tests let mutants pass, for tests_too_weak; where nothing can be changed, for
    no_mutant. Raises Unusable (no_solution) where no sample could be had at all.
    """
    tests = tests_of(row)
    asked, user = _asked(row, models, tests)
    passing: list[Passing] = []
    failed: list[Verification] = []
    at_once = 1 if params.prefer == "first" else params.samples
    for start in range(0, params.samples, at_once):
        for sample, text in await _solved(row, models, params, asked, range(start, start + at_once)):
            said = await asyncio.to_thread(verify_tests, row, text)
            if said.passed:
                passing.append(Passing(sample, text, code_in(text, names_asked(row, tests)), said.figure))
            else:
                failed.append(said)
                row.lose(Filtered(said.reason, said.figure, raw=text))
        if params.prefer == "first" and len(_apart(passing)) >= params.solutions:
            break
    if not passing:
        raise none_passed(row, failed)
    if params.prefer == "shortest":
        passing.sort(key=lambda one: (len(one.text), one.text))
    kept = _apart(passing)[: params.solutions]
    return [_child(row, models, one, user, await _tried(row, params, tests, one)) for one in kept]


def _asked(row: Row, models: Models, tests: UnitTests) -> tuple[list[Message], str]:
    """The conversation that asks for a solution, and the user's turn in it: it says the names that the tests need."""
    turns = conversation_of(row, row.get("system") or "")
    task = asked_last(turns)
    unsaid = sorted(name for name in tests.names if name not in task)
    *system, user = render(models.prompts.template(CODE_SOLUTION), {"task": task, "names": unsaid})
    said = with_last_turn(turns, user["content"]) or turns
    return said if said[0]["role"] == "system" else [*system, *said], user["content"]


async def _solved(
    row: Row, models: Models, params: CodeSolutions, asked: Sequence[Message], samples: range
) -> list[tuple[int, str]]:
    """The solutions that came back, by their numbers. Those that did not are losses of the row."""
    said: list[str | RowLoss] = await gather_with_losses(
        models.chat(
            asked, name=CODE_SOLUTION, by="responder", sample=sample, sampling=params.sampling, parse=response_of
        )
        for sample in samples
    )
    lose_all(row, (one for one in said if isinstance(one, RowLoss)))
    return [(at, one) for at, one in zip(samples, said, strict=True) if isinstance(one, str)]


async def _tried(row: Row, params: CodeSolutions, tests: UnitTests, one: Passing) -> Killed:
    """How many mutants of a solution the tests fail. Raises Filtered (tests_too_weak, no_mutant)."""
    if not params.mutants:
        return Killed(0, 0)
    made = list(mutants(one.code, row.rng("mutants", one.code), params.mutants))
    if not made:
        raise Filtered("no_mutant", "nothing in it can be changed", raw=one.text)
    entry = entry_point(row, one.code)
    ran = await asyncio.gather(*(asyncio.to_thread(run_tests, mutant, tests, entry, OF_MUTANTS) for mutant in made))
    killed = sum(bool(tried.reason) for tried in ran)
    if killed < params.min_killed * len(made):
        alive = next(mutant for mutant, tried in zip(made, ran, strict=True) if not tried.reason)
        figure = f"{killed} of {len(made)} mutants fail, {params.min_killed:.0%} have to"
        raise Filtered("tests_too_weak", figure, raw=alive)
    return Killed(len(made), killed)


def _apart(passing: Sequence[Passing]) -> list[Passing]:
    """The solutions in their order, of those with the same program the first."""
    return list({one.code: one for one in reversed(passing)}.values())[::-1]


def _child(row: Row, models: Models, one: Passing, user: str, tried: Killed) -> Row:
    turns: dict[str, Any] = {"messages": with_last_turn(row["messages"], user)} if row.get("messages") else {}
    tests = tests_of(row)
    child = row.child(
        **turns,
        instruction=user,
        response=one.text,
        response_model=models.of("responder")[0].model.name,
        system=row.get("system") or "",
        ground_truth=as_json(tests.parts),
        verifier=TESTS_VERIFIER,
        verification=f"{one.figure}; {tried.killed} of {tried.mutants} mutants fail" if tried.mutants else one.figure,
        mutants=tried.mutants,
        mutants_killed=tried.killed,
    )
    child.calls = [call for call in row.calls if (call.template, call.sample) == (CODE_SOLUTION, one.sample)]
    return child
