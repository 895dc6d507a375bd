r"""What an answer says where that is plain: a number with or without its unit, a choice, or words. No library is needed.

quantity_of("3 hours 20 minutes").value     # 12000, in seconds
quantity_of(r"\frac{1}{2}").value           # 1/2
choice_of("(B) 12 km")                      # "B"
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import NamedTuple

from tasks.patterns import pattern
from tasks.text.final_answers.numerals import in_digits
from tasks.text.final_answers.units import CURRENCIES, LONGEST_FIRST, UNITS, Measure
from tasks.text.languages import EVERY, either

VULGAR = {sign: unicodedata.normalize("NFKC", sign).replace("⁄", "/") for sign in "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"}
RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
NUMBER_WORDS = dict(
    zip(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"],
        map(str, range(13)),
        strict=True,
    )
)
POWERS = {
    **{"thousand": "*10^3", "million": "*10^6", "billion": "*10^9", "trillion": "*10^12"},
    **{"nghìn": "*10^3", "ngàn": "*10^3", "triệu": "*10^6", "tỷ": "*10^9", "tỉ": "*10^9"},
}
LARGE = pattern(rf"(?<=\d)\s*({'|'.join(POWERS)})s?(?!\w)", re.IGNORECASE)
MATHS_MARKS = pattern(
    r"\\[()\[\]]|(?<!\\)\$(?!\s?[\d.])|(?<!\\)\$(?=[^$]*\$)|\*\*|`|(?<!\\)\\[,!]|\\(?:left|right|displaystyle)(?![a-zA-Z])"
)
MATHS_SPACES = pattern(r"(?<!\\)\\[;:> ]|\\q?quad(?![a-zA-Z])")
WORDS_IN_MATHS = pattern(r"\\(?:text|textbf|textit|mathrm|mathbf|operatorname|mbox)\s*\{([^{}]*)\}")
FRAC = pattern(r"\\[dt]?frac\s*(?:\{\s*(-?[\d.,]+)\s*\}|(\d))\s*(?:\{\s*(-?[\d.,]+)\s*\}|(\d))")
A_PREFIX = pattern(r"^\s*(?:[a-zA-Z](?:_\w)?\s*=|\\approx|≈|=|~)\s*")
AROUND_ANSWERS = " \t\n.,;:。，；！、"
BRACES = pattern(r"\{(-?\d+(?:\.\d+)?)\}")
REPEATING = pattern(r"(\d*)\.(\d*)\\(?:overline|bar|dot)\s*\{(\d+)\}")

DIGITS = r"(?:\d+(?:[.,]\d+)*|\.\d+)"
NUMBER = pattern(
    rf"(?P<sign>[-+]?)\s*(?P<before>[{re.escape(CURRENCIES)}]?)\s*(?P<minus>-?)(?P<number>{DIGITS})"
    rf"(?:\s*(?:\*\s*10\s*\^\s*\{{?|(?<=\d)[eE])(?P<power>[-+]?\d{{1,3}})\}}?)?"
    rf"(?:\s+(?P<above>\d+)\s*/\s*(?P<below>\d+)|\s*/\s*(?P<over>-?{DIGITS}))?"
)
UNIT = pattern(
    r"\s*(?:(?P<percent>%|percent\b|per cent\b|phần trăm|パーセント)|(?P<unit>"
    + "|".join(
        re.escape(name) + (r"(?!\w)" if name[-1].isascii() or name[-1] in "étđồy" else "") for name in LONGEST_FIRST
    )
    + "))",
    re.IGNORECASE,
)
JOINED = pattern(r"\s*(?:,|and|và|又|と)?\s*", re.IGNORECASE)
OF_MATHS = pattern(
    r"[\\^_={}<>|≤≥√π∞∪∩*+]|\b(?:sqrt|pi|log|sin|cos|tan|inf)\b|\d\s*[/(\[]|[)\]]\s*\d|\d\s?!|\d[a-z]\b|^[\[(].*,.*[\])]$"
)
CHOICE = pattern(
    rf"(?:(?:{either('choice', EVERY)})\s*[:：]?\s*)?"
    r"(?:[(\[（【]\s*(?P<inside>[A-Ja-j])\s*[)\]）】](?=\s|$|\W|です|だ)|(?P<bare>[A-J])[)）]?(?=$|\s*(?:[.:：、．)）]|[-–—]\s|です|である|だ$)))"
)
IN_A_BASE = pattern(r"(?=[A-F]*\d)([\dA-F]+)_\{?(\d+)\}?")
SEVERAL = pattern(r"[A-J](?:\s*(?:,|，|、|&|and|và|和|と)?\s*[A-J])+")


class Quantity(NamedTuple):
    """What a number with its unit may mean: each value in the unit's base, and what is measured, "" where no unit says it.

    `is_decimal`: how many decimals are written, None for a fraction or a whole number. `bare`: the values without the unit.
    """

    values: frozenset[Fraction]
    of: str
    bare: frozenset[Fraction]
    decimals: int | None


def tidied(text: str) -> str:
    r"""An answer without what only shows it: full-width forms, dollar signs of maths, \text, bold, an `x =` before it."""
    for sign, said in VULGAR.items():
        text = text.replace(sign, f" {said}")
    text = re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda found: "^" + found[0].translate(RAISED), text)
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(r"[−–—‒](?=\s?[\d.])", "-", text)
    text = WORDS_IN_MATHS.sub(r" \1 ", text.replace("{,}", ","))
    text = MATHS_SPACES.sub(" ", MATHS_MARKS.sub("", text)).replace(r"\$", "$").replace(r"\%", "%")
    text = REPEATING.sub(_as_fraction, text)
    text = FRAC.sub(lambda found: f" {found[1] or found[2]}/{found[3] or found[4]}", text)
    text = re.sub(r"\\(?:times|cdot)(?![a-zA-Z])|[×·]", "*", text)
    text = re.sub(r"\^\s*\{?\\circ\}?|\\degree", "°", text)
    text = re.sub(r"\s+\^", "^", text)
    text = BRACES.sub(lambda found: found[0] if text[: found.start()].endswith("^") else found[1], text)
    text = re.sub(r"(?<=\d)[   ](?=\d{3}(?!\d))", "", text)  # spaces that part thousands
    text = re.sub(r"(?<=^\d{1})[ ](?=\d{3}(?:[ .,]|$))", "", text)
    shorter = A_PREFIX.sub("", text)
    return " ".join((shorter if re.match(r"\s*[-+$€£¥\d.]", shorter) else text).split()).strip(AROUND_ANSWERS)


def _as_fraction(found: re.Match[str]) -> str:
    whole, once, again = found[1] or "0", found[2], found[3]
    part = Fraction(int(again), 10 ** len(once) * (10 ** len(again) - 1))
    return str(Fraction(f"{whole}.{once or 0}") + part)


def choice_of(text: str) -> str | None:
    """The letters of the options that an answer chooses, in order: "B", "AC"; None where it chooses none."""
    said = tidied(text)
    if SEVERAL.fullmatch(said):
        letters = re.findall(r"(?<![a-zA-Z])[A-J](?![a-z])|[A-J]", re.sub(r"\b(?:and|và)\b", " ", said))
        return "".join(sorted(set(letters)))
    found = CHOICE.match(said)
    return (found["inside"] or found["bare"]).upper() if found else None


def quantity_of(text: str, language: str = "") -> Quantity | None:
    """The number that an answer begins with, with its unit; None where it is none. Words may follow, figures may not.

    `language`: whose marks are read: in Vietnamese 3,5 is a decimal, and 1.234 may be a thousand.
    """
    said = in_digits(_in_figures(tidied(text)))
    parts = list(_parts(said, comma=language == "vi"))
    if not parts:
        return None
    rest = said[parts[-1].end :]
    if re.search(r"\d", rest) or re.match(r"\s*(?:[-+*/^=_!\\(){}<>|√π]|[a-zA-Z](?:[^\w]|$))", rest):
        return None
    if len(parts) > 1 and (
        len({part.unit.of for part in parts if part.unit}) != 1 or not all(part.unit for part in parts)
    ):
        return None
    values = frozenset(sum(one) for one in product(*(part.sized for part in parts)))
    first = parts[0]
    of = "%" if first.percent else first.unit.of if first.unit else ""
    bare = frozenset(first.values) if len(parts) == 1 else values
    return Quantity(
        frozenset(map(Fraction, values)),
        of,
        frozenset(map(Fraction, bare)),
        first.decimals if len(parts) == 1 else None,
    )


def in_a_base(text: str) -> tuple[int, str] | None:
    """The value of a numeral that says its base (`1011_2`), and its figures; None where it is none."""
    found = IN_A_BASE.fullmatch(tidied(text))
    if found is None:
        return None
    with suppress(ValueError):  # a figure that the base has not, or no base
        return int(found[1], int(found[2])), found[1]
    return None


def _in_figures(text: str) -> str:
    text = NUMBER_WORDS.get(text.casefold(), text)
    return LARGE.sub(lambda found: POWERS[found[1].casefold()], text)


@dataclass(frozen=True)
class _Part:
    """One number with its unit: its readings, and where it ends."""

    values: tuple[Fraction, ...]
    unit: Measure | None
    percent: bool
    decimals: int | None
    end: int

    @property
    def sized(self) -> list[Fraction]:
        size = Fraction(1, 100) if self.percent else self.unit.size if self.unit else Fraction(1)
        return [value * size for value in self.values]


def _parts(text: str, *, comma: bool) -> Iterator[_Part]:
    at = 0
    while found := NUMBER.match(text, at):
        values = _values(found, comma=comma)
        if not values:
            return
        after = UNIT.match(text, found.end())
        unit = UNITS.get(found["before"]) if found["before"] else None
        percent = False
        end = found.end()
        if after:
            end, percent = after.end(), after["percent"] is not None
            named = after["unit"]
            unit = unit or (None if named is None else UNITS.get(named) or UNITS.get(named.lower()))
        exact = found["over"] or found["above"] or found["power"]
        mark = re.search(r"[.,](\d+)$", found["number"])
        yield _Part(values, unit, percent, None if exact or mark is None else len(mark[1]), end)
        gap = JOINED.match(text, end)
        at = gap.end() if gap else end
        if at == end and not after:
            return


def _values(found: re.Match[str], *, comma: bool) -> tuple[Fraction, ...]:
    sign = -1 if "-" in (found["sign"], found["minus"]) else 1
    values = readings(found["number"], comma=comma)
    if found["power"]:
        values = tuple(value * Fraction(10) ** int(found["power"]) for value in values)
    if found["above"]:
        below = int(found["below"])
        values = tuple(value + Fraction(int(found["above"]), below) for value in values) if below else ()
    if found["over"]:
        overs = readings(found["over"].lstrip("-"), comma=comma)
        turn = -1 if found["over"].startswith("-") else 1
        values = tuple(turn * value / over for value in values for over in overs if over)
    return tuple(dict.fromkeys(sign * value for value in values))


def readings(digits: str, *, comma: bool) -> tuple[Fraction, ...]:
    """What figures with marks may mean. `comma`: a comma may part the decimals, and points the thousands."""
    marks = re.sub(r"\d", "", digits)
    by_threes = re.fullmatch(r"\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*", digits)
    if not marks:
        return (Fraction(digits),)
    if len(set(marks)) == 2:
        last = marks[-1]
        whole, _, behind = digits.rpartition(last)
        other = "," if last == "." else "."
        good = marks.count(last) == 1 and re.fullmatch(rf"\d{{1,3}}(?:\{other}\d{{3}})+", whole)
        return (Fraction(f"{whole.replace(other, '')}.{behind}"),) if good else ()
    found: list[Fraction] = []
    one = len(marks) == 1
    if one and (marks == "." or (comma and marks == ",")):
        found.append(Fraction(digits.replace(",", ".") if digits[0] != "." else f"0{digits}"))
    if by_threes and (marks[0] == "," or comma or not one):
        found.append(Fraction(digits.replace(marks[0], "")))
    return tuple(found)


def is_of_maths(text: str) -> bool:
    """Whether an answer that is no plain number, choice or word has to be read as an expression."""
    return OF_MATHS.search(tidied(text)) is not None


def words_in(text: str) -> str:
    """The words of an answer, for comparing it with another one."""
    said = re.sub(r"^(?:the|an?)\s+", "", tidied(text).casefold())
    return re.sub(r"\s*([:,;()])\s*", r"\1", said).strip(AROUND_ANSWERS + "!'\"“”‘’「」()")
