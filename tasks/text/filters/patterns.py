"""The user's own patterns: what an answer has to hold, and what it may not.

Backtracking can take a pattern such as `(a+)+$` longer than anybody lives: a search ends after a second, and the row is a
`failed` reject (pattern_timeout), neither kept nor filtered.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

import regex
from pydantic import AfterValidator, Field

from tasks.errors import Unusable
from tasks.text.filters.answer import CheckedAnswer, CheckSettings, Refusal

LONGEST_S = 1.0


def _compiles(pattern: str) -> str:
    try:
        _compiled(pattern)
    except regex.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return pattern


@cache
def _compiled(pattern: str) -> Any:
    return regex.compile(pattern)


Pattern = Annotated[str, AfterValidator(_compiles)]


class Patterns(CheckSettings):
    """Regular expressions, looked for anywhere in an answer; (?i) at the start of one: in any case."""

    required: tuple[Pattern, ...] = Field((), description="each of them has to be found")
    forbidden: tuple[Pattern, ...] = Field((), description="none of them may be found")


def breaks_patterns(answer: CheckedAnswer, settings: Patterns) -> Refusal | None:
    """Refuse an answer that lacks a pattern (lacks_pattern) or has one that it may not (forbidden_pattern).

    Raises Unusable (pattern_timeout) where a search does not end within a second.
    """
    for pattern in settings.required:
        if not _found(pattern, answer.text):
            return "lacks_pattern", pattern
    for pattern in settings.forbidden:
        if found := _found(pattern, answer.text):
            return "forbidden_pattern", f"{found[:80]!r} by {pattern}"
    return None


def _found(pattern: str, text: str) -> str | None:
    try:
        found = _compiled(pattern).search(text, timeout=LONGEST_S)
    except TimeoutError as error:
        raise Unusable("pattern_timeout", f"{pattern}: over {LONGEST_S:g} s", raw=text) from error
    return None if found is None else found[0] or "nothing"
