"""Prompts as files: which there are and where from, one rendered with a row, one put into the user's folder to edit."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tasks.errors import ConfigError, did_you_mean
from tasks.models.base import Message
from tasks.text.catalogue.facts import facts_of
from tasks.text.prompts import PART, PROMPTS, Prompts, languages_of, sets
from tasks.text.templates import render

EXAMPLE = "example.yaml"


@dataclass(frozen=True)
class Listed:
    """A prompt in the list. `version`: None where no prompt.yaml tells of it; `file`: where it comes from."""

    name: str
    set: str
    language: str
    version: int | None
    purpose: str
    file: Path
    own: bool


def listed(prompts: Prompts) -> list[Listed]:
    """Every prompt of a set in a language, the user's own in place of ours."""
    return [_listed(prompts, name) for name in prompts.names()]


def all_sets(own: str | None = None) -> list[Prompts]:
    """Every set in every language."""
    return [Prompts(one, language, own) for one in sets() for language in languages_of(one)]


def _listed(prompts: Prompts, name: str) -> Listed:
    technique, _, short = name.partition("/")
    facts, file = facts_of(prompts, technique), prompts.file(name)
    told = facts.prompts.get(short) if facts else None
    version = facts.version if facts and told else None
    own = not file.is_relative_to(PROMPTS)
    return Listed(name, prompts.set, prompts.language, version, told.purpose if told else "", file, own)


def rendered_with_example(prompts: Prompts, name: str, row: Mapping[str, Any]) -> tuple[list[Message], dict[str, Any]]:
    """A prompt rendered with what a row has of its variables; and of the others, for which the prompt's example stands in.

    Raises ConfigError for a variable that neither has, and a prompt that there is not.
    """
    check_name(prompts, name)
    needed = prompts.variables_of(name)
    there = {variable: row[variable] for variable in sorted(needed) if row.get(variable) is not None}
    lent = {
        variable: value
        for variable, value in sorted(_example(prompts, name).items())
        if variable in needed - there.keys()
    }
    if missing := sorted(needed - there.keys() - lent.keys()):
        raise ConfigError(
            "the row lacks a variable of the prompt", missing[0], f"{name} needs {', '.join(sorted(needed))}"
        )
    return render(prompts.template(name), {**lent, **there}), lent


def _example(prompts: Prompts, name: str) -> Mapping[str, Any]:
    technique, _, short = name.partition("/")
    path = next((path for folder in prompts.folders if (path := folder / technique / EXAMPLE).is_file()), None)
    examples = {} if path is None else yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return examples.get(short) or {}


def copied(prompts: Prompts, name: str, folder: Path) -> list[Path]:
    """Copy a prompt, or all words of a technique, below `folder/<language>`; where they are then.

    Raises ConfigError for one that there is not, and where a file is there already.
    """
    sources = _sources(prompts, name)
    places = [folder / prompts.language / source.parent.name / source.name for source in sources]
    if there := next((place for place in places if place.exists()), None):
        raise ConfigError(
            "the file is there already, and nothing was copied", there, "edit that one, or name another folder"
        )
    try:
        for source, place in zip(sources, places, strict=True):
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)
    except OSError as error:
        raise ConfigError(
            "cannot write the prompt", f"{error.filename}: {error.strerror}", "name another folder"
        ) from error
    return places


def _sources(prompts: Prompts, name: str) -> list[Path]:
    techniques = {known.split("/")[0] for known in prompts.names()}
    if name in techniques:
        names = [known for known in prompts.names() if known.startswith(f"{name}/")]
        return list(dict.fromkeys(prompts.file(one) for known in names for one in (known, *prompts.parts_of(known))))
    if not name.split("/")[-1].startswith(PART):
        check_name(prompts, name)
    return [prompts.file(name)]


def check_name(prompts: Prompts, name: str) -> None:
    """Raise ConfigError for a prompt that there is not, with the one that was meant."""
    names = prompts.names()
    if below := [known for known in names if known.startswith(f"{name}/")]:
        raise ConfigError("this is a technique, and not one of its prompts", name, f"it has {', '.join(below)}")
    if name not in names:
        raise ConfigError("no such prompt", name, did_you_mean(name, names, "`stillroom prompts` lists them"))
