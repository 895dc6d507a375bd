"""Every prompt, rendered with the variables of its folder's `example.yaml`, against what stands in `data/prompts`.

After a change that is meant:  STILLROOM_SNAPSHOT=write python -m pytest tests/test_prompts.py
"""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.errors import ConfigError
from tasks.text.catalogue.facts import facts_of
from tasks.text.prompts import FULL, PROMPTS, Prompts, languages_of
from tasks.text.templates import render

SNAPSHOTS = Path(__file__).parent / "data" / "prompts"
FOLDERS = sorted({path.parent for path in PROMPTS.glob("*/*/*/*.j2")})


def examples(folder: Path) -> dict[str, dict[str, Any]]:
    return yaml.safe_load((folder / "example.yaml").read_text(encoding="utf-8"))


def shown(folder: Path, name: str, variables: dict[str, Any]) -> str:
    prompts = Prompts(folder.parents[1].name, folder.parent.name)
    messages = render(prompts.template(f"{folder.name}/{name}"), variables)
    return "\n".join(f"--- {name}: {message['role']}\n{message['content']}" for message in messages)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(PROMPTS)))
def test_prompts_render_as_they_did(folder: Path) -> None:
    names = sorted(path.stem for path in folder.glob("*.j2") if not path.name.startswith("_"))
    assert sorted(examples(folder)) == names, "example.yaml gives the variables of each prompt"
    text = "\n\n".join(shown(folder, name, examples(folder)[name]) for name in names) + "\n"
    snapshot = SNAPSHOTS / folder.relative_to(PROMPTS).with_suffix(".txt")
    if os.environ.get("STILLROOM_SNAPSHOT") == "write":
        snapshot.parent.mkdir(parents=True, exist_ok=True)
        snapshot.write_text(text, encoding="utf-8")
    assert text == snapshot.read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(PROMPTS)))
def test_a_prompt_without_its_variables_is_refused(folder: Path) -> None:
    for name, variables in examples(folder).items():
        assert variables, f"{name} has no variable"
        with pytest.raises(ConfigError):
            shown(folder, name, {})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(PROMPTS)))
def test_prompt_yaml_tells_of_every_prompt_and_each_of_its_variables(folder: Path) -> None:
    prompts = Prompts(folder.parents[1].name, folder.parent.name)
    facts = facts_of(prompts, folder.name)
    assert facts is not None, "no prompt.yaml"
    names = [name.split("/")[1] for name in prompts.names() if name.startswith(f"{folder.name}/")]
    assert sorted(facts.prompts) == names
    for name, told in facts.prompts.items():
        assert set(told.variables) == prompts.variables_of(f"{folder.name}/{name}"), name
        assert all(told.variables.values()), f"{name}: a variable without a meaning"


@pytest.mark.parametrize("language", languages_of(FULL))
def test_prompts_begin_with_what_is_the_same_for_all_rows(language: str) -> None:
    """Providers keep the beginnings of prompts: a row's own words come late. Of all words four fifths stand before them."""
    files = [path for path in (PROMPTS / FULL / language).glob("*/*.j2") if not path.name.startswith("_")]
    texts = [re.sub(r"\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL) for path in files]
    before = sum(_fixed_length(text.partition("{{")[0]) for text in texts if "{{" in text)
    assert len(files) > 60
    assert before / sum(map(_fixed_length, texts)) > 0.8


def _fixed_length(text: str) -> int:
    return len(re.sub(r"\{[{%].*?[}%]\}", "", text, flags=re.DOTALL))
