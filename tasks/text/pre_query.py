"""Magpie's pre-query text, out of any model's chat template: all that stands before what a user says.

    pre_query(tokenizer)                                  # "<|im_start|>system\\n...<|im_end|>\\n<|im_start|>user\\n"
    stop_strings(tokenizer)                               # ("<|im_end|>", "<|im_start|>")

Xu et al. 2024 (arXiv:2406.08464), section 2.1. The template renders a sentinel as the last user's content, and its text
is cut there, so that default system blocks and begin-of-text tokens are as the model knows them. The text holds its
special tokens: send it without adding any, or it begins with two.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tasks.errors import ConfigError
from tasks.models.answers.rendering import CLOCK, TOKEN, rendered, tokenizer_name
from tasks.models.base import ChatTemplate, Message

SENTINEL = "QUERY0b7d5ae1QUERY"  # one word, so that a template that strips content leaves it whole
EARLIER = "EARLIER0b7d5ae1EARLIER"


def pre_query(
    tokenizer: ChatTemplate, system_prompt: str | None = None, history: Sequence[Message] = (), *, today: date = CLOCK
) -> str:
    """The text up to where the user's next words begin, after this system prompt and the turns so far.

    `history` holds user and assistant turns in pairs. Without a system prompt the template's own default stays. Raises
    ConfigError where the template refuses the roles, or drops the user's words or the system prompt.
    """
    system: list[Message] = [{"role": "system", "content": system_prompt}] if system_prompt else []
    text = rendered(tokenizer, [*system, *history, {"role": "user", "content": SENTINEL}], today=today)
    before, found, _ = text.rpartition(SENTINEL)
    if not found:
        raise ConfigError(
            "the chat template drops what the user says", tokenizer_name(tokenizer), "Magpie cannot use this model"
        )
    if system_prompt and system_prompt.strip() not in before:
        raise ConfigError(
            "the chat template drops the system prompt", tokenizer_name(tokenizer), "leave `systems` empty"
        )
    return before


def stop_strings(tokenizer: ChatTemplate) -> tuple[str, ...]:
    """What ends a user's turn: the text after it, the tokens around turns, the end-of-text token; the surest first."""
    conversation: list[Message] = [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": EARLIER},
        {"role": "user", "content": SENTINEL},
    ]
    asked = rendered(tokenizer, conversation, add_generation_prompt=False).rpartition(SENTINEL)[2]
    answered = rendered(tokenizer, conversation)
    between, _, after = answered.rpartition(EARLIER)[2].rpartition(SENTINEL)
    prompt = after.removeprefix(asked)
    stops = [
        _first_mark(after),
        *TOKEN.findall(asked),
        *TOKEN.findall(between),
        *TOKEN.findall(prompt)[:1],
        tokenizer.eos_token,
    ]
    return tuple(dict.fromkeys(stop for stop in stops if stop))


def _first_mark(text: str) -> str:
    """The token that a text begins with; where it begins with none, its first line, such as "\\nASSISTANT:"."""
    mark = text.strip()
    if token := TOKEN.match(mark):
        return token[0]
    return ("\n" if mark and text.lstrip(" ").startswith("\n") else "") + mark.partition("\n")[0].strip()
