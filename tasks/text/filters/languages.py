"""An answer in another language than it should be in. Needs an identifier: pip install "stillroom[language]"."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tasks.text.filters.answer import CheckedAnswer, CheckSettings, Refusal
from tasks.text.filters.scripts import OF_LANGUAGES
from tasks.text.words import nfc
from tasks.text.wrong_language import wrong_answer

Code = Annotated[str, Field(pattern="^[a-z]{2,3}$")]


class Languages(CheckSettings):
    """Answers in another language."""

    codes: tuple[Code, ...] = Field(min_length=1, description="the languages that answers may be in: en, vi, zh")


def wrong_language(answer: CheckedAnswer, settings: Languages) -> Refusal | None:
    """Refuse an answer in none of these languages (wrong_language).

    One in the language of its question is right as well, and so is one to a question about languages. Code, short
    texts and what an identifier cannot tell for sure stay. Raises ConfigError where there is no identifier.
    """
    if OF_LANGUAGES.search(nfc(answer.told)):
        return None
    told = [wrong_answer(answer.text, code, answer.asked) for code in settings.codes]
    first = told[0]
    return ("wrong_language", first) if first and all(told) else None
