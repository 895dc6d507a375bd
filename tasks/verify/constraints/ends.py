"""How an answer begins and ends, what it is wrapped in, and what is said again in it."""

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
    exactly,
)
from tasks.verify.constraints.parts import first_word, lines, sentences

MARKS = " \t\n*_\"'”’»」』)）"
QUESTION = re.compile(r"[?？]+")


def _folded(text: str) -> str:
    return " ".join(nfc(text).casefold().split())


def _repeat(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    begins = answer.strip().lower().startswith(told["text"].strip().lower())
    rest = answer.strip()[len(told["text"].strip()) :].strip()
    return ConstraintFinding(
        begins, f"the request, and {len(rest)} characters" if begins else f"begins with {answer[:40]!r}"
    )


def _end_phrase(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    said, phrase = _folded(answer.strip().strip('"')), _folded(told["text"])
    return ConstraintFinding(said.endswith(phrase), f"ends with {answer.strip()[-40:]!r}")


def _start_phrase(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    return ConstraintFinding(_folded(answer).startswith(_folded(told["text"])), f"begins with {answer.strip()[:40]!r}")


def _postscript(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    marker = re.escape(_folded(told["marker"])).replace(r"\.", r"\.?\s?")
    found = [line for line in lines(nfc(answer).casefold()) if re.match(rf"[*_\[(\"'\s]*{marker}", line)]
    return ConstraintFinding(bool(found), found[-1][:60] if found else "no postscript")


def _quotation(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    text = answer.strip()
    wrapped = len(text) > 1 and text.startswith(told["left"]) and text.endswith(told["right"])
    return ConstraintFinding(wrapped, f"{text[:1]} to {text[-1:]}")


def _quotes_drawn(drawing: Drawing) -> dict[str, Any]:
    left, right = drawing.lists["quotation_marks"]
    return {"left": left, "right": right}


def _questions(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    return exactly(len(QUESTION.findall(answer)), told["count"], "questions")


def _closing_line(answer: str, _: Parameters, __: str) -> ConstraintFinding:
    said = lines(answer)
    again = len(said) >= 3 and _folded(said[0]) == _folded(said[-1])
    return ConstraintFinding(again, f"{said[0][:30] if said else ''!r} and {said[-1][:30] if said else ''!r}")


def _unique_starts(answer: str, _: Parameters, language: str) -> ConstraintFinding:
    starts = [first_word(one) for one in sentences(answer, language)]
    twice = next((word for at, word in enumerate(starts) if word in starts[:at]), None)
    return ConstraintFinding(
        twice is None and len(starts) >= 2, f"{len(starts)} sentences" if twice is None else f"{twice!r} twice"
    )


def _choice(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    found = [option for option in told["options"] if option in answer]
    return exactly(len(found), 1, "of the options")


OF_ENDS = (
    ConstraintKind(
        "repeat_prompt",
        lambda drawing: {"text": drawing.instruction},
        _repeat,
        aspects(
            *("beginning", "layout", "sentences", "length", "letters", "lexicon", "case", "digits", "commas", "quotes"),
            *("brackets", "questions", "asterisks"),
        ),
        ifeval=True,
    ),
    ConstraintKind(
        "end_phrase",
        lambda drawing: {"text": drawing.one("end_phrases")},
        _end_phrase,
        aspects("end"),
        literals=lambda told: [told["text"]],
        ifeval=True,
    ),
    ConstraintKind(
        "start_phrase",
        lambda drawing: {"text": drawing.one("start_phrases")},
        _start_phrase,
        aspects("beginning"),
        literals=lambda told: [told["text"]],
    ),
    ConstraintKind(
        "postscript",
        lambda drawing: {"marker": drawing.one("postscripts")},
        _postscript,
        aspects("postscript", "end"),
        literals=lambda told: [told["marker"]],
        ifeval=True,
    ),
    ConstraintKind("quotation", _quotes_drawn, _quotation, aspects("beginning", "end", "quotes"), ifeval=True),
    ConstraintKind(
        "questions",
        lambda drawing: {"count": drawing.number(2, 3)},
        _questions,
        aspects("questions"),
        forbids=True,
    ),
    ConstraintKind(
        "closing_line",
        lambda _: {},
        _closing_line,
        aspects("layout", "sentences", "beginning", "end", "postscript", "title"),
    ),
    ConstraintKind("unique_sentence_starts", lambda _: {}, _unique_starts, aspects("sentences", "layout"), SPACED),
    ConstraintKind(
        "choice",
        lambda drawing: {"options": list(drawing.lists["choices"])},
        _choice,
        aspects("everything"),
        ifeval=True,
        by_name_only=True,
    ),
)
