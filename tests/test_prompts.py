"""Every prompt, rendered with the variables of its folder's `example.yaml`, against what stands in `data/prompts`.

After a change that is meant:  STILLROOM_SNAPSHOT=write python -m pytest tests/test_prompts.py
"""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.engine.templates import PROMPTS, render, template
from tasks.errors import ConfigError

SNAPSHOTS = Path(__file__).parent / "data" / "prompts"
FOLDERS = sorted({path.parent for path in PROMPTS.glob("*/*/*.j2")})


def examples(folder: Path) -> dict[str, dict[str, Any]]:
    return yaml.safe_load((folder / "example.yaml").read_text(encoding="utf-8"))


def shown(folder: Path, name: str, variables: dict[str, Any]) -> str:
    messages = render(template(f"{folder.name}/{name}", folder.parent.name), variables)
    return "\n".join(f"--- {name}: {message['role']}\n{message['content']}" for message in messages)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_prompts_render_as_they_did(folder: Path) -> None:
    names = sorted(path.stem for path in folder.glob("*.j2"))
    assert sorted(examples(folder)) == names, "example.yaml gives the variables of each prompt"
    text = "\n\n".join(shown(folder, name, examples(folder)[name]) for name in names) + "\n"
    snapshot = SNAPSHOTS / folder.parent.name / f"{folder.name}.txt"
    if os.environ.get("STILLROOM_SNAPSHOT") == "write":
        snapshot.parent.mkdir(parents=True, exist_ok=True)
        snapshot.write_text(text, encoding="utf-8")
    assert text == snapshot.read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_a_prompt_without_its_variables_is_refused(folder: Path) -> None:
    for name, variables in examples(folder).items():
        assert variables, f"{name} has no variable"
        with pytest.raises(ConfigError):
            shown(folder, name, {})
