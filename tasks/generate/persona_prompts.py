"""A person in, messages out that this person would send: tasks, problems of mathematics, questions of knowledge, tools.

    stillroom sft --recipe personas --seeds personas.jsonl --set persona_prompts.kinds='{maths: 1}'

Ge et al. 2024 (Persona Hub, arXiv:2406.20094), section 4.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from tasks.engine.ask import Models
from tasks.engine.losses import OneByOne
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.models.base import Sampling
from tasks.text.composition.weights import Weight, some_weight
from tasks.text.reading.messages import written_message

FOLDER = "persona_prompts"
PromptKind = Literal["instruction", "maths", "knowledge", "tool"]


class PersonaPrompts(Params):
    """What each person asks."""

    kinds: Annotated[dict[PromptKind, Weight], AfterValidator(some_weight)] = Field(
        {"instruction": 1, "maths": 1, "knowledge": 1, "tool": 1},
        min_length=1,
        description="kinds of message and how often each is drawn; a kind left out is not",
    )
    messages: int = Field(1, ge=1, le=50, description="messages of each person, a row each")
    sampling: Sampling = Field(
        Sampling(temperature=1.0, top_p=0.95, max_new_tokens=512), description="how messages are sampled"
    )

    @property
    def rows_of_each(self) -> int:
        """Messages of one person."""
        return self.messages


@technique(reads="Personas", writes="PersonaInstructions", prompts=FOLDER)
async def persona_prompts(row: Row, models: Models, params: PersonaPrompts) -> list[Row]:
    """Have messages written as the row's `persona` would, each of a kind drawn for it; one row each.

    Writes `instruction` and `prompt_kind`. One that could not be had is a loss; the row is rejected where all are.
    """
    kinds, weights = zip(*sorted(params.kinds.items()), strict=True)
    children: list[Row] = []
    asks = OneByOne(row)
    for sample in range(params.messages):
        kind = row.choose(kinds, "prompt_kind", sample, weights=weights)
        with asks:
            message = await models.ask(
                f"{FOLDER}/{kind}",
                persona=row["persona"],
                sample=sample,
                sampling=params.sampling,
                parse=models.in_language(written_message),
            )
            children.append(row.child(instruction=message, prompt_kind=kind))
    return asks.some(children)
