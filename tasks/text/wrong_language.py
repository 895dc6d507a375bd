"""Whether an instruction, or an answer to one, is in the language that its row is asked for in.

An instruction that asks for a translation, or names a language, may hold one, and may be answered in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from tasks.errors import Unusable
from tasks.patterns import pattern
from tasks.text.language_id import foreign_line, is_foreign, language_of
from tasks.text.languages import EVERY, either
from tasks.text.words import nfc

OTHER_LANGUAGE = pattern(either("other_language", EVERY), re.IGNORECASE)


def wrong_instruction(text: str, language: str) -> str | None:
    """What is wrong with the language of an instruction ("fr, not vi"), None where nothing is."""
    names_another = _other_language(language)
    if (names_another is not None and names_another.search(nfc(text))) or not is_foreign(text, [language]):
        return None
    return _told(text, language)


def wrong_answer(text: str, language: str, asked: str) -> str | None:
    """The same of what answers an instruction: in its language, it is right as well.

    A line in another one makes an answer wrong, unless what was asked has such a line too, to be worked on.
    """
    if OTHER_LANGUAGE.search(nfc(asked)):
        return None
    own = language_of(asked)
    right = [language, own] if own else [language]
    if is_foreign(text, right):
        return _told(text, language)
    line = foreign_line(text, right) if len(text.splitlines()) > 1 else None  # else it has been looked at as a whole
    return None if line is None or foreign_line(asked, right) else f"{_told(line, language)}, in a line of it"


def parsed_in_language(parse: Callable[[str], str], wrong: Callable[[str], str | None], completion: str) -> str:
    """The text in a completion. Raises Unusable (wrong_language) where `wrong` says what is wrong with its language."""
    text = parse(completion)
    if told := wrong(text):
        raise Unusable("wrong_language", told)
    return text


def _told(text: str, language: str) -> str:
    return f"{language_of(text) or 'another language'}, not {language}"


@cache
def _other_language(language: str) -> re.Pattern[str] | None:
    """How this language names one; None where we do not know it."""
    known = [one for one in EVERY if one.code == language]
    return re.compile(either("other_language", known), re.IGNORECASE) if known else None
