"""The story of a row as one page that needs nothing else: what it says, each prompt and answer behind it, what was refused.

    stillroom explain datasets/demo-sft 9f86d0 --html story.html

Texts of models are escaped: nothing in them is markup.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.publish.describe.html import html_templates
from tasks.publish.report.said import texts_of_row
from tasks.storage.files import write_atomically


def write_story(story: Mapping[str, Any], out: Path) -> None:
    """Write the story of a row (`flows.command.published.story.whole_story`). Raises ConfigError where that cannot be written."""
    page = html_templates(Path(__file__).parent / "templates").get_template("story.html")
    text = page.render(name=_name(story), story=_with_prompts(story), said=_said(story))
    write_atomically(out, text.encode(errors="replace"))


def _name(story: Mapping[str, Any]) -> str:
    told = [*(story["rejects"] or ()), *(story["lines"] or ()), *(story["losses"] or ())]
    row = story["row"] or {}
    return str(row.get("row_id") or row.get("prompt_id") or (told[0]["row_id"] if told else "a row"))


def _said(story: Mapping[str, Any]) -> list[tuple[str, str]]:
    if story["row"] is None:
        return []
    said = texts_of_row(story["row"])
    return [*said.before, *(("answer", text) for _, text in said.answers)]


def _with_prompts(story: Mapping[str, Any]) -> dict[str, Any]:
    """The story with both ways to ask in each attempt: as messages, and as a raw prompt."""
    either = {"messages": None, "prompt": None}
    passages = [{**step, "asked": [either | one for one in step["asked"]]} for step in story["passages"]]
    return {**story, "passages": passages}
