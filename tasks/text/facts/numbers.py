"""The numbers that a text states, in digits or words, each with the values that it may have.

    numbers_in("3.2 million people, twenty-five of them", "en")    # 3200000, 25
    numbers_in("库容为3.2亿立方米，建了十二年", "zh")                # 320000000, 12

"1.200" is 1200 to some and 1.2 to others, so both values are kept: two numbers are the same where they share one. Signs are left
out, since a hyphen looks like one. Times and dates count as the numbers that they are made of, without the zeros of full hours.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import NamedTuple

from tasks.text.languages import EVERY
from tasks.text.languages.language import Language

DIGITS = re.compile(r"(?<!\d)(?<!\d[.,])\d+(?:[.,'’\xa0\u202f]\d+)*")
TIME = re.compile(r"(\d{1,2})[:hH时時点點]00(?!\d)")
CJK_DIGITS = {character: value for value, character in enumerate("〇一二三四五六七八九")} | {"零": 0, "两": 2, "兩": 2}
CJK_TENS = {"十": 10, "百": 100, "千": 1000}
CJK_SCALES = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8, "兆": 10**12}
CJK_RUN = re.compile(
    rf"(?:\d+(?:[.,]\d+)*|[{''.join(CJK_DIGITS)}{''.join(CJK_TENS)}])+(?:[{''.join(CJK_SCALES)}{''.join(CJK_TENS)}{''.join(CJK_DIGITS)}]|\d+(?:[.,]\d+)*)*"
)
NO_NUMBER = re.compile(
    r"万一|萬一|千万(?=不|别|别|要|记)|十分|一[一些样般定起直下切种番时旦同]|三明治|四季|万能|萬能|千万人"
)
"""Words of Chinese and Japanese that look like numbers and are none, where it matters."""


class Stated(NamedTuple):
    """A number as it is written, and the values that it may have. `surely`: whether it can be nothing else."""

    text: str
    values: frozenset[Decimal]
    surely: bool = True


def numbers_in(text: str, language: str) -> list[Stated]:
    """The numbers of a text in one of our languages, in the order of their kinds."""
    plain = TIME.sub(r"\1", unicodedata.normalize("NFKC", text))
    own = next((one for one in EVERY if one.code == language), EVERY[0])
    mixed = list(_cjk(plain)) if own.is_spaceless or _has_cjk(plain) else []
    for one in mixed:
        plain = plain.replace(one.text, " ", 1)  # its digits are no numbers of their own
    return [*mixed, *_digits(plain, own), *_words(plain, own)]


def _has_cjk(text: str) -> bool:
    return any(character in text for character in (*CJK_TENS, *CJK_SCALES))


def _digits(text: str, language: Language) -> Iterator[Stated]:
    scale = _scale_pattern(language)
    for found in DIGITS.finditer(text):
        values = values_of(found[0])
        after = scale.match(text, found.end()) if scale else None
        if after is not None:
            factor = dict(language.scales)[after[1].casefold()]
            yield Stated(f"{found[0]}{after[0]}", frozenset(value * factor for value in values))
        else:
            yield Stated(found[0], values)


def values_of(written: str) -> frozenset[Decimal]:
    """What a number in digits may be: of "1,234.5" one value, of "1.234" two."""
    written = re.sub(r"['’\xa0\u202f]", "", written)
    marks = re.findall(r"[.,]", written)
    if not marks:
        return frozenset([Decimal(written)])
    grouped = re.fullmatch(r"\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*", written)
    if len(set(marks)) == 2 and marks.count(marks[-1]) == 1:  # 1.234,5 or 1,234.5
        whole, _, part = written.rpartition(marks[-1])
        return frozenset([Decimal(f"{re.sub('[.,]', '', whole)}.{part}")])
    readings = {re.sub("[.,]", "", written)} if grouped else set()
    if len(marks) == 1:
        readings.add(written.replace(",", "."))
    elif not grouped:  # 4.5.2026: no number, but the numbers that it is made of
        readings |= set(re.split("[.,]", written))
    return frozenset(map(Decimal, readings))


def _cjk(text: str) -> Iterator[Stated]:
    for found in CJK_RUN.finditer(NO_NUMBER.sub(lambda word: "·" * len(word[0]), text)):
        if found[0].replace(".", "").replace(",", "").isdecimal():
            continue  # told by its digits
        value = cjk_value(found[0])
        if value is not None:
            surely = len(found[0]) > 2 or found[0][0].isdigit()
            yield Stated(found[0], frozenset([value]), surely)


def cjk_value(written: str) -> Decimal | None:
    """The value of a number with Chinese numerals in it: 三百二十, 3.2亿, 3億2千万, 二〇二六; None for a mere row of scales."""
    if all(character in CJK_DIGITS for character in written):
        return Decimal("".join(str(CJK_DIGITS[character]) for character in written))
    total = section = Decimal(0)
    current: Decimal | None = None
    for part in re.findall(r"\d+(?:[.,]\d+)*|.", written):
        if part[0].isdigit():
            current = max(values_of(part)) if part.count(",") else Decimal(part)
        elif part in CJK_DIGITS:
            current = Decimal(CJK_DIGITS[part])
        elif part in CJK_TENS:
            section += (1 if current is None else current) * CJK_TENS[part]
            current = None
        else:
            if current is None and not section:
                return None
            total += (section + (current or 0)) * CJK_SCALES[part]
            section, current = Decimal(0), None
    return total + section + (current or 0)


def _words(text: str, language: Language) -> Iterator[Stated]:
    pattern = _word_pattern(language)
    if pattern is None:
        return
    adds, times, scales = dict(language.number_words), dict(language.multipliers), dict(language.scales)
    for found in pattern.finditer(text):
        total = current = last = 0
        words = [word for word in re.findall(r"[^\W\d_]+", found[0].casefold()) if word != "and"]
        for word in words:
            if word in times:
                current += (last or 1) * times[word] - last
                last = current
            elif word in scales:
                total, current, last = total + (current or 1) * scales[word], 0, 0
            else:
                current, last = current + adds[word], adds[word]
        yield Stated(found[0], frozenset([Decimal(total + current)]), surely=len(words) > 1)


@cache
def _word_pattern(language: Language) -> re.Pattern[str] | None:
    first = "|".join(word for word, _ in (*language.number_words, *language.multipliers[:1]))
    every = "|".join(word for word, _ in (*language.number_words, *language.multipliers, *language.scales))
    if not first:
        return None
    return re.compile(rf"(?<![\w-])(?:{first})(?!\w)(?:(?:[ -]|(?: and ))(?:{every})(?!\w))*", re.IGNORECASE)


@cache
def _scale_pattern(language: Language) -> re.Pattern[str] | None:
    words = "|".join(word for word, _ in language.scales)
    return re.compile(rf"[ -]?({words})(?!\w)", re.IGNORECASE) if words else None
