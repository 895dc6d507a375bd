"""What a reasoning model thinks before it answers: kept as provenance, and out of the response."""

from __future__ import annotations

import re

BLOCK = re.compile(r"\s*<(think|thinking|thought)>(.*?)(?:</\1>\s*|\Z)", re.DOTALL)
OPENED = re.compile(r"<(?:think|thinking|thought)>\s*\Z")
TAG = re.compile(r"</?(?:think|thinking|thought)>")
END = "</think>"


def without_thoughts(text: str) -> tuple[str, str | None]:
    """Text and thoughts apart. A chat template may have opened the block already: then only its end is in the text."""
    if block := BLOCK.match(text):
        return text[block.end() :], block[2].strip() or None
    thoughts, end, rest = text.partition(END)
    return (rest.lstrip(), thoughts.strip() or None) if end else (text, None)


def opened_by(prompt: str) -> str:
    """The tag at the prompt's end that opens a block of thoughts, or nothing."""
    found = OPENED.search(prompt[-32:])
    return found[0] if found else ""


def is_tag(token: str) -> bool:
    """Whether a token is such a tag: one is no end of a turn, though some tokenizers call it special."""
    return TAG.fullmatch(token) is not None
