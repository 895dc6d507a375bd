"""A conversation through a model's chat template, as text, with a clock that stands still.

Templates that print today's date are told a fixed one: one request key means one prompt, today and tomorrow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from functools import lru_cache
from typing import Any

from jinja2 import TemplateError

from tasks.errors import ConfigError
from tasks.models.base import ChatTemplate

CLOCK = date(2025, 1, 2)
DIRECTIVES = ("%Y", "%y", "%m", "%-m", "%B", "%b", "%d", "%-d", "%e", "%A", "%a", "%j", "%H", "%I", "%M", "%S", "%p")
TOKEN = re.compile(r"<[^<>\s]+>|\[/?[A-Z_]{2,}\]")  # <|im_end|>  </s>  <｜User｜>  [/INST]


def rendered(
    tokenizer: ChatTemplate,
    conversation: Sequence[Mapping[str, Any]],
    *,
    add_generation_prompt: bool = True,
    today: date = CLOCK,
    variables: Mapping[str, Any] | None = None,
) -> str:
    """A conversation through the chat template, as text. Raises ConfigError where the template refuses it."""
    turns: Any = list(conversation)
    options = frozen_clock(tokenizer, today) | dict(variables or {})
    try:
        text = tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=add_generation_prompt, **options
        )
    except (TemplateError, TypeError, ValueError, LookupError, AttributeError) as error:
        roles = [turn["role"] for turn in conversation]
        fix = "leave out the system prompt" if "system" in roles else "Magpie cannot use this model"
        raise ConfigError(
            f"the chat template refuses {', '.join(roles)}", f"{tokenizer_name(tokenizer)}: {error}", fix
        ) from error
    return str(text)


def frozen_clock(tokenizer: ChatTemplate, today: date = CLOCK, *, tools: bool = False) -> dict[str, Any]:
    """The option of `apply_chat_template` that gives the template a clock of its own, for one that asks the time; none
    for another. `tools`: some are offered, which may have a template of their own.

    A macro, because transformers lets neither a function nor its clock through to a template.
    """
    template = getattr(tokenizer, "chat_template", None)
    if isinstance(template, dict):
        template = (template.get("tool_use") if tools else None) or template.get("default")
    if not isinstance(template, str) or "strftime_now" not in template:
        return {}
    return {"chat_template": _clock(today) + template}


@lru_cache
def _clock(today: date) -> str:
    noon = datetime.combine(today, time(12))
    values = "".join(f'|replace("{directive}", "{noon.strftime(directive)}")' for directive in DIRECTIVES)
    # the empty expression keeps the template's first newline from being trimmed as the one after a block
    return "{% macro strftime_now(format) %}{{ format" + values + " }}{% endmacro %}{{ '' }}"


def tokenizer_name(tokenizer: ChatTemplate) -> str:
    """What a tokenizer was loaded from."""
    return str(getattr(tokenizer, "name_or_path", "") or type(tokenizer).__name__)
