"""What a text states that another does not: numbers, months and days, names. Checks for summaries and rewritten texts.

    unstated("Tom pays 9 euros on Friday.", "Tom pays 8 euros on Friday.", "en")    # [Fact("number", "9")]

A name is told by its capital letter inside a sentence, and in Chinese and Japanese by what stands around it (《…》, 先生, さん):
names that neither marks are not seen, and no name is seen at the beginning of a sentence.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import regex

from tasks.text.facts.numbers import numbers_in
from tasks.text.languages import EVERY
from tasks.text.languages.language import Language
from tasks.text.words import words

CAPITALISED = regex.compile(r"(?<=[\w,;)’'\"”–—&/-] )[(“\"‘']?(?P<name>\p{Lu}[\w’'.&-]*\w(?: \p{Lu}[\w’'.&-]*\w)*)")
LATIN = regex.compile(r"(?<!\p{Latin})\p{Lu}[\p{Latin}\d]+(?: \p{Lu}[\p{Latin}\d]+)*")
"""In a text of a script without capital letters every such word is a name."""
NUMERIC_MONTH = re.compile(
    r"\b\d{4}[-/.](?P<iso>\d{1,2})(?!\d)|\b\d{1,2}[-/.](?P<day_first>\d{1,2})[-/.]\d{2,4}\b"
    r"|(?P<cjk>\d{1,2})\s?月|tháng\s(?P<vi>\d{1,2})\b",
    re.IGNORECASE,
)
POSSESSIVE = re.compile(r"['’]s?$")


class Fact(NamedTuple):
    """Something that a text states. `kind`: number, date or name."""

    kind: str
    text: str


def unstated(said: str, source: str, language: str) -> list[Fact]:
    """What a text says that its source does not, in any of its forms."""
    known = {value for number in numbers_in(source, language) for value in number.values}
    numbers = [one for one in numbers_in(said, language) if one.surely and not one.values & known]
    return [
        *(Fact("number", one.text) for one in numbers),
        *(Fact("date", text) for text, at in dates_in(said, language) if at not in _places(source, language)),
        *(Fact("name", name) for name in names_in(said, language) if not _holds(source, name)),
    ]


def _places(source: str, language: str) -> set[tuple[str, int]]:
    return {at for _, at in dates_in(source, language)}


def dates_in(text: str, language: str) -> list[tuple[str, tuple[str, int]]]:
    """The months and days of the week that a text names: as they are written, and which they are."""
    plain = unicodedata.normalize("NFKC", text)
    own = _language(language)
    found = []
    for kind, patterns in (("month", own.months), ("day", own.weekdays)):
        for number, pattern in enumerate(patterns, 1):
            found += [(match[0], (kind, number)) for match in _whole(pattern, own.is_spaceless).finditer(plain)]
    for match in NUMERIC_MONTH.finditer(plain):
        number = int(next(filter(None, match.groups())))
        found += [(match[0], ("month", number))] if 1 <= number <= 12 else []
    return found


@cache
def _whole(pattern: str, is_spaceless: bool) -> re.Pattern[str]:
    if is_spaceless:
        return re.compile(rf"(?<![十一二三四五六七八九])(?:{pattern})")
    is_word = pattern in ("may", r"mar(?:ch)?")  # words of their own, too
    pattern = r"Mar(?=\.? \d)|March" if pattern == r"mar(?:ch)?" else "May" if pattern == "may" else pattern
    return re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.NOFLAG if is_word else re.IGNORECASE)


def names_in(text: str, language: str) -> list[str]:
    """The names in a text that can be told as such, each once."""
    own = _language(language)
    return list(dict.fromkeys(_names(unicodedata.normalize("NFKC", text), own)))


def _names(text: str, own: Language) -> Iterator[str]:
    if not own.is_spaceless:
        for found in CAPITALISED.finditer(text):
            name = POSSESSIVE.sub("", found["name"].strip("'’\".-"))
            if len(name) > 1 and not any(at for at in dates_in(name, own.code)):
                yield name
        return
    yield from (found[0] for found in LATIN.finditer(text))
    if own.marked_name:
        yield from (found[0] for found in re.finditer(own.marked_name, text))


def _holds(source: str, name: str) -> bool:
    """Whether each word of a name stands in the source, in any case; without spaces its characters in a row."""
    said = words(source)
    wanted = words(name)
    if not wanted or len(wanted) == len("".join(wanted)):  # characters
        return "".join(wanted) in "".join(said)
    return set(wanted) <= set(said)


def _language(code: str) -> Language:
    return next((one for one in EVERY if one.code == code), EVERY[0])
