"""What a reasoning model thinks before it answers: kept as provenance, and out of the response."""

from __future__ import annotations

import re

TAGS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "[THINK]": "[/THINK]",  # Magistral, Ministral
    "<seed:think>": "</seed:think>",  # Seed-OSS
}
BLOCK = re.compile(
    r"\s*(?:" + "|".join(rf"{re.escape(tag)}(.*?)(?:{re.escape(end)}\s*|\Z)" for tag, end in TAGS.items()) + ")",
    re.DOTALL,
)
OPENED = re.compile(rf"(?:{'|'.join(map(re.escape, TAGS))})\s*\Z")
TAG, END = "<think>", "</think>"  # of the blocks that chat templates open
LONGEST = 32  # characters of a tag and the white space after it


def without_thoughts(text: str) -> tuple[str, str | None]:
    """Text and thoughts apart. A chat template may have opened the block: then only its end is in what a server sends."""
    if block := BLOCK.match(text):
        thoughts = next(group for group in block.groups() if group is not None)
        return text[block.end() :], thoughts.strip() or None
    thoughts, end, rest = text.partition(END)
    if end and TAG not in thoughts:
        return rest.lstrip(), thoughts.strip() or None
    return text, None


def opened_by(prompt: str) -> str:
    """The tag at the prompt's end that opens a block of thoughts, or nothing."""
    found = OPENED.search(prompt[-LONGEST:])
    return found[0] if found else ""


def is_tag(token: str) -> bool:
    """Whether a token is such a tag: one is no end of a turn, though some tokenizers call it special."""
    return token in TAGS or token in TAGS.values()
