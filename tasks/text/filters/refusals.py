"""An answer that refuses what was asked, or that speaks "as an AI".

Only how an answer begins counts: one that quotes a refusal further down is none. Where the instruction asks for words of
somebody else (a letter, a scene, a translation), an apology is what was asked for.
"""

from __future__ import annotations

import re

from pydantic import Field

from tasks.patterns import pattern
from tasks.text.filters.answer import CheckedAnswer, CheckSettings, Refusal
from tasks.text.languages import EVERY, either
from tasks.text.words import nfc, word_count

BEGINNING = 240  # characters of an answer in which it says what it is
START = r"[\W_]*"
REFUSES = pattern(START + f"(?:{either('refusal', EVERY)})", re.IGNORECASE)
CANNOT = pattern(START + f"(?:{either('inability', EVERY)})", re.IGNORECASE)
AS_AN_AI = pattern(
    rf"{START}(?:[^.!?。！？\n]{{0,60}}[,，、 ]|[^\x00-\x7f]{{1,6}}(?:AI)?|AI)??(?:{either('as_an_ai', EVERY)}|\bas an? (?:\w+[ -]){{1,3}}(?:ai|language) model\b)",
    re.IGNORECASE,
)
OF_AN_AI = pattern(either("of_an_ai", EVERY), re.IGNORECASE)
OF_ANOTHER = pattern(either("words_of_another", EVERY), re.IGNORECASE)


class AnswerRefusals(CheckSettings):
    """Answers that refuse, or that begin "As an AI"."""

    max_words: int | None = Field(
        120, ge=1, description="a longer answer that begins with a refusal helps after all; empty: no answer does"
    )
    as_an_ai: bool = Field(True, description='answers of any length that begin "As an AI" as well')


def refuses(answer: CheckedAnswer, settings: AnswerRefusals) -> Refusal | None:
    """Refuse an answer that refuses (refusal), or that begins by saying that an AI wrote it (as_an_ai)."""
    beginning = nfc(answer.text[:BEGINNING])
    if settings.as_an_ai and (found := AS_AN_AI.match(beginning)) and not OF_AN_AI.search(answer.told):
        return "as_an_ai", f"begins {found[0].strip()!r}"
    for refusing in (REFUSES, CANNOT):
        found = refusing.match(beginning)
        if found and (refusing is REFUSES or not OF_ANOTHER.search(nfc(answer.asked))):
            count, limit = word_count(answer.text), settings.max_words
            if limit is None or count <= limit:
                return "refusal", f"begins {found[0].strip()!r}, {count} words" + (f", limit {limit}" if limit else "")
    return None
