"""An answer that goes round in circles: a word, a line or a sentence again and again, as models do that lost the thread.

Exact loops count, wherever they stand: the same words at least five times in a row, over at least 20 words. The number that
a list counts up is no part of them. Code is not looked at; digits alone (a table of zeros) have to go on for long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pydantic import Field

from tasks.text.filters.answer import CheckedAnswer, CheckSettings, Refusal
from tasks.text.languages import EVERY, either
from tasks.text.words import is_spaceless, nfc, words

GRAM = 4
NUMBER = re.compile(r"^[ \t>*_#|-]*[(（]?\d{1,5}[.):、．）]", re.MULTILINE)
SIGNS = re.compile(r"(\S)\1{149,}|(\S\S)\2{74,}|(\S{3,4})\3{49,}|(\S{5,8})\4{29,}")
RULE = re.compile(r"[-_=*.#~+|:\d─━═0-9]+")
LONGEST_RULE = 1000  # characters of a line that is drawn, or of a number such as a googol
DIGITS = 5  # times as many words where all of them are numbers
SAYS_AGAIN = re.compile(either("says_again", EVERY), re.IGNORECASE)


class Repetition(CheckSettings):
    """Answers that repeat themselves."""

    repeats: int = Field(5, ge=2, description="times in a row that the same words make a loop")
    min_words: int = Field(20, ge=1, description="words that a loop has at least; two Han characters are one")
    max_repeated: float | None = Field(
        0.8, gt=0, le=1, description="share of the words in ten in a row that stood before; empty: no limit"
    )
    of_at_least: int = Field(100, ge=20, description="words below which that share is not looked at")


def repeats(answer: CheckedAnswer, settings: Repetition) -> Refusal | None:
    """Refuse an answer with a loop (loop), or of which too much has stood before (repeated_text).

    An answer to an instruction that wants something repeated is kept.
    """
    found = _signs(answer.prose) or _of_words(answer, settings)
    return None if found is None or SAYS_AGAIN.search(nfc(answer.asked)) else found


def _signs(text: str) -> Refusal | None:
    """Up to eight characters without a space, over and over."""
    for found in SIGNS.finditer(text):
        if len(found[0]) >= (LONGEST_RULE if RULE.fullmatch(found[0]) else 0):
            unit = next(filter(None, found.groups()))
            return "loop", f"{unit!r} {len(found[0]) // len(unit)} times, limit {150 // len(unit)}"
    return None


def _of_words(answer: CheckedAnswer, settings: Repetition) -> Refusal | None:
    if len(answer.words) < settings.min_words:
        return None
    prose = NUMBER.sub("", answer.prose)
    said = answer.words if prose == answer.text else words(prose)
    if loop := next((one for one in loops(said, settings) if _is_long(one[0] * one[1], settings)), None):
        unit, times = loop
        return "loop", f"{' '.join(unit[:12])!r} {times} times, limit {settings.repeats}"
    if settings.max_repeated is None or len(said) < settings.of_at_least:
        return None
    share = repeated_share(said)
    limit = settings.max_repeated
    return ("repeated_text", f"{share:.2f} of the words, limit {limit:g}") if share > limit else None


def _is_long(loop: Sequence[str], settings: Repetition) -> bool:
    weight = sum(0.5 if is_spaceless(word[0]) else 1 for word in loop)
    return weight >= settings.min_words * (DIGITS if all(word.isdecimal() for word in loop) else 1)


def loops(said: Sequence[str], settings: Repetition) -> Iterator[tuple[list[str], int]]:
    """Words that stand so often in a row, and how often. Linear in the length of the text.

    In a loop the same few words come again at equal distances: only there one is looked for.
    """
    grams = list(zip(*(said[start:] for start in range(GRAM)), strict=False))
    if len(grams) - len(set(grams)) < settings.min_words * (1 - 1 / settings.repeats) - GRAM:
        return  # a loop of that length would repeat more
    last = dict[tuple[str, ...], int]()  # where four words stood last
    known = dict[int, int]()  # by distance: up to where the words are known to be those before
    for at, gram in enumerate(grams):
        before, last[gram] = last.get(gram), at
        if before is None or known.get(at - before, 0) > at:
            continue
        distance, end = at - before, at + GRAM
        while end < len(said) and said[end] == said[end - distance]:
            end += 1
        known[distance] = end
        while before and said[before - 1] == said[before - 1 + distance]:
            before -= 1
        if (times := (end - before) // distance) >= settings.repeats:
            yield list(said[before : before + distance]), times


def repeated_share(said: Sequence[str], size: int = 10) -> float:
    """The share of words that stand in so many in a row that stood before."""
    grams = list(zip(*(said[start:] for start in range(size)), strict=False))
    seen, covered, until = set[tuple[str, ...]](), 0, 0
    for at, gram in enumerate(grams if len(set(grams)) < len(grams) else ()):
        if gram in seen:
            covered += at + size - max(until, at)
            until = at + size
        seen.add(gram)
    return covered / len(said) if said else 0.0
