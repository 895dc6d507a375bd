"""Prompts: the words of `prompts/<language>/`, rendered strictly, and their digests.

A template is the user's message; with `{% block system %}` and `{% block user %}` it is both messages.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateNotFound,
    TemplateSyntaxError,
    UndefinedError,
)
from jinja2.meta import find_referenced_templates
from jinja2.nodes import TemplateData

from tasks.errors import ConfigError
from tasks.models.base import Message

PROMPTS = Path(__file__).parents[2] / "prompts"


@cache
def environment(language: str) -> Environment:
    """The jinja environment of one language. Raises ConfigError where there are no prompts in it."""
    folder = PROMPTS / language
    if not folder.is_dir():
        known = ", ".join(sorted(p.name for p in PROMPTS.iterdir() if p.is_dir() and not p.name.startswith("_")))
        raise ConfigError("no prompts in this language", language, f"known: {known}")
    return Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )


@cache
def template(name: str, language: str = "en") -> Template:
    """The template `prompts/<language>/<name>.j2`."""
    try:
        return environment(language).get_template(f"{name}.j2")
    except TemplateNotFound as error:
        raise ConfigError("no such prompt", name, f"looked in prompts/{language}") from error


@cache
def fixed_texts(name: str, language: str = "en") -> tuple[str, ...]:
    """The text of a template that is always the same, in pieces: what stands between its variables and blocks.

    That of templates which it includes or extends by name is part of it.
    """
    template(name, language)  # which says what is wrong, where something is
    loaded = environment(language)
    assert loaded.loader is not None
    parsed = loaded.parse(loaded.loader.get_source(loaded, f"{name}.j2")[0])
    own = tuple(node.data for node in parsed.find_all(TemplateData))
    others = [other.removesuffix(".j2") for other in find_referenced_templates(parsed) if other]
    return own + tuple(text for other in others for text in fixed_texts(other, language))


@cache
def inline(text: str) -> Template:
    """A template given as text in a config."""
    try:
        return Environment(undefined=StrictUndefined, autoescape=False).from_string(text)
    except TemplateSyntaxError as error:
        raise ConfigError("the template does not parse", text, str(error)) from error


def render(source: Template, variables: dict[str, Any]) -> list[Message]:
    """The messages of a rendered template: [user], or [system, user] where it has blocks and a system text."""
    try:
        if "user" not in source.blocks:
            return [{"role": "user", "content": source.render(variables).strip()}]
        parts = {role: "".join(block(source.new_context(variables))).strip() for role, block in source.blocks.items()}
    except UndefinedError as error:
        raise ConfigError(
            "a prompt uses a variable that is not there", source.name or "inline template", str(error)
        ) from error
    system: list[Message] = [{"role": "system", "content": parts["system"]}] if parts.get("system") else []
    return [*system, {"role": "user", "content": parts["user"]}]


def digest_of(folder: str, language: str = "en") -> str:
    """The digest of all templates of one technique: part of its task key, so that a changed prompt is never stale."""
    state = hashlib.blake2b(digest_size=16)
    for path in sorted((PROMPTS / language / folder).glob("*.j2")):
        state.update(path.name.encode() + b"\0" + path.read_bytes())
    return state.hexdigest()
