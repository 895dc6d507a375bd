"""Evol-Instruct: an instruction in, a harder or rarer one out, several generations in a row.

    stillroom sft --recipe evolved --seeds seeds.jsonl

Xu et al. 2023 (arXiv:2304.12244), section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import Filtered, RowLoss
from tasks.generate.system_prompts import SystemPrompts, system_of
from tasks.models.base import Sampling
from tasks.text.conversation import conversation_of, response_of, with_last_turn
from tasks.text.evolution import evolution_of, is_equal, response_refusal
from tasks.text.reading.surrounding import removed_from

Operation = Literal["constraints", "deepen", "concretise", "reasoning", "complicate", "breadth"]
OPERATIONS: tuple[Operation, ...] = ("constraints", "deepen", "concretise", "reasoning", "complicate", "breadth")
JUDGE = Sampling(temperature=0, max_new_tokens=64)


class EvolInstruct(Params):
    """How instructions are evolved, and which evolutions are thrown away. The paper has four generations."""

    generations: int = Field(2, ge=1, le=16, description="rewrites in a row, each of the one before")
    operations: tuple[Operation, ...] = Field(OPERATIONS, min_length=1, description="drawn with equal probability")
    keep: Literal["last", "all", "together"] = Field(
        "last",
        description="a row for the last generation, or for each that succeeded; together: the row as it came, with itself "
        "and all that succeeded as `variants`",
    )
    judge_gain: bool = Field(True, description="throw away what the judge calls equal to the instruction before it")
    respond: bool = Field(True, description="throw away what the responder cannot answer; the answer is kept")
    system: str = Field("", description="system prompt of the response; empty: the row's own column `system`")
    systems: SystemPrompts = Field({}, description="system prompts to draw from, each with its weight")
    sampling: Sampling = Field(
        Sampling(temperature=1.0, top_p=0.95, max_new_tokens=2048), description="how evolutions are sampled"
    )
    response_sampling: Sampling = Field(
        Sampling(temperature=0.7, top_p=0.95, max_new_tokens=1024), description="how responses are sampled"
    )

    @property
    def rows_of_each(self) -> int:
        """One row, or with `keep=together` as many as there are variants that are scored beside each other."""
        return self.generations + 1 if self.keep == "together" else 1

    @property
    def keeps_given_responses(self) -> bool:
        """Whether a response that a seed brings along stays with its instruction."""
        return self.keep == "together"


class Evolved(NamedTuple):
    """An instruction and what answers it; "" where nothing does yet."""

    instruction: str
    response: str = ""
    response_model: str = ""
    system: str = ""


@technique(reads="Instructions", writes="EvolvedInstructions")
async def evol_instruct(row: Row, models: Models, params: EvolInstruct) -> list[Row]:
    """Rewrite an instruction into a harder one, several generations in a row, each by an operation drawn for it.

    What a model says around an evolution is taken off, and is a loss (preface, afterword). A failed evolution is one too: the instruction before it goes on to the next generation, and `operations` has "" in
    its place. With `respond`, writes `response`, `response_model` and `system` ("" where the original stayed). Where
    none succeeds the row comes out as it went in.
    """
    current = Evolved(row["instruction"], *(row.get(column) or "" for column in Evolved._fields[1:]))
    operations: list[str] = []
    children: list[Row] = []
    variants = [current.instruction]
    for generation in range(params.generations):
        operation = row.choose(params.operations, "operation", generation)
        try:
            current = await _evolve(row, models, params, current.instruction, operation, generation)
        except RowLoss as loss:
            row.lose(loss)
            operations.append("")
            continue
        operations.append(operation)
        variants.append(current.instruction)
        if params.keep == "all":
            children.append(_child(row, current, operations, params))
    if params.keep == "together":
        return [row.child(operations=operations, variants=variants)]
    return children or [_child(row, current, operations, params)]


async def _evolve(
    row: Row, models: Models, params: EvolInstruct, current: str, operation: Operation, generation: int
) -> Evolved:
    """One generation. Raises a RowLoss where the evolution has to be thrown away."""
    removed: list[Filtered] = []

    def parsed(completion: str) -> str:
        instruction = evolution_of(current, completion)
        removed[:] = removed_from(completion, instruction)
        return instruction

    evolved = await models.ask(
        f"evol_instruct/{operation}",
        instruction=current,
        sample=generation,
        sampling=params.sampling,
        parse=models.in_language(parsed),
    )
    for loss in removed:
        row.lose(loss)
    if params.judge_gain and await models.ask(
        "evol_instruct/equal",
        by="judge",
        first=current,
        second=evolved,
        sample=generation,
        sampling=JUDGE,
        parse=is_equal,
    ):
        raise Filtered("no_information_gain", f"by {operation}", raw=evolved)
    return await _answered(row, models, params, evolved, generation) if params.respond else Evolved(evolved)


async def _answered(row: Row, models: Models, params: EvolInstruct, evolved: str, generation: int) -> Evolved:
    """The evolution with its response. Raises Filtered where that shows that the instruction cannot be answered."""
    asked = {**row, "instruction": evolved, "messages": with_last_turn(row.get("messages"), evolved)}
    messages = conversation_of(asked, system_of(row, params.system, params.systems))
    response = await models.chat(
        messages,
        name="text_generation",
        by="responder",
        sample=generation,
        sampling=params.response_sampling,
        parse=models.in_language(response_of, evolved),
    )
    if reason := response_refusal(response):
        raise Filtered(reason, response, raw=evolved)
    system = messages[0]["content"] if messages[0]["role"] == "system" else ""
    return Evolved(evolved, response, models.of("responder")[0].model.name, system)


def _child(row: Row, current: Evolved, operations: Sequence[str], params: EvolInstruct) -> Row:
    changes: dict[str, Any] = {"operations": list(operations)}
    if params.respond:
        changes |= current._asdict()
    if current.instruction == row["instruction"]:
        return row.child(**changes)
    if row.get("messages"):
        changes["messages"] = with_last_turn(row["messages"], current.instruction)
    return row.child(**{**changes, "instruction": current.instruction})
