"""What the pages print: their blocks of code, and the commands in them."""

from __future__ import annotations

import re
import shlex
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*.md")]
)


@dataclass(frozen=True)
class Command:
    """One command of a page, without its comment. `variables`: what it sets before it."""

    page: str
    text: str

    @property
    def words(self) -> list[str]:
        """Its words, without variables before it and the path of the environment."""
        words = shlex.split(self.text)
        while "=" in words[0]:
            del words[0]
        return [words[0].removeprefix(".venv/bin/"), *words[1:]]

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of code of a page in one language, "" for none, in their order."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", page.read_text(), re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(block) for _, block in found]


def commands(page: Path) -> list[Command]:
    """The commands of a page, in their order: lines of its `sh` blocks, of several side by side each."""
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    texts = [re.split(r"\s+#\s", line)[0].strip() for line in lines]
    return [Command(page.name, text) for text in texts if text and not text.startswith("#")]


def inline(page: Path) -> list[Command]:
    """The `stillroom` commands that a page names within its sentences, those with an option or an argument."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    return [
        Command(page.name, " ".join(found.split()))
        for found in re.findall(r"`((?:\.venv/bin/)?stillroom [^`]+)`", text)
    ]
