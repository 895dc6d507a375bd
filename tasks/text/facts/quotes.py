"""Whether a quotation stands in a text, its case, punctuation and line breaks aside.

    missing_part("The ferry takes ... 75 minutes", "The ferry from Rohuküla takes 75\\nminutes.")    # None
    missing_part("it takes 57 minutes", "The ferry takes 75 minutes.")                              # MissingPart(...)

Words are compared (NFKC, lower case; characters where there are no spaces between words), so that a dash, a quotation mark or a
line break written in another way is no difference, and a digit is. What a model leaves out it marks by dots: each part has to
stand there, in order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from rapidfuzz.fuzz import partial_ratio

from tasks.text.words import words

LEFT_OUT = re.compile(r"\s*[\[(（【]?(?:\.{3,}|…+)[\])）】]?\s*")


class MissingPart(NamedTuple):
    """A part of a quotation that does not stand in the text. `likeness`: how much of it there is at the best place, 0 to 1."""

    text: str
    likeness: float


def missing_part(quote: str, text: str) -> MissingPart | None:
    """The first part of a quotation that does not stand in the text after the parts before it; None where all do."""
    said, place = words(text), 0
    parts = [part for part in LEFT_OUT.split(quote) if words(part)]
    for part in parts:
        wanted = words(part)
        found = _place_of(wanted, said, place)
        if found is None:
            return MissingPart(part, partial_ratio(" ".join(wanted), " ".join(said)) / 100)
        place = found + len(wanted)
    return None if parts else MissingPart(quote, 0.0)


def _place_of(wanted: Sequence[str], said: Sequence[str], start: int) -> int | None:
    """Where these words stand in a row from a place on."""
    last = len(said) - len(wanted)
    return next((at for at in range(start, last + 1) if said[at : at + len(wanted)] == wanted), None)
