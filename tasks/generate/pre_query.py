"""Magpie's pre-query text, out of any model's chat template: all that stands before what a user says.

    pre_query(tokenizer)                                  # "<|im_start|>system\\n...<|im_end|>\\n<|im_start|>user\\n"
    stop_strings(tokenizer)                               # ("<|im_end|>", "<|im_start|>")

Xu et al. 2024 (arXiv:2406.08464), section 2.1. The template renders a sentinel as the last user's content, and its text
is cut there, so that default system blocks and begin-of-text tokens are as the model knows them. The text holds its
special tokens: send it without adding any, or it begins with two.

Templates that print today's date are told a fixed one: the same run makes the same requests tomorrow.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any

from jinja2 import TemplateError

from tasks.errors import ConfigError
from tasks.models.base import ChatTemplate, Message

SENTINEL = "QUERY0b7d5ae1QUERY"  # one word, so that a template that strips content leaves it whole
EARLIER = "EARLIER0b7d5ae1EARLIER"
CLOCK = date(2025, 1, 2)
DIRECTIVES = ("%Y", "%y", "%m", "%-m", "%B", "%b", "%d", "%-d", "%e", "%A", "%a", "%j", "%H", "%I", "%M", "%S", "%p")
TOKEN = re.compile(r"<[^<>\s]+>|\[/?[A-Z_]{2,}\]")  # <|im_end|>  </s>  <｜User｜>  [/INST]


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
            "the chat template drops what the user says", _name(tokenizer), "Magpie cannot use this model"
        )
    if system_prompt and system_prompt.strip() not in before:
        raise ConfigError("the chat template drops the system prompt", _name(tokenizer), "leave `systems` empty")
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


def rendered(
    tokenizer: ChatTemplate, conversation: Sequence[Message], *, add_generation_prompt: bool = True, today: date = CLOCK
) -> str:
    """A conversation through the chat template, as text. Raises ConfigError where the template refuses it."""
    try:
        text = tokenizer.apply_chat_template(
            list(conversation), tokenize=False, add_generation_prompt=add_generation_prompt, **_frozen(tokenizer, today)
        )
    except (TemplateError, TypeError, ValueError, LookupError, AttributeError) as error:
        roles = [turn["role"] for turn in conversation]
        fix = "leave out the system prompt" if "system" in roles else "Magpie cannot use this model"
        raise ConfigError(
            f"the chat template refuses {', '.join(roles)}", f"{_name(tokenizer)}: {error}", fix
        ) from error
    return str(text)


def _frozen(tokenizer: ChatTemplate, today: date) -> dict[str, Any]:
    """The template with a clock of its own, for one that asks the time; nothing for another.

    A macro, because transformers lets neither a function nor its clock through to a template.
    """
    template = getattr(tokenizer, "chat_template", None)
    if isinstance(template, dict):
        template = template.get("default")
    if not isinstance(template, str) or "strftime_now" not in template:
        return {}
    return {"chat_template": _clock(today) + template}


@lru_cache
def _clock(today: date) -> str:
    noon = datetime.combine(today, time(12))
    values = "".join(f'|replace("{directive}", "{noon.strftime(directive)}")' for directive in DIRECTIVES)
    # the empty expression keeps the template's first newline from being trimmed as the one after a block
    return "{% macro strftime_now(format) %}{{ format" + values + " }}{% endmacro %}{{ '' }}"


def _name(tokenizer: ChatTemplate) -> str:
    return str(getattr(tokenizer, "name_or_path", "") or type(tokenizer).__name__)
