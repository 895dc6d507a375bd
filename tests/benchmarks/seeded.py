"""Texts with known copies of others among them, by kind: what a curation step has to find, and what it has to leave.

Each kind is what copies look like in datasets. `distinct` texts are of people and say something else each.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

FILLER = "number window market garden silver winter doctor letter simple travel"
AROUND = (
    "A friend sent me this and I would like your help with it, please take your time.",
    "Thank you very much, and tell me which sources you have used.",
    "I have tried twice on my own and got nowhere.",
    "My teacher wants it by Monday morning, so there is no hurry today.",
    "Keep in mind that readers come from many countries.",
    "Here is something that came up at work last week.",
    "You may answer in as many sentences as you find useful.",
    "If anything is unclear to you, say so before you begin.",
    "It is for the newsletter of our chess club.",
    "We talked about this at dinner and nobody agreed.",
)


@dataclass(frozen=True)
class Copy:
    """A copy of a text: its kind, the position of the text among the originals, and what became of it."""

    kind: str
    of: int
    text: str


def recased(text: str, _: random.Random) -> str:
    """In capitals."""
    return text.upper()


def repunctuated(text: str, _: random.Random) -> str:
    """Other marks at the ends of words and of the text."""
    return re.sub(r"[,;:](?=\s)", " –", re.sub(r"(?<=[^\W\d])[.?!](?=\s|$)", "!!", text)) + " ..."


def one_word_changed(text: str, draw: random.Random) -> str:
    """Another word for one of letters."""
    parts = text.split()
    places = [at for at, part in enumerate(parts) if part.isalpha()] or list(range(len(parts)))
    parts[draw.choice(places)] = draw.choice(FILLER.split())
    return " ".join(parts)


def embedded(text: str, draw: random.Random) -> str:
    """Within a longer text."""
    before, first, after, last = draw.sample(AROUND, 4)
    return f"{before} {first}\n\n{text}\n\n{after} {last}"


def reordered(text: str, draw: random.Random) -> str:
    """Two words side by side change places."""
    parts = text.split()
    if len(parts) > 1:
        at = draw.randrange(len(parts) - 1)
        parts[at], parts[at + 1] = parts[at + 1], parts[at]
    return " ".join(parts)


KINDS: dict[str, Callable[[str, random.Random], str]] = {
    "exact": lambda text, _: text,
    "re-cased": recased,
    "re-punctuated": repunctuated,
    "one word changed": one_word_changed,
    "word order": reordered,
    "embedded": embedded,
}


def copies_of(texts: Sequence[str], seed: int = 0) -> list[Copy]:
    """A copy of each text of each kind."""
    draw = random.Random(seed)
    return [Copy(kind, of, make(text, draw)) for kind, make in KINDS.items() for of, text in enumerate(texts)]
