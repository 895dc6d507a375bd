"""How often a student gets a problem right: the share of its answers that pass, and problems that teach it something.

    stillroom sft --recipe reasoning --seeds gsm8k.jsonl --model M --set curate.pass_rate.samples=8 \\
        --set roles.student='[{name: SMALL}]' --set rejection_sampling.user_turn=asked --format grpo

A problem that a student always solves, or never, gives its group of answers in GRPO no advantage (Shao et al. 2024,
arXiv:2402.03300; Yu et al. 2025, arXiv:2503.14476, section 3.2, leaves both out). The answers are in the ledger: more samples
ask only for what is new.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.gather import gather_with_losses
from tasks.engine.row import Row
from tasks.engine.technique import Params, row_filter
from tasks.errors import ConfigError, Filtered, RequestRefused, RowLoss
from tasks.models.base import Message, Sampling
from tasks.storage.digest import canonical
from tasks.text.conversation import asked_turns, response_of
from tasks.text.final_answers.asking import SOLUTION, SOLVE, with_request
from tasks.text.final_answers.compare import ANSWER_VERIFIER, check_answer, known_answer
from tasks.text.prompts import Prompts
from tasks.verify.code.verify import tests_of
from tasks.verify.sandbox.choose import sandbox
from tasks.verify.verifier import VERIFIERS, Verification, VerifierName, digest_of_verifier, load_verifier

ROLE = "student"
CONSTRAINTS, TESTS = "constraints", "tests"
"""Verifiers of ours, and the column that the first one reads."""


class PassRate(Params):
    """How a student is tried, and between which pass rates a row stays. A bound of null keeps all on its side."""

    verifier: VerifierName | None = Field(
        None,
        description="what verifies the student's answers; empty: what the row says, else its constraints where it has any, "
        "else its known answer",
    )
    samples: int = Field(8, ge=1, le=1024, description="answers of the student to each problem")
    above: float | None = Field(0.0, ge=0, lt=1, description="rows with this pass rate or less go")
    below: float | None = Field(1.0, gt=0, le=1, description="rows with this pass rate or more go")
    mark: bool = Field(
        True,
        description="say after a problem with a known answer how that is to be marked; leave it out where the rows say so",
    )
    sampling: Sampling = Field(
        Sampling(temperature=1.0, max_new_tokens=2048), description="how the student is sampled, as in the training"
    )

    @property
    def needs_role(self) -> str:
        """The student's."""
        return ROLE

    @property
    def reads_constraints(self) -> bool:
        """Whether the constraints of rows are what answers are verified by."""
        return self.verifier == CONSTRAINTS

    @property
    def files_digest(self) -> str:
        """Of the user's own verifier."""
        return digest_of_verifier(self.verifier or "")


@row_filter(reads="Rows", writes="PassRated", prompts=SOLVE)
async def pass_rate(row: Row, models: Models, params: PassRate) -> Mapping[str, Any]:
    """Have a student answer a row's problem several times, and keep the row where some answers pass and some do not.

    Reads `ground_truth`, else `reference`, or `constraints`. Writes `ground_truth`, `verifier` and `pass_rate`, a share of all samples: one
    that is cut off or unusable has not passed, and is a loss. Raises Filtered (too_hard, too_easy) with the figures, and
    for a row without a known answer (no_reference), or with one that another verifier checks (no_verifier).
    """
    verifier = verifier_of(row, params)
    right = known(row, verifier)
    if not right:
        raise Filtered("no_reference", "there is no answer to check by")
    if verifier not in VERIFIERS and verifier != params.verifier:
        raise Filtered("no_verifier", f"nothing here checks answers by {verifier}")
    if verifier == TESTS:
        tests_of({"ground_truth": right})
        sandbox()  # a dataset that is there says what its rows need as late as this: nothing is asked without one
    check = partial(_check, row, verifier, right, models.language)
    turns = [Message(role=turn["role"], content=turn["content"]) for turn in asked_turns(row)]
    asked = with_request(turns, models.prompts)[0] if params.mark and verifier == ANSWER_VERIFIER else turns
    said: list[str | RowLoss] = await gather_with_losses(
        models.chat(asked, name=SOLUTION, by="student", sample=sample, sampling=params.sampling, parse=response_of)
        for sample in range(params.samples)
    )
    passes = await _passes(row, said, check)
    return {"ground_truth": right, "verifier": verifier, "pass_rate": _rate_within(passes, params)}


async def _passes(row: Row, said: Sequence[str | RowLoss], check: Callable[[str], Verification]) -> int:
    """How many answers pass. One that could not be had or compared is a loss; a request that is refused ends the row."""
    passes = 0
    for one in said:
        if isinstance(one, RequestRefused):
            raise one
        if isinstance(one, RowLoss):
            row.lose(one)
            continue
        found = await asyncio.to_thread(check, one)
        passes += found.passed
        if found.reason == "answer_not_compared":
            row.lose(Filtered(found.reason, found.figure, raw=one))
    return passes


def _rate_within(passes: int, params: PassRate) -> float:
    """The share of the samples that pass. Raises Filtered (too_hard, too_easy) where it is not between the bounds."""
    share = passes / params.samples
    figure = f"{passes} of {params.samples} answers pass"
    if params.above is not None and share <= params.above:
        raise Filtered("too_hard", f"{figure}, more than {params.above:.0%} have to")
    if params.below is not None and share >= params.below:
        raise Filtered("too_easy", f"{figure}, fewer than {params.below:.0%} have to")
    return share


def verifier_of(row: Mapping[str, Any], params: PassRate) -> str:
    """What verifies answers to a row."""
    return params.verifier or row.get("verifier") or (CONSTRAINTS if row.get(CONSTRAINTS) else ANSWER_VERIFIER)


def known(row: Mapping[str, Any], verifier: str) -> str:
    """What answers to a row are verified by, as text; "" where there is nothing."""
    if verifier == CONSTRAINTS:
        return canonical(row[CONSTRAINTS]).decode() if row.get(CONSTRAINTS) else ""
    return (
        known_answer(row) if verifier == ANSWER_VERIFIER else str(row.get("ground_truth") or row.get("reference") or "")
    )


def _check(row: Row, verifier: str, right: str, language: str, answer: str) -> Verification:
    """Whether one answer passes. Blocks."""
    if verifier == ANSWER_VERIFIER:
        check = check_answer({"reference": right}, answer, language)
        return Verification(check.passed, check.figure, check.reason)
    return load_verifier(verifier)({**row, "ground_truth": right}, answer)


def check_pass_rate(params: PassRate, prompts: Prompts) -> None:
    """Raise ConfigError where no pass rate is between the bounds, or the run's prompts have none for problems."""
    if params.above is not None and params.below is not None and params.above >= params.below:
        value = f"above {params.above:g}, below {params.below:g}"
        raise ConfigError("no pass rate is between the bounds", value, "give above less than below")
    for one in prompts.each:
        if SOLVE not in one.techniques():
            where = f"{one.set}/{one.language}"
            raise ConfigError("these prompts have none for curate.pass_rate", where, "give --set prompt_set=full")
