"""Templates rendered as messages; those of a run's prompts come from `tasks/text/prompts.py`, others from a config.

A template is the user's message. With blocks it is a conversation: `system`, then the example turns `example_user_1`,
`example_assistant_1`, `example_user_2` and so on, then `user`, which there has to be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, StrictUndefined, Template, TemplateSyntaxError, UndefinedError

from tasks.errors import ConfigError
from tasks.models.base import Message, Role

EXAMPLE = "example_"


@cache
def inline(text: str) -> Template:
    """A template given as text in a config."""
    try:
        return Environment(undefined=StrictUndefined, autoescape=False).from_string(text)
    except TemplateSyntaxError as error:
        raise ConfigError("the template does not parse", text, str(error)) from error


def render(source: Template, variables: dict[str, Any]) -> list[Message]:
    """The messages of a rendered template: [user], with a system message and example turns before it where it has them.

    A message without a text is left out. Raises ConfigError for a variable that is not there.
    """
    try:
        if "user" not in source.blocks:
            return [{"role": "user", "content": source.render(variables).strip()}]
        said = [(role, _said(source, block, variables)) for block, role in _turns(source)]
    except UndefinedError as error:
        raise ConfigError(
            "a prompt uses a variable that is not there", source.name or "inline template", str(error)
        ) from error
    before: list[Message] = [{"role": role, "content": text} for role, text in said[:-1] if text]
    return [*before, {"role": "user", "content": said[-1][1]}]


def _said(source: Template, block: str, variables: dict[str, Any]) -> str:
    return "".join(source.blocks[block](source.new_context(variables))).strip()


def _turns(source: Template) -> list[tuple[str, Role]]:
    """The blocks of a template that are messages, in the order of the conversation."""
    examples = [name for name in source.blocks if name.startswith(EXAMPLE)]
    pairs = range(1, len(examples) // 2 + 1)
    roles: tuple[Role, Role] = ("user", "assistant")
    turns = [(f"{EXAMPLE}{role}_{number}", role) for number in pairs for role in roles]
    if {block for block, _ in turns} != set(examples):
        fix = "number them from 1, and give each example_user_N its example_assistant_N"
        raise ConfigError("the example turns of a prompt are no pairs", f"{source.name}: {', '.join(examples)}", fix)
    system: list[tuple[str, Role]] = [("system", "system")] if "system" in source.blocks else []
    return [*system, *turns, ("user", "user")]


def requests_in(lists: Mapping[str, Sequence[str]], name: str, folder: str) -> Sequence[str]:
    """The ways in which a user asks for something, of the prompts' lists. Raises ConfigError where there is none."""
    if not lists.get(name):
        raise ConfigError(
            "the prompts have no list of this name", f"{folder}/lists.yaml: {name}", "give it some requests"
        )
    return lists[name]
