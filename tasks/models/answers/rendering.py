"""A conversation through a model's chat template, as text, with a clock that stands still.

Templates that print today's date are told a fixed one: the same run makes the same requests tomorrow.
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
    options = _frozen(tokenizer, today) | dict(variables or {})
    try:
        text = tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=add_generation_prompt, **options
        )
    except (TemplateError, TypeError, ValueError, LookupError, AttributeError) as error:
        roles = [turn["role"] for turn in conversation]
        fix = "leave out the system prompt" if "system" in roles else "Magpie cannot use this model"
        raise ConfigError(
            f"the chat template refuses {', '.join(roles)}", f"{name_of(tokenizer)}: {error}", fix
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


def name_of(tokenizer: ChatTemplate) -> str:
    """What a tokenizer was loaded from."""
    return str(getattr(tokenizer, "name_or_path", "") or type(tokenizer).__name__)
