"""Magpie: a model that is shown nothing but the start of a user's turn writes what its user would say.

    stillroom sft --recipe basic --rows 1000

Xu et al. 2024 (arXiv:2406.08464), section 2. The prompt is raw text: through a chat endpoint the model would greet.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from datetime import date
from functools import lru_cache, partial
from typing import cast

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.errors import Unusable
from tasks.generate.conversation import response_of
from tasks.generate.instructions import length_refusal
from tasks.generate.pre_query import pre_query, stop_strings
from tasks.generate.system_prompts import SystemPrompts, system_of
from tasks.models.answers.rendering import CLOCK
from tasks.models.base import ChatTemplate, Message, Sampling
from tasks.schemas import MagpieInstructions, Rows

LEFTOVER = re.compile(
    r"<\|[^|>\n]{1,40}\|?>|<\|?[^|<>\n]{1,40}\|>|<｜[^｜>\n]{1,40}｜>|\[/?INST\]|<</?SYS>>|</?s>"
    r"|<(?:bos|eos|pad|unk|start_of_turn|end_of_turn)>|^(?:user|assistant|system)\s*$",
    re.MULTILINE,
)
GREETING = re.compile(
    r"\bhow (?:can|may|could) i (?:help|assist|be of (?:help|service|assistance))(?: to)?(?: you\b| today|\?)"
    r"|\bwhat can i (?:help you with|do for you)\b",
    re.IGNORECASE,
)
stops_of = lru_cache(maxsize=16)(stop_strings)


class Magpie(Params):
    """How users' turns are drawn out of a model. Of the released sets Llama-3.1 has top_p 1.0 and temperature 0.8."""

    system: str = Field("", description="system prompt; it describes an assistant, not a wish; empty: the row's own")
    systems: SystemPrompts = Field({}, description="system prompts to draw from, each with its weight")
    turns: int = Field(1, ge=1, le=16, description="user turns; those before the last are answered")
    stop_at_newline: bool = Field(True, description="a user's turn is one line; off for Llama 3.1, 3.3 and Gemma 2")
    min_words: int = Field(2, ge=1, description="words; a shorter turn is refused")
    max_words: int = Field(500, ge=1, description="words; a longer turn is refused")
    today: date = Field(CLOCK, description="the date that chat templates are told which print one")
    sampling: Sampling = Field(
        Sampling(temperature=1.0, top_p=1.0, max_new_tokens=512), description="how users' turns are sampled"
    )
    response_sampling: Sampling = Field(
        Sampling(temperature=0, max_new_tokens=1024), description="how turns before the last are answered"
    )


@technique(reads=Rows, writes=MagpieInstructions)
async def magpie(row: Row, models: Models, params: Magpie) -> list[Row]:
    """Let the generator write a user's turn, or several with the responder's answers between them; one row.

    Writes `instruction` (the last user turn, not answered yet), `messages` (the conversation up to it, without the
    system prompt) and `system`. Raises Unusable where a turn could not be had, ConfigError where the chat template
    cannot be used.
    """
    template = models.of("generator")[0].model.template
    system = system_of(row, params.system, params.systems)
    messages: list[Message] = []
    for turn in range(params.turns):
        if messages:
            messages.append({"role": "assistant", "content": await _answer(models, params, system, messages, turn - 1)})
        words = await models.complete(
            pre_query(template, system, messages, today=params.today),
            name="magpie/instruction",
            sample=turn,
            sampling=stopping(params, template),
            parse=partial(turn_of, min_words=params.min_words, max_words=params.max_words),
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
        parse=response_of,
    )
    return answer


def stopping(params: Magpie, template: ChatTemplate) -> Sampling:
    """The sampling of a user's turn: it stops at every token that parts turns and, if set so, at a line's end."""
    newline = ("\n",) if params.stop_at_newline else ()
    return params.sampling.but(
        stop=tuple(dict.fromkeys((*newline, *stops_of(cast(Hashable, template)), *params.sampling.stop)))
    )


def turn_of(text: str, min_words: int = 1, max_words: int = 500) -> str:
    """A user's turn in a completion, stripped. Raises Unusable for one that no user would send."""
    said = text.strip()
    if not said:
        raise Unusable("empty")
    if leftover := LEFTOVER.search(said):
        raise Unusable("special_tokens", leftover[0].strip())
    if refusal := length_refusal(said, min_words, max_words):
        raise Unusable(refusal.reason, refusal.detail)
    if GREETING.search(said) and len(said.split()) < 30:
        raise Unusable("greeting", "the model speaks as the assistant")
    return said
