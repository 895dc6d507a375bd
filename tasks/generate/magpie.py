"""Magpie: a model that is shown nothing but the start of a user's turn writes what its user would say.

    stillroom sft --recipe basic --rows 1000

Xu et al. 2024 (arXiv:2406.08464), section 2. The prompt is raw text: through a chat endpoint the model would greet.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from datetime import date
from functools import lru_cache, partial
from typing import Any, Self, cast

from pydantic import Field, model_validator

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import Unusable
from tasks.generate.system_prompts import Categories, SystemPrompts, category_system, check_categories, system_of
from tasks.models.answers.rendering import CLOCK
from tasks.models.base import ChatTemplate, Message, Sampling
from tasks.patterns import pattern
from tasks.text.conversation import response_of
from tasks.text.instructions import length_refusal
from tasks.text.languages import EVERY, either
from tasks.text.pre_query import pre_query, stop_strings
from tasks.text.words import nfc, word_count

LEFTOVER = pattern(
    r"<\|[^|>\n]{1,40}\|?>|<\|?[^|<>\n]{1,40}\|>|<｜[^｜>\n]{1,40}｜>|\[/?INST\]|<</?SYS>>|</?s>"
    r"|<(?:bos|eos|pad|unk|start_of_turn|end_of_turn)>|^(?:user|assistant|system)\s*$",
    re.MULTILINE,
)
GREETING = pattern(
    either("may_i_help", EVERY),
    re.IGNORECASE,
)
stops_of = lru_cache(maxsize=16)(stop_strings)


class Magpie(Params):
    """How users' turns are drawn out of a model. Of the released sets Llama-3.1 has top_p 1.0 and temperature 0.8."""

    system: str = Field("", description="system prompt; it describes an assistant, not a wish; empty: the row's own")
    systems: SystemPrompts = Field({}, description="system prompts to draw from, each with its weight")
    categories: Categories = Field(
        {},
        description="task categories, each with its weight, to draw a system prompt of the prompts' language from, such as "
        "{coding: 2, math: 1}; all: twelve, with the weights of Magpie-Ultra; `systems` goes before it",
        exclude_if=lambda told: not told,  # so that blank rows have the ids that they had before there was this field
    )
    turns: int = Field(1, ge=1, le=16, description="user turns; those before the last are answered")
    min_turns: int | None = Field(
        None,
        ge=1,
        le=16,
        description="draw the number of turns for each row, from this to `turns`; empty: always `turns`",
        exclude_if=lambda told: told is None,  # as with categories
    )
    stop_at_newline: bool = Field(True, description="a user's turn is one line; off for Llama 3.1, 3.3 and Gemma 2")
    min_words: int = Field(2, ge=1, description="words; a shorter turn is refused")
    max_words: int = Field(500, ge=1, description="words; a longer turn is refused")
    today: date = Field(
        CLOCK, description="the date that chat templates are told which print one; a model's own goes before it"
    )
    sampling: Sampling = Field(
        Sampling(temperature=1.0, top_p=1.0, max_new_tokens=512), description="how users' turns are sampled"
    )
    response_sampling: Sampling = Field(
        Sampling(temperature=0, max_new_tokens=1024), description="how turns before the last are answered"
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.min_turns is not None and self.min_turns > self.turns:
            raise ValueError(f"min_turns {self.min_turns} is above turns {self.turns}")
        return self

    def blank_rows(self, lists: Mapping[str, Sequence[str]]) -> Sequence[dict[str, Any]]:
        """Nothing stands in them. Raises ConfigError where the prompts do not have the categories."""
        if self.categories:
            check_categories(self.categories, lists)
        return ({},)

    @property
    def says_language(self) -> bool:
        """Whether the model is told a language by what it is asked with."""
        return bool(self.categories)


@technique(reads="Rows", writes="MagpieInstructions")
async def magpie(row: Row, models: Models, params: Magpie) -> list[Row]:
    """Let the generator write a user's turn, or several with the responder's answers between them; one row.

    Writes `instruction` (the last user turn, not answered yet), `messages` (the conversation up to it, without the
    system prompt) and `system`. Raises Unusable where a turn could not be had, ConfigError where the chat template
    cannot be used.
    """
    generator = models.of("generator")[0]
    template, today = generator.model.template, generator.config.today or params.today
    system = system_of(row, params.system, params.systems)
    if params.categories and not params.systems:
        system = category_system(row, params.categories, models.lists("magpie"))
    messages: list[Message] = []
    turns = row.choose(range(params.min_turns, params.turns + 1), "turns") if params.min_turns else params.turns
    for turn in range(turns):
        if messages:
            messages.append({"role": "assistant", "content": await _answer(models, params, system, messages, turn - 1)})
        words = await models.complete(
            pre_query(template, system, messages, today=today),
            name="magpie/instruction",
            sample=turn,
            sampling=stopping(params, template),
            parse=models.in_language(partial(user_turn, min_words=params.min_words, max_words=params.max_words)),
        )
        messages.append({"role": "user", "content": words})
    return [row.child(instruction=messages[-1]["content"], messages=messages, system=system)]


async def _answer(models: Models, params: Magpie, system: str, messages: list[Message], turn: int) -> str:
    before: list[Message] = [{"role": "system", "content": system}] if system else []
    answer: str = await models.chat(
        [*before, *messages],
        name="magpie/response",
        by="responder",
        sample=turn,
        sampling=params.response_sampling,
        parse=models.in_language(response_of, messages[-1]["content"]),
    )
    return answer


def stopping(params: Magpie, template: ChatTemplate) -> Sampling:
    """The sampling of a user's turn: it stops at every token that parts turns and, if set so, at a line's end."""
    newline = ("\n",) if params.stop_at_newline else ()
    return params.sampling.but(
        stop=tuple(dict.fromkeys((*newline, *stops_of(cast(Hashable, template)), *params.sampling.stop)))
    )


def user_turn(text: str, min_words: int = 1, max_words: int = 500) -> str:
    """A user's turn in a completion, stripped. Raises Unusable for one that no user would send."""
    said = text.strip()
    if not said:
        raise Unusable("empty")
    if leftover := LEFTOVER.search(said):
        raise Unusable("special_tokens", leftover[0].strip())
    if refusal := length_refusal(said, min_words, max_words):
        raise Unusable(refusal.reason, refusal.detail)
    if GREETING.search(nfc(said)) and word_count(said) < 30:
        raise Unusable("greeting", "the model speaks as the assistant")
    return said
