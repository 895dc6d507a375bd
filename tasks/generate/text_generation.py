"""An instruction (or a conversation) in, a response out: the technique under all others.

    stillroom sft --recipe respond --seeds instructions.jsonl
"""

from __future__ import annotations

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.engine.templates import inline, render
from tasks.errors import Filtered, Unusable
from tasks.generate.system_prompts import SystemPrompts, system_of
from tasks.models.base import Message, Sampling
from tasks.schemas import Responses, Rows


class TextGeneration(Params):
    """How an instruction is answered."""

    system: str = Field("", description="system prompt; empty: the row's own column `system`, where it has one")
    systems: SystemPrompts = Field({}, description="system prompts to draw from, each with its weight, in place of `system`")
    template: str = Field("", description="jinja over the row's columns that makes the user's message; empty: the instruction")
    generations: int = Field(1, ge=1, le=64, description="responses to each instruction, a row each")
    keep_responses: bool = Field(True, description="keep a response that the row already has, instead of asking again")
    sampling: Sampling = Field(Sampling(temperature=0.7, top_p=0.95, max_new_tokens=1024), description="how responses are sampled")


@technique(reads=Rows, writes=Responses)
async def text_generation(row: Row, models: Models, params: TextGeneration) -> list[Row]:
    """Answer an instruction, or a conversation that ends with the user's turn; one row a generation.

    Reads `messages` where the row has them, else `instruction`. Writes `instruction` (the user's last turn), `response`,
    `response_model` and `system`; `messages` stays as it is, so the response belongs after it. Raises Filtered where
    there is nothing to answer, Unusable where no answer could be had.
    """
    if params.keep_responses and row.get("response"):
        return [_kept(row)]
    children = []
    for sample in range(params.generations):
        system = system_of(row, params.system, params.systems, sample)
        messages = conversation_of(row, system, params.template)
        response = await models.chat(
            messages, name="text_generation", by="responder", sample=sample, sampling=params.sampling, parse=response_of
        )
        children.append(
            row.child(
                **({"messages": None} if params.template and row.get("messages") else {}),
                instruction=messages[-1]["content"],
                response=response,
                response_model=models.of("responder")[0].model.name,
                system=messages[0]["content"] if messages[0]["role"] == "system" else "",
            )
        )
    return children


def conversation_of(row: Row, system: str, template: str = "") -> list[Message]:
    """The messages to answer: the template's, else the row's own conversation, else its instruction.

    `system` takes the place of a system message that is there already; empty leaves that one in. Raises Filtered where
    there is no question, or where the last turn is not the user's.
    """
    turns = render(inline(template), dict(row)) if template else _turns(row)
    if system:
        turns = [{"role": "system", "content": system}, *(turn for turn in turns if turn["role"] != "system")]
    if turns[-1]["role"] != "user":
        raise Filtered("already_answered", f"the conversation ends with the {turns[-1]['role']}'s turn")
    if not turns[-1]["content"].strip():
        raise Filtered("no_instruction", "the user's last turn is empty")
    return turns


def _turns(row: Row) -> list[Message]:
    if row.get("messages"):
        return [{"role": turn["role"], "content": turn["content"] or ""} for turn in row["messages"]]
    if not isinstance(row.get("instruction"), str):
        raise Filtered("no_instruction", "the row has neither an instruction nor messages")
    return [{"role": "user", "content": row["instruction"]}]


def _kept(row: Row) -> Row:
    """A row whose response is there already: a model's, from an earlier step, or one that came with the seed."""
    instruction = row.get("instruction") or _turns(row)[-1]["content"]
    return row.child(instruction=instruction, response_model=row.get("response_model") or "", system=row.get("system") or "")


def response_of(text: str) -> str:
    """The response in a completion, stripped. Raises Unusable where there is none."""
    if not text.strip():
        raise Unusable("empty")
    return text.strip()
