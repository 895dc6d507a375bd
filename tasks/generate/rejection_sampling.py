r"""Several solutions of a problem, of which those are kept whose final answer is right.

    stillroom sft --recipe reasoning --seeds gsm8k.jsonl --model M --set rejection_sampling.samples=8

What is right is known (`reference`, as GSM8K's `answer` with `#### 42` has it) or agreed: most samples say so. Yuan et al.
2023 (arXiv:2308.01825, rejection sampling fine-tuning), Zelikman et al. 2022 (arXiv:2203.14465, STaR), Wang et al. 2022
(arXiv:2203.11171, self-consistency). Where it differs: no hint is given to a model that fails (STaR's rationalisation), and of
right solutions that are worded alike one is kept, where the first paper compares their equations.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from tasks.engine.ask import Models
from tasks.engine.gather import gather_with_losses
from tasks.engine.losses import lose_all, none_passed
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import ConfigError, Filtered, RowLoss, Unusable
from tasks.models.base import Message, Sampling
from tasks.text.conversation import asked_last, response_of, with_last_turn
from tasks.text.final_answers.agreed import agreed_answer
from tasks.text.final_answers.asking import SOLUTION, SOLVE, problem_of, with_request
from tasks.text.final_answers.compare import ANSWER_VERIFIER, AnswerCheck, check_answer, check_comparable
from tasks.text.final_answers.cut import reference_answer


class RejectionSampling(Params):
    """How problems are solved, and which solutions are kept."""

    samples: int = Field(4, ge=1, le=256, description="solutions asked for, of each problem")
    answers: Literal["given", "majority", "either"] = Field(
        "given",
        description="what is right: the answer that the seed brings along, the one that most samples agree on, or that where "
        "the seed has none",
    )
    min_agreement: float = Field(
        0.5, gt=0, le=1, description="share of the samples that have to agree, where the majority says what is right"
    )
    solutions: int = Field(1, ge=1, le=256, description="right solutions that are kept of each problem, a row each")
    prefer: Literal["shortest", "first"] = Field(
        "shortest",
        description="which of the right ones are kept; first asks for one after the other, and for no more once it has enough",
    )
    user_turn: Literal["problem", "asked"] = Field(
        "problem",
        description="what the user says in the row: the problem, or that with how its answer is to be marked, as the model "
        "was asked",
    )
    sampling: Sampling = Field(
        Sampling(temperature=0.7, top_p=0.95, max_new_tokens=4096), description="how solutions are sampled"
    )

    @model_validator(mode="after")
    def _can_stop(self) -> Self:
        if self.prefer == "first" and self.answers != "given":
            raise ValueError("prefer: first stops before a majority is known: give prefer: shortest, or answers: given")
        if self.solutions > self.samples:
            raise ValueError(f"{self.solutions} solutions cannot be kept of {self.samples} samples")
        return self

    @property
    def rows_of_each(self) -> int:
        """Solutions of one problem."""
        return self.solutions

    @property
    def reads_references(self) -> bool:
        """Answers that seeds bring along are what is right."""
        return self.answers != "majority"

    def check_seed(self, seed: Mapping[str, Any], where: str) -> None:
        """Raise ConfigError for a problem without an answer, and for an answer that nothing here can compare."""
        problem = str(seed.get("instruction") or asked_last(seed.get("messages") or ()))
        reference = seed.get("reference")
        if reference is not None:
            check_comparable(str(reference), where)
        elif self.answers == "given":
            fix = "map its column: --column reference=NAME, or --set rejection_sampling.answers=majority"
            raise ConfigError("a problem without an answer to check by", f"{where}: {problem[:60]}", fix)


class Solution(NamedTuple):
    """A solution, and which sample it is."""

    sample: int
    text: str


@technique(reads="Rows", writes="Solutions", prompts=SOLVE)
async def rejection_sampling(row: Row, models: Models, params: RejectionSampling) -> list[Row]:
    """Solve a problem several times, and keep solutions whose final answer is right, a row each.

    Reads `instruction` or `messages`, and `reference`. Writes `response`, `response_model`, `ground_truth` (the right
    answer) and `verifier`. A solution that is not right is a loss (wrong_answer, no_final_answer, answer_not_compared).
    Where none is right the row is filtered for the same reasons, with what was found; without a majority, for
    no_agreement. Raises Unusable (no_solution) where no sample could be had at all.
    """
    turns = problem_of(row)
    given = row.get("reference")
    if given is None and params.answers == "given":
        raise Filtered("no_reference", "there is no answer to check by")
    right = reference_answer(str(given)) if given is not None and params.answers != "majority" else None
    asked, system = with_request(turns, models.prompts)
    passed: list[Solution] = []
    failed: list[AnswerCheck] = []
    at_once = 1 if params.prefer == "first" else params.samples
    for start in range(0, params.samples, at_once):
        samples = range(start, start + at_once)
        solved = await _solved(row, models, params, [*_said_first(system, asked), *asked], samples)
        if right is None:
            right = await _agreed(solved, params, models.language)
        for one in solved:
            check = await asyncio.to_thread(check_answer, {"reference": right}, one.text, models.language)
            if check.passed:
                passed.append(one)
            else:
                failed.append(check)
                row.lose(Filtered(check.reason, check.figure, raw=one.text))
        if len(_apart(passed)) >= params.solutions and params.prefer == "first":
            break
    if not passed:
        raise none_passed(row, failed)
    kept = _apart(sorted(passed, key=lambda one: (len(one.text), one.text)) if params.prefer == "shortest" else passed)
    user = asked_last(asked if params.user_turn == "asked" else turns)
    return [_child(row, models, one, right or "", user) for one in kept[: params.solutions]]


def _said_first(system: str, asked: Sequence[Message]) -> list[Message]:
    """How to solve it, unless the conversation begins with a system prompt of its own."""
    own = asked[0]["role"] == "system"
    return [] if own or not system else [Message(role="system", content=system)]


async def _solved(
    row: Row, models: Models, params: RejectionSampling, asked: Sequence[Message], samples: range
) -> list[Solution]:
    """The solutions that came back. Those that did not are losses of the row."""
    said: list[str | RowLoss] = await gather_with_losses(
        models.chat(
            asked,
            name=SOLUTION,
            by="responder",
            sample=sample,
            sampling=params.sampling,
            parse=models.in_language(response_of, asked_last(asked)),
        )
        for sample in samples
    )
    lose_all(row, (one for one in said if isinstance(one, RowLoss)))
    return [Solution(at, one) for at, one in zip(samples, said, strict=True) if isinstance(one, str)]


async def _agreed(solved: Sequence[Solution], params: RejectionSampling, language: str) -> str:
    """The answer that most samples give. Raises Filtered where too few do, Unusable where there is no sample."""
    if not solved:
        raise Unusable("no_solution", f"none of {params.samples} samples could be had")
    votes = await asyncio.to_thread(agreed_answer, [one.text for one in solved], language)
    if votes.answer is None or votes.votes < params.min_agreement * params.samples:
        needed = f"{params.min_agreement:.0%} of {params.samples} have to agree"
        raise Filtered("no_agreement", f"{votes.figure}, {needed}")
    return votes.answer


def _apart(solutions: Sequence[Solution]) -> list[Solution]:
    """The solutions in their order, of those worded alike the first."""
    return list({" ".join(one.text.casefold().split()): one for one in reversed(solutions)}.values())[::-1]


def _child(row: Row, models: Models, one: Solution, right: str, user: str) -> Row:
    turns = {} if not row.get("messages") else {"messages": with_last_turn(row["messages"], user)}
    child = row.child(
        **turns,
        instruction=user,
        response=one.text,
        response_model=models.of("responder")[0].model.name,
        system=row.get("system") or "",
        ground_truth=right,
        verifier=ANSWER_VERIFIER,
    )
    child.calls = [call for call in row.calls if (call.template, call.sample) == (SOLUTION, one.sample)]
    return child
