"""In which case, language and punctuation an answer is written."""

from __future__ import annotations

import re
from typing import Any

from tasks.text.language_id import language_of
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

COMMA = re.compile("[,，、]")
CAPITALISED = re.compile(r"[^\W_]+(?:[-'’./&][^\W_]+)*")


def _upper(answer: str, _: Parameters, __: str) -> ConstraintFinding:
    found = next((sign for sign in answer if sign.islower()), None)
    return ConstraintFinding(answer.isupper(), "upper case" if found is None else f"{found!r} is there")


def _lower(answer: str, _: Parameters, __: str) -> ConstraintFinding:
    found = next((sign for sign in answer if sign.isupper()), None)
    return ConstraintFinding(answer.islower(), "lower case" if found is None else f"{found!r} is there")


def _capitals_at_least(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    return at_least(_capitals(answer), told["count"], "words in capitals")


def _capitals_at_most(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    return at_most(_capitals(answer), told["count"], "words in capitals")


def _capitals(answer: str) -> int:
    return sum(1 for word in CAPITALISED.findall(answer) if word.isupper())


def _no_comma(answer: str, _: Parameters, __: str) -> ConstraintFinding:
    count = len(COMMA.findall(answer))
    return ConstraintFinding(not count, f"{count} commas")


def _language(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    found = language_of(answer)
    return ConstraintFinding(found == told["code"], f"{found or 'a language not to be told'}, not {told['code']}")


def _language_drawn(drawing: Drawing) -> dict[str, Any]:
    code, _, name = drawing.one("other_languages").partition(" ")
    return {"code": code, "name": name}


OF_LETTERS = (
    ConstraintKind("upper_case", lambda _: {}, _upper, aspects("case"), SPACED, ifeval=True),
    ConstraintKind("lower_case", lambda _: {}, _lower, aspects("case"), SPACED, ifeval=True),
    ConstraintKind(
        "capital_words_at_least",
        lambda drawing: {"count": drawing.number(2, 6)},
        _capitals_at_least,
        aspects("case"),
        SPACED,
        ifeval=True,
    ),
    ConstraintKind(
        "capital_words_at_most",
        lambda drawing: {"count": drawing.number(3, 8)},
        _capitals_at_most,
        aspects("case"),
        SPACED,
        forbids=True,
        ifeval=True,
    ),
    ConstraintKind("no_comma", lambda _: {}, _no_comma, aspects("commas"), forbids=True, ifeval=True),
    ConstraintKind(
        "response_language",
        _language_drawn,
        _language,
        aspects("everything"),
        ifeval=True,
        by_name_only=True,
    ),
)
