"""A conversation between a simulated user and an assistant, turn by turn: what the techniques that hold one share.

The user is played with a prompt (role `user_simulator`), which is shown what was said as text. The assistant is asked with the
turns themselves (role `responder`), and never told that the user is played. So neither can take the other's part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Self

from pydantic import Field, model_validator

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params
from tasks.errors import ConfigError, Filtered, RowLoss, Unusable
from tasks.models.base import Message, Sampling
from tasks.text.conversation import response_of
from tasks.text.reading.simulated import END_SIGN, assistants_turn, users_turn
from tasks.text.responses import called_tools, conversation_text
from tasks.text.words import word_count

SIMULATOR = "user_simulator"


class SimulatedTurns(Params):
    """How long a simulated conversation is, and how both sides are sampled."""

    turns: int = Field(3, ge=1, le=32, description="the user's turns, the first among them, at most")
    min_turns: int = Field(2, ge=1, le=32, description="a conversation that ends before so many is rejected")
    draw_turns: bool = Field(
        True, description="draw for each row how many turns there are to be, from min_turns to turns"
    )
    personas: tuple[str, ...] = Field(
        (), description="who the user is, drawn for each row; empty: those of the prompts"
    )
    max_words: int = Field(2000, ge=10, description="words of the conversation after which no turn is added")
    user_words: int = Field(200, ge=5, description="words of a user's turn; a longer one is refused")
    user_sampling: Sampling = Field(
        Sampling(temperature=1.0, top_p=0.95, max_new_tokens=512), description="how the user's turns are sampled"
    )
    sampling: Sampling = Field(
        Sampling(temperature=0.7, top_p=0.95, max_new_tokens=1024), description="how the assistant's turns are sampled"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.min_turns > self.turns:
            raise ValueError(f"min_turns {self.min_turns} is above turns {self.turns}: every row would be rejected")
        return self

    def turns_for(self, row: Row) -> int:
        """How many turns a row's conversation is to have."""
        return row.choose(range(self.min_turns, self.turns + 1), "turns") if self.draw_turns else self.turns

    def persona_for(self, row: Row, lists: Mapping[str, Sequence[str]]) -> str:
        """Who the user of a row is. `lists`: the words of the prompts."""
        if not (known := self.personas or lists.get("personas")):
            raise ConfigError(
                "the prompts have no personas", "basic_prompting/lists.yaml", "give `personas` of your own"
            )
        drawn: str = row.choose(known, "persona")
        return drawn


class Talk(NamedTuple):
    """A conversation that ends with the assistant's turn, and why no more was said: turns, words, ended, or what was unusable."""

    turns: list[Message]
    stopped: str


async def opened(models: Models, params: SimulatedTurns, persona: str, topic: str) -> str:
    """The first turn of a user with this on their mind. Raises Unusable."""
    first: str = await models.ask(
        f"{SIMULATOR}/opening",
        by="user_simulator",
        sampling=params.user_sampling,
        parse=models.in_language(partial(_first, max_words=params.user_words)),
        persona=persona,
        topic=topic,
    )
    return first


def _first(completion: str, max_words: int) -> str:
    said = users_turn(completion, (), max_words=max_words)
    assert said is not None, "a conversation that has not begun does not end"
    return said


async def carried_on(
    row: Row, models: Models, params: SimulatedTurns, turns: Sequence[Message], persona: str, name: str
) -> Talk:
    """The conversation with more turns, until there are as many as the row is to have, or one of the two ends it.

    `turns` end with the user's turn, or with the assistant's. What is unusable ends it where it stands, as a loss; a turn of
    the user that nobody answers is left out. Raises Filtered (few_turns) below `min_turns` where the user has ended it, and
    what was unusable otherwise.
    """
    said, stopped, wanted = list(turns), "turns", params.turns_for(row)
    loss: RowLoss | None = None
    try:
        while True:
            if said[-1]["role"] != "assistant":
                said.append(await _answer(row, models, params, said, name))
            if _asked(said) >= wanted:
                break
            if sum(word_count(turn["content"]) for turn in said) >= params.max_words:
                stopped = "words"
                break
            asked = await _asked_next(models, params, said, persona)
            if asked is None:
                stopped = "ended"
                break
            said.append(Message(role="user", content=asked))
    except Unusable as unusable:
        loss, stopped = unusable, unusable.reason
        if said[-1]["role"] != "assistant":
            said.pop()
    if _asked(said) < params.min_turns or not said or said[-1]["role"] != "assistant":
        raise loss or Filtered("few_turns", f"{stopped} after {_asked(said)} of at least {params.min_turns}")
    if loss is not None:
        row.lose(loss)
    return Talk(said, stopped)


def _asked(turns: Sequence[Mapping[str, Any]]) -> int:
    return sum(turn["role"] == "user" for turn in turns)


async def _asked_next(models: Models, params: SimulatedTurns, turns: Sequence[Message], persona: str) -> str | None:
    """The user's next turn, None where the user ends the conversation."""
    shown = [turn for turn in turns if turn["role"] != "system"]
    said: str | None = await models.ask(
        f"{SIMULATOR}/next_turn",
        by="user_simulator",
        sample=_asked(turns),
        sampling=params.user_sampling,
        parse=partial(users_turn, turns=shown, max_words=params.user_words),
        persona=persona,
        conversation=conversation_text(shown),
        end=END_SIGN,
    )
    if said is not None and (wrong := models.wrong_language(said)):
        raise Unusable("wrong_language", wrong, raw=said)
    return said


async def _answer(row: Row, models: Models, params: SimulatedTurns, turns: Sequence[Message], name: str) -> Message:
    """The assistant's answer to the last turn."""
    asked = next(turn["content"] for turn in reversed(turns) if turn["role"] == "user")
    text: str = await models.chat(
        turns,
        name=name,
        by="responder",
        sample=_asked(turns),
        sampling=params.sampling,
        parse=models.in_language(partial(_answer_of, turns=turns), asked),
        tools=called_tools(row, turns),
    )
    return Message(role="assistant", content=text)


def _answer_of(completion: str, turns: Sequence[Message]) -> str:
    return assistants_turn(response_of(completion), turns)


def talk_columns(talk: Talk, system: str, model: str) -> dict[str, Any]:
    """The columns of a conversation: all before the last answer, which stands by itself."""
    *before, last = [turn for turn in talk.turns if turn["role"] != "system" or not system]
    asked = next(turn["content"] for turn in reversed(before) if turn["role"] == "user")
    return {
        "messages": before,
        "instruction": asked,
        "response": last["content"],
        "response_model": model,
        "system": system,
        "stopped": talk.stopped,
    }
