"""`stillroom new-technique` and `stillroom new-recipe`: a file of your own to begin with, and a test that passes as it is.

stillroom new-technique shorten
stillroom new-recipe short --step shorten.py:shorten
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.command.options import AsJson
from flows.command.running import say
from tasks.errors import ConfigError

NewName = Annotated[str, typer.Argument(help="a name in small letters, such as shorten")]


def new_technique(name: NewName, json_: AsJson = False) -> None:
    """Write a technique of your own into this folder: its file, its prompt and its test."""
    from flows.recipes.starters import technique_files

    _write(technique_files(name), json_)
    say(f"try it: pytest test_{name}.py")
    say(f"a recipe with it: stillroom new-recipe my_recipe --step {name}.py:{name}")


def new_recipe(
    name: NewName,
    kind: Annotated[Literal["sft", "dpo"], typer.Option(help="the kind of dataset that it makes")] = "sft",
    step: Annotated[
        list[str] | None, typer.Option(help="a technique of your own that it begins with, FILE.py:NAME; once for each")
    ] = None,
    json_: AsJson = False,
) -> None:
    """Write a recipe of your own into this folder: its file and its test."""
    from flows.recipes.starters import MY_PROMPTS, recipe_files

    _write(recipe_files(name, kind, step or []), json_)
    given = "--seeds" if kind == "sft" else "--instructions"
    own = f" --set prompts={MY_PROMPTS}" if Path(MY_PROMPTS).is_dir() else ""
    say(f"try it: pytest test_{name}.py")
    say(f"look at it: stillroom {kind} --recipe {name}.py:{name} {given} seeds.jsonl{own} --preview 3")


def _write(files: dict[str, str], as_json: bool) -> None:
    """Write new files. Raises ConfigError where one of them is there: then none is written."""
    if there := next((name for name in files if Path(name).exists()), None):
        raise ConfigError("there is such a file", there, "take another name, or another folder")
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")
    typer.echo(json.dumps({"files": list(files)}) if as_json else "\n".join(files))
