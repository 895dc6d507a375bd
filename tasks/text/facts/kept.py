"""What a rewritten text has lost of the text before, or has of its own: numbers, dates and names. And what is asked of each kind.

changed_facts("Pay 9 euros to Ms Lane.", "Pay 8 euros to Ms Lane.", "en")    # [number 9 lost, number 8 added]
"""

from __future__ import annotations

import re

from tasks.text.facts.stated import Fact, unstated
from tasks.text.words import word_count

BULLET = re.compile(r"\s*(?:[-*+•●▪‣◦·–—・]|\(?\d{1,3}[.)、．])\s*\S")
SENTENCE_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s|$)|[。！？]")
MOST_OTHER_LINES = 1
"""Before a list: a line that says what it lists."""


def changed_facts(before: str, after: str, language: str) -> list[tuple[str, Fact]]:
    """The facts that one text has and the other has not, each with `lost` or `added`."""
    lost = [("lost", fact) for fact in unstated(before, after, language)]
    return lost + [("added", fact) for fact in unstated(after, before, language)]


def is_list(text: str) -> bool:
    """Whether a text is a list of points, with a line before it at most."""
    lines = [line for line in text.splitlines() if line.strip()]
    others = [line for line in lines if not BULLET.match(line)]
    return len(lines) - len(others) >= 2 and (not others or others == lines[:MOST_OTHER_LINES])


def sentence_count(text: str) -> int:
    """How many sentences a text has; what no mark ends is one too."""
    parts = [part for part in SENTENCE_END.split(text) if any(map(str.isalnum, part))]
    return len(parts)


def words_a_sentence(text: str) -> float:
    """How long the sentences of a text are, in words (characters without spaces between words)."""
    return word_count(text) / max(1, sentence_count(text))
