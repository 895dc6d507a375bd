"""What belongs to a language, one file each. Answers come in any of them, whatever the prompt's."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.text.languages.en import EN
from tasks.text.languages.ja import JA
from tasks.text.languages.language import Language
from tasks.text.languages.vi import VI
from tasks.text.languages.zh import ZH

BESIDE_ENGLISH: tuple[Language, ...] = (VI, ZH, JA)
EVERY: tuple[Language, ...] = (EN, *BESIDE_ENGLISH)
NUMERALS = "".join(dict.fromkeys("".join(language.numerals for language in BESIDE_ENGLISH)))
"""From one on."""


def either(field: str, languages: Sequence[Language] = BESIDE_ENGLISH) -> str:
    """A pattern for what one of these languages has in a field."""
    return "|".join(pattern for language in languages if (pattern := getattr(language, field)))


def words_of(field: str, languages: Sequence[Language] = BESIDE_ENGLISH) -> tuple[str, ...]:
    """The words that these languages have in a field, once each."""
    return tuple(dict.fromkeys(word for language in languages for word in getattr(language, field)))
