"""Which words, letters and figures stand in an answer, and how often."""

from __future__ import annotations

import re
from typing import Any

from tasks.text.words import nfc
from tasks.verify.constraints.kind import (
    SPACED,
    ConstraintFinding,
    ConstraintKind,
    Drawing,
    Parameters,
    aspects,
    at_least,
    at_most,
)
from tasks.verify.constraints.parts import inside, occurrences, sentences

NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
DIGIT = re.compile(r"\d")


def _keywords_drawn(drawing: Drawing) -> dict[str, Any]:
    return {"words": drawing.some("keyword_list", drawing.number(1, 3))}


def _keywords(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    missing = next((word for word in told["words"] if not occurrences(word, answer)), None)
    return ConstraintFinding(missing is None, "all there" if missing is None else f"{missing!r} is missing")


def _keyword_at_least(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    return at_least(occurrences(told["word"], answer), told["count"], f"times {told['word']!r}")


def _keyword_at_most(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    return at_most(inside(told["word"], answer), told["count"], f"times {told['word']!r}")


def _forbidden(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    found = next((word for word in told["words"] if occurrences(word, answer)), None)
    return ConstraintFinding(found is None, "none there" if found is None else f"{found!r} is there")


def _letter_at_least(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    return at_least(_letters(answer, told), told["count"], f"times {told['letter']!r}")


def _letter_at_most(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    return at_most(_letters(answer, told), told["count"], f"times {told['letter']!r}")


def _letters(answer: str, told: Parameters) -> int:
    return nfc(answer).lower().count(told["letter"].lower())


def _in_order(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    said, at = nfc(answer).casefold(), 0
    for word in told["words"]:
        if not occurrences(word, answer):
            return ConstraintFinding(False, f"{word!r} is missing")
        found = said.find(nfc(word).casefold(), at)
        if found < 0:
            return ConstraintFinding(False, f"{word!r} comes too early")
        at = found + len(word)
    return ConstraintFinding(True, "in this order")


def _in_first_sentence(answer: str, told: Parameters, language: str) -> ConstraintFinding:
    first = next(iter(sentences(answer, language)), "")
    return ConstraintFinding(occurrences(told["word"], first) > 0, f"first sentence: {first[:60]!r}")


def _no_digits(answer: str, _: Parameters, __: str) -> ConstraintFinding:
    found = DIGIT.search(answer)
    return ConstraintFinding(found is None, "no digit" if found is None else f"digit {found[0]}")


def _numbers(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    return at_least(len(set(NUMBER.findall(answer))), told["count"], "different numbers")


OF_WORDS = (
    ConstraintKind(
        "keywords",
        _keywords_drawn,
        _keywords,
        aspects("lexicon"),
        literals=lambda told: told["words"],
        ifeval=True,
    ),
    ConstraintKind(
        "keyword_at_least",
        lambda drawing: {"word": drawing.one("keyword_list"), "count": drawing.number(2, 4)},
        _keyword_at_least,
        aspects("lexicon"),
        literals=lambda told: [told["word"]] * told["count"],
        ifeval=True,
    ),
    ConstraintKind(
        "keyword_at_most",
        lambda drawing: {"word": drawing.one("common_words"), "count": drawing.number(2, 3)},
        _keyword_at_most,
        aspects("lexicon"),
        forbids=True,
        ifeval=True,
    ),
    ConstraintKind(
        "forbidden_words",
        lambda drawing: {"words": drawing.some("common_words", drawing.number(2, 4))},
        _forbidden,
        aspects("lexicon"),
        forbids=True,
        ifeval=True,
    ),
    ConstraintKind(
        "letter_at_least",
        lambda drawing: {"letter": drawing.one("letters"), "count": drawing.number(3, 12)},
        _letter_at_least,
        aspects("letters", "length"),
        SPACED,
        ifeval=True,
    ),
    ConstraintKind(
        "letter_at_most",
        lambda drawing: {"letter": drawing.one("letters"), "count": drawing.number(10, 25)},
        _letter_at_most,
        aspects("letters", "length", "lexicon"),
        SPACED,
        forbids=True,
        ifeval=True,
    ),
    ConstraintKind(
        "keyword_order",
        lambda drawing: {"words": drawing.some("keyword_list", 3)},
        _in_order,
        aspects("lexicon"),
        literals=lambda told: told["words"],
    ),
    ConstraintKind(
        "keyword_in_first_sentence",
        lambda drawing: {"word": drawing.one("keyword_list")},
        _in_first_sentence,
        aspects("lexicon", "beginning", "layout"),
        literals=lambda told: [told["word"]],
    ),
    ConstraintKind("no_digits", lambda _: {}, _no_digits, aspects("digits"), forbids=True),
    ConstraintKind(
        "numbers_at_least",
        lambda drawing: {"count": drawing.number(2, 5)},
        _numbers,
        aspects("digits"),
    ),
)
