"""How long an answer is, in words, sentences, paragraphs and lines."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from tasks.text.words import words
from tasks.verify.constraints.kind import (
    ALL_LANGUAGES,
    SPACED,
    ConstraintFinding,
    ConstraintKind,
    Drawing,
    Parameters,
    aspects,
    at_least,
    at_most,
    exactly,
)
from tasks.verify.constraints.parts import first_word, lines, paragraphs, sentences

DIVIDER = re.compile(r"\s?\*\*\*\s?")


def _words_drawn(drawing: Drawing) -> dict[str, Any]:
    return {"count": drawing.number(60, 300, 20)}


def _words_at_least(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    return at_least(len(words(answer)), told["count"], "words")


def _words_at_most(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    return at_most(len(words(answer)), told["count"], "words")


def _range_drawn(drawing: Drawing) -> dict[str, Any]:
    least = drawing.number(60, 240, 20)
    return {"least": least, "most": least + drawing.number(20, 60, 10)}


def _words_between(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    count = len(words(answer))
    return ConstraintFinding(
        told["least"] <= count <= told["most"], f"{count} words, {told['least']} to {told['most']}"
    )


def _sentences_at_least(answer: str, told: Parameters, language: str) -> ConstraintFinding:
    return at_least(len(sentences(answer, language)), told["count"], "sentences")


def _sentences_at_most(answer: str, told: Parameters, language: str) -> ConstraintFinding:
    return at_most(len(sentences(answer, language)), told["count"], "sentences")


def _paragraphs(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    parts = DIVIDER.split(answer.strip())
    inner = [part for part in parts[1:-1] if not part.strip()]
    if inner:
        return ConstraintFinding(False, "nothing between two dividers")
    return exactly(sum(1 for part in parts if part.strip()), told["count"], "paragraphs")


def _nth_drawn(drawing: Drawing) -> dict[str, Any]:
    count = drawing.number(2, 5)
    return {"count": count, "nth": drawing.number(1, count), "word": drawing.one("first_words")}


def _nth_paragraph(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    parts = paragraphs(answer)
    if len(parts) != told["count"]:
        return exactly(len(parts), told["count"], "paragraphs")
    found = first_word(parts[told["nth"] - 1])
    return ConstraintFinding(found == told["word"].casefold(), f"paragraph {told['nth']} begins with {found!r}")


def _longest_sentence(answer: str, told: Parameters, language: str) -> ConstraintFinding:
    longest = max((len(words(one)) for one in sentences(answer, language)), default=0)
    return at_most(longest, told["count"], "words in a sentence")


def _sentence_length_drawn(drawing: Drawing) -> dict[str, Any]:
    """Twice as long where a character is a word."""
    return {"count": drawing.number(16, 28, 2) * (1 if drawing.language in SPACED else 2)}


def _paragraph_sentences(answer: str, told: Parameters, language: str) -> ConstraintFinding:
    counts = [len(sentences(one, language)) for one in paragraphs(answer)]
    if len(counts) < 2:
        return at_least(len(counts), 2, "paragraphs")
    wrong = next((count for count in counts if count != told["count"]), told["count"])
    return exactly(wrong, told["count"], "sentences in a paragraph")


def _increasing(answer: str, _: Parameters, language: str) -> ConstraintFinding:
    counts = [len(words(one)) for one in sentences(answer, language)]
    grows = all(before < after for before, after in pairwise(counts))
    return ConstraintFinding(grows and len(counts) >= 3, f"sentences of {', '.join(map(str, counts[:12]))} words")


def _line_length(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    return at_most(max(map(len, lines(answer)), default=0), told["count"], "characters in a line")


OF_LENGTH = (
    ConstraintKind("words_at_least", _words_drawn, _words_at_least, aspects("length"), ifeval=True),
    ConstraintKind("words_at_most", _words_drawn, _words_at_most, aspects("length"), ifeval=True),
    ConstraintKind("words_between", _range_drawn, _words_between, aspects("length")),
    ConstraintKind(
        "sentences_at_least",
        lambda drawing: {"count": drawing.number(5, 15)},
        _sentences_at_least,
        aspects("length", "sentences"),
        ifeval=True,
    ),
    ConstraintKind(
        "sentences_at_most",
        lambda drawing: {"count": drawing.number(3, 10)},
        _sentences_at_most,
        aspects("length", "sentences"),
        ifeval=True,
    ),
    ConstraintKind(
        "paragraphs",
        lambda drawing: {"count": drawing.number(2, 5)},
        _paragraphs,
        aspects("layout", "sentences"),
        ifeval=True,
    ),
    ConstraintKind(
        "nth_paragraph_first_word",
        _nth_drawn,
        _nth_paragraph,
        aspects("layout", "sentences", "beginning", "postscript", "lexicon"),
        SPACED,
        literals=lambda told: [told["word"]],
        ifeval=True,
    ),
    ConstraintKind(
        "sentence_words_at_most",
        _sentence_length_drawn,
        _longest_sentence,
        aspects("sentences", "layout"),
        ALL_LANGUAGES,
    ),
    ConstraintKind(
        "paragraph_sentences",
        lambda drawing: {"count": drawing.number(2, 4)},
        _paragraph_sentences,
        aspects("layout", "sentences", "beginning", "end", "postscript", "title"),
    ),
    ConstraintKind(
        "increasing_sentences",
        lambda _: {},
        _increasing,
        aspects("length", "layout", "sentences", "beginning", "end", "postscript", "title"),
    ),
    ConstraintKind(
        "line_characters_at_most",
        lambda drawing: {"count": drawing.number(60, 100, 10)},
        _line_length,
        aspects("layout"),
    ),
)
