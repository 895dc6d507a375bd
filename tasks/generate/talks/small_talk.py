"""Small talk about everyday things: a simulated user and an assistant, each with a persona of its own.

    stillroom sft --recipe everyday --rows 100 --model MODEL --set roles.user_simulator='[OTHER]'

After SmolTalk's everyday conversations (Ben Allal et al. 2025, arXiv:2502.02737), which one model wrote whole from a topic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import technique
from tasks.errors import ConfigError
from tasks.generate.talks.simulated_turns import SIMULATOR, SimulatedTurns, carried_on, opened, talk_columns
from tasks.models.base import Message, Sampling

PERSONA = "PERSONA"  # where the persona goes in `speaking_as`


class SmallTalk(SimulatedTurns):
    """What is talked about, and between whom."""

    turns: int = Field(4, ge=1, le=32, description="the user's turns at most")
    topics: tuple[str, ...] = Field((), description="what the user has in mind, in turn; empty: those of the prompts")
    speakers: tuple[str, ...] = Field((), description="who the assistant is, drawn for each row; empty: likewise")
    show_speaker: bool = Field(
        True, description="the dataset has who the assistant is as the system prompt, since it speaks as that person"
    )
    sampling: Sampling = Field(
        Sampling(temperature=0.8, top_p=0.95, max_new_tokens=256), description="how the assistant's turns are sampled"
    )

    @property
    def says_language(self) -> bool:
        """Both speakers are told who they are in the language of the row."""
        return True

    def blank_rows(self, lists: Mapping[str, Sequence[str]]) -> Sequence[dict[str, Any]]:
        """The topics, in turn. Raises ConfigError where the prompts have none for small talk."""
        if not (topics := self.topics or lists.get("topics")) or not lists.get("speaking_as"):
            fix = "give --set prompt_set=full; in a folder of your own they are in small_talk/lists.yaml"
            raise ConfigError("the prompts have none for small talk", "small_talk/lists.yaml", fix)
        return [{"topic": topic} for topic in topics]


@technique(reads="Topics", writes="Dialogues", prompts=SIMULATOR)
async def small_talk(row: Row, models: Models, params: SmallTalk) -> list[Row]:
    """Hold a conversation about the row's `topic` between a user and an assistant who are different people (arXiv:2502.02737).

    Columns as `carry_on` has them, with `personas`, the user's and the assistant's. Raises few_turns, and what was unusable of
    the first turn.
    """
    lists = models.lists("small_talk")
    persona = params.persona_for(row, models.lists("basic_prompting"))
    others = [one for one in params.speakers or lists["speakers"] if one != persona]
    speaker = row.choose(others, "speaker")
    system = lists["speaking_as"][0].replace(PERSONA, speaker)
    first = await opened(models, params, persona, row["topic"])
    turns = [Message(role="system", content=system), Message(role="user", content=first)]
    talk = await carried_on(row, models, params, turns, persona, "small_talk")
    columns = talk_columns(talk, system, models.of("responder")[0].model.name)
    shown = {} if params.show_speaker else {"system": ""}
    return [row.child(**columns | shown, personas=[persona, speaker])]
