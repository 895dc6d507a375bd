"""Whether a model thinks before it answers, said in the words that its chat template or its server knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from tasks.errors import PermanentError
from tasks.models.answers.rendering import rendered, tokenizer_name
from tasks.models.base import ChatTemplate, Thinking

Switch = Literal["template", "effort"]
SWITCHES = ("enable_thinking", "thinking")
EFFORTS = {"on": "high", "off": "low"}  # of a template that knows nothing but efforts (gpt-oss, Solar Open)
EFFORTS_SERVED = {"on": "medium", "off": "none"}  # of OpenAI's API
ASKED = ({"role": "user", "content": "?"},)


def variables_of(tokenizer: ChatTemplate, thinking: Thinking) -> dict[str, Any]:
    """The template's variables that say so. Raises PermanentError where the template has none."""
    if thinking == "model":
        return {}
    found: dict[str, Any] = {name: thinking == "on" for name in SWITCHES if _tells(tokenizer, name, (True, False))}
    if not found and _tells(tokenizer, "reasoning_effort", EFFORTS.values()):
        found = {"reasoning_effort": EFFORTS[thinking]}
    if not found:
        what = f"the chat template has no switch for `thinking: {thinking}`"
        raise PermanentError(what, tokenizer_name(tokenizer), "leave `thinking` out")
    return found


def _tells(tokenizer: ChatTemplate, name: str, values: Iterable[Any]) -> bool:
    """Whether a variable of the template changes what it writes."""
    one, other = (rendered(tokenizer, ASKED, variables={name: value}) for value in values)
    return one != other


def served_as(thinking: Thinking, switch: Switch, variables: Mapping[str, Any] | None) -> dict[str, Any]:
    """The fields of a request to a server. `variables`: of the model's template, None where it is not known.

    vLLM and SGLang take the template's variables; OpenAI's shape is an effort.
    """
    if thinking == "model":
        return {}
    if switch == "effort":
        return {"reasoning_effort": EFFORTS_SERVED[thinking]}
    known = dict.fromkeys(SWITCHES, thinking == "on") if variables is None else dict(variables)
    return {"chat_template_kwargs": known}
