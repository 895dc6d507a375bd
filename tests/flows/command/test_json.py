"""Programs can read what each command says, and a shell completes what a person begins to type."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from flows.command.main import app

UNTIL_STOPPED = {"serve", "studio"}
"""Servers: none ends with a result."""


def commands(of: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    for one, command in getattr(of, "commands", {}).items():
        full = f"{name} {one}".strip()
        yield from commands(command, full)
        if not getattr(command, "commands", None) or command.invoke_without_command:
            yield full, command


ALL = dict(commands(get_command(app)))


@pytest.mark.parametrize("name", sorted(ALL.keys() - UNTIL_STOPPED))
def test_every_command_has_json(name: str) -> None:
    assert "--json" in [option for parameter in ALL[name].params for option in parameter.opts]


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (["runs"], None),
        (["recipes"], None),
        (["draw", "sft-evolved"], {"recipe", "mermaid"}),
        (["prompts", "copy", "evol_instruct/deepen"], {"files"}),
        (["new-technique", "shorten"], {"files"}),
        (["new-recipe", "mine"], {"files"}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_what_it_prints_is_one_line_of_json(words: list[str], keys: set[str] | None, home: Path) -> None:
    ended = CliRunner().invoke(app, [*words, "--json"])
    assert (ended.exit_code, ended.stdout.count("\n")) == (0, 1)
    told = json.loads(ended.stdout)
    assert isinstance(told, list) if keys is None else told.keys() == keys


@pytest.mark.slow
def test_a_shell_completes_commands_options_and_runs(home: Path) -> None:
    (home / "runs" / "sft-12ab").mkdir(parents=True)
    (home / "runs" / "sft-12ab" / "manifest.json").write_text("{}")
    stillroom = Path(sys.executable).with_name("stillroom")
    for words, at, wanted in (
        ("stillroom pu", 1, "push"),
        ("stillroom export x --fo", 3, "--format"),
        ("stillroom retry s", 2, "sft-12ab"),
        ("stillroom draw sft-e", 2, "sft-evolved"),
        ("stillroom dpo --recipe c", 3, "critiqued"),
        ("stillroom export x --format ", 4, "kto"),
    ):
        env = os.environ | {"_STILLROOM_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(at)}
        told = subprocess.run([stillroom], env=env, capture_output=True, text=True, check=True)
        assert wanted in told.stdout.split()
