"""An instruction (or a conversation) in, a response out: the technique under all others.

    stillroom sft --recipe respond --seeds instructions.jsonl

What is asked, and how a response is read, is in `conversation.py`.
"""

from __future__ import annotations

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.generate.system_prompts import SystemPrompts, system_of
from tasks.models.base import Sampling
from tasks.text.conversation import asked_last, conversation_of, response_of, turns_of


class TextGeneration(Params):
    """How an instruction is answered."""

    system: str = Field("", description="system prompt; empty: the row's own column `system`, where it has one")
    systems: SystemPrompts = Field(
        {}, description="system prompts to draw from, each with its weight, in place of `system`"
    )
    template: str = Field(
        "", description="jinja over the row's columns that makes the user's message; empty: the instruction"
    )
    generations: int = Field(1, ge=1, le=64, description="responses to each instruction, a row each")
    keep_responses: bool = Field(True, description="keep a response that the row already has, instead of asking again")
    sampling: Sampling = Field(
        Sampling(temperature=0.7, top_p=0.95, max_new_tokens=1024), description="how responses are sampled"
    )

    @property
    def rows_of_each(self) -> int:
        """Responses to one instruction."""
        return self.generations

    @property
    def keeps_given_responses(self) -> bool:
        """Whether a response that a seed brings along is kept."""
        return self.keep_responses

    @property
    def makes_turn_of_columns(self) -> bool:
        """Whether a template makes the question."""
        return bool(self.template)


@technique(reads="Rows", writes="Responses")
async def text_generation(row: Row, models: Models, params: TextGeneration) -> list[Row]:
    """Answer an instruction, or a conversation that ends with the user's turn; one row a generation.

    Reads `messages` where the row has them, else `instruction`. Writes `instruction` (the user's last turn),
    `response`, `response_model` and `system`; `messages` stays as it is, so the response belongs after it. Raises
    Filtered where there is nothing to answer, Unusable where no answer could be had.
    """
    if params.keep_responses and row.get("response"):
        return [_kept(row)]
    children = []
    for sample in range(params.generations):
        system = system_of(row, params.system, params.systems, sample)
        messages = conversation_of(row, system, params.template)
        question = asked_last(messages)
        response = await models.chat(
            messages,
            name="text_generation",
            by="responder",
            sample=sample,
            sampling=params.sampling,
            parse=models.in_language(response_of, question),
            tools=row.get("tools") or None,
        )
        children.append(
            row.child(
                **({"messages": None} if params.template and row.get("messages") else {}),
                instruction=question,
                response=response,
                response_model=models.of("responder")[0].model.name,
                system=messages[0]["content"] if messages[0]["role"] == "system" else "",
            )
        )
    return children


def _kept(row: Row) -> Row:
    """A row whose response is there already: a model's, from an earlier step, or one that came with the seed."""
    instruction = row.get("instruction") or asked_last(turns_of(row))
    return row.child(
        instruction=instruction, response_model=row.get("response_model") or "", system=row.get("system") or ""
    )
