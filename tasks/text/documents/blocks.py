"""The blocks of a document: its headings with their levels, its paragraphs, lists, tables and code, each as text.

markdown_blocks("# Ferries\\n\\nIt takes 75 minutes.")    # [DocumentBlock("Ferries", 1), DocumentBlock("It takes 75 minutes.")]
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

FRONT_MATTER = re.compile(r"\A---[ \t]*\n.*?\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
EMPHASIS = re.compile(r"(?<!\w)(\*\*|__|\*|_|`)(?=\S)(.+?)(?<=\S)\1(?!\w)")
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")


class DocumentBlock(NamedTuple):
    """A piece of a document. `level`: of a heading, 1 being the highest; 0: it is none."""

    text: str
    level: int = 0


def plain_blocks(text: str) -> list[DocumentBlock]:
    """The paragraphs of a plain text, parted by blank lines."""
    parts = (part.strip() for part in BLANK_LINES.split(text.replace("\r\n", "\n")))
    return [DocumentBlock(part) for part in parts if part]


def markdown_blocks(text: str) -> list[DocumentBlock]:
    """The blocks of a Markdown text (CommonMark and tables), as they stand in it. Front matter and comments are left out."""
    text = FRONT_MATTER.sub("", text.replace("\r\n", "\n").lstrip("\ufeff"))
    return list(_blocks(text.split("\n"), _parser().parse(text)))


def _blocks(lines: list[str], tokens: list[Any]) -> Iterator[DocumentBlock]:
    for at, token in enumerate(tokens):
        if token.level or token.nesting < 0 or token.map is None:
            continue
        if token.type == "heading_open":
            said = bare(tokens[at + 1].content)
            yield from [DocumentBlock(said, int(token.tag[1:]))] if said else []
            continue
        said = "\n".join(lines[token.map[0] : token.map[1]])
        said = COMMENT.sub("", said) if token.type == "html_block" else said
        if said.strip():
            yield DocumentBlock(said.strip("\n").rstrip())


def bare(heading: str) -> str:
    """A heading without emphasis and the targets of links."""
    return EMPHASIS.sub(r"\2", LINK.sub(r"\1", heading)).strip().rstrip("#").rstrip()


@cache
def _parser() -> Any:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable("table")
