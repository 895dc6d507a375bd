"""A first turn with its answer in, a conversation of several turns out: a simulated user asks on.

    stillroom sft --recipe dialogue --seeds datasets/sft-evolved --model MODEL --set roles.user_simulator='[OTHER]'

After UltraChat (Ding et al. 2023, arXiv:2305.14233), where two models talk to each other, one of them as the user.
"""

from __future__ import annotations

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import technique
from tasks.generate.talks.simulated_turns import SIMULATOR, SimulatedTurns, carried_on, talk_columns
from tasks.models.base import Message
from tasks.text.conversation import conversation_of


class CarryOn(SimulatedTurns):
    """How a conversation is carried on. The first turn, and what was said before it, count among `turns`."""

    min_turns: int = Field(2, ge=1, le=32, description="a conversation that ends before so many is rejected")


@technique(reads="Responses", writes="Dialogues", prompts=SIMULATOR)
async def carry_on(row: Row, models: Models, params: CarryOn) -> list[Row]:
    """Carry a conversation on, turn by turn (arXiv:2305.14233): a simulated user asks, the responder answers.

    Writes the conversation to `messages`, its last turn of the user to `instruction` and the answer to `response`; `stopped` says
    why no more was said: turns, words, ended (by the user), or what was unusable. Raises few_turns below `min_turns`.
    """
    system = row.get("system") or ""
    turns = [*conversation_of(row, system), Message(role="assistant", content=row["response"])]
    persona = params.persona_for(row, models.lists("basic_prompting"))
    talk = await carried_on(row, models, params, turns, persona, "carry_on")
    columns = talk_columns(talk, system, models.of("responder")[0].model.name)
    given = [turn for turn in row.get("messages") or () if turn["role"] != "system" or not system]
    columns["messages"][: len(given)] = given  # with their marks, which no model is shown
    return [row.child(**columns)]
