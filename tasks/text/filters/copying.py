"""An answer that says the instruction again, and nothing else."""

from __future__ import annotations

import re

from pydantic import Field
from rapidfuzz.distance import Indel

from tasks.patterns import pattern
from tasks.text.filters.answer import CheckedAnswer, CheckSettings, Refusal
from tasks.text.languages import EVERY, either
from tasks.text.words import nfc

SAYS_AGAIN = pattern(either("says_again", EVERY), re.IGNORECASE)
LONGEST = 5_000  # words that are compared one by one; beyond, a copy is an exact one


class Copying(CheckSettings):
    """Answers that are the instruction again."""

    min_words: int = Field(4, ge=1, description="shorter instructions may be answered by themselves: a greeting")
    max_similarity: float = Field(
        0.95, gt=0, le=1, description="share of words in common, in order, from which on an answer is a copy"
    )


def copies(answer: CheckedAnswer, settings: Copying) -> Refusal | None:
    """Refuse an answer that is its instruction, but for case, punctuation and a few words (copies_instruction).

    One that only begins with it goes on and is kept; so is one to an instruction that wants something repeated.
    """
    if not 0.5 < len(answer.text) / (len(answer.asked) or 1) < 2:
        return None
    asked, said = answer.asked_words, answer.words
    if len(asked) < settings.min_words or not 0.5 < len(said) / len(asked) < 2:
        return None
    if len(asked) + len(said) > LONGEST:
        asked, said = [" ".join(asked)], [" ".join(said)]
    likeness = Indel.normalized_similarity(asked, said, score_cutoff=settings.max_similarity)
    if likeness < settings.max_similarity or SAYS_AGAIN.search(nfc(answer.asked)):
        return None
    return "copies_instruction", f"similarity {likeness:.2f}, limit {settings.max_similarity:g}"
