"""What counts the items of a list beside 1. and 2): 一、 （二） ③ 問題4： Câu 5: ; bullets of Japanese; labels without a number.

    counted("二、怎样保存酵母？")     # (2, "怎样保存酵母？")

A numeral, or a number in a circle, can also begin a sentence: it counts only where the items of a list count up.
"""

from __future__ import annotations

import re

from tasks.patterns import pattern
from tasks.text.languages import NUMERALS, either

CIRCLED = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳"
TEN = "十"
DIGIT = {numeral: at for at, numeral in enumerate(NUMERALS, 1)} | {"": 0}
NUMBER = rf"(?:\d{{1,3}}|[{NUMERALS}]{{1,3}})"
DRESS = r"[ \t*_#>•・-]*"
NUMBER_END = r"[*_]*\s?(?:[:：.、）)】][*_]*|$)\s*"
LABELLED = pattern(
    rf"{DRESS}[【\[(（]?(?:(?:{either('item_names')}|{either('counted_names')})\s?[#＃]?\s?(?P<number>{NUMBER})"
    rf"|(?P<nth>{either('nth_item').replace('N', NUMBER)})){NUMBER_END}",
    re.IGNORECASE,
)
NUMERAL = pattern(
    rf"{DRESS}(?:（(?P<inside>{NUMBER})）|\((?P<han>[{NUMERALS}]{{1,3}})\)|(?P<numeral>[{NUMERALS}]{{1,3}})[*_]*[、．.:：）)]"
    r"|(?P<digits>\d{1,3})[*_]*[：）](?!\d))\s*"
)
IN_A_CIRCLE = pattern(rf"{DRESS}([{CIRCLED}])[*_]*[、．.:：]?\s*")
BULLET_OR_LABEL = pattern(
    rf"・(?!・)\s*|[■□◆◇○◎▶►](?![■□◆◇○◎▶►])\s*|(?:\*\*|__)?[【]?(?:{either('item_names')})(?:\s?[#＃]?\s?{NUMBER})?[*_]*\s?[:：】](?:\*\*|__)?\s*"
    rf"|(?:\*\*|__)?[【]?(?:(?:{either('counted_names')})\s?{NUMBER}|{either('nth_item').replace('N', NUMBER)})[*_]*\s?[:：】](?:\*\*|__)?\s*",
    re.IGNORECASE,
)
TALK = pattern(rf"(?:{either('list_talk')})", re.IGNORECASE)
HEAD = pattern(either("item_names"), re.IGNORECASE)


def numbered(line: str) -> tuple[int, str] | None:
    """The number that a line begins with, and the rest; None where it begins with none of these."""
    if found := LABELLED.match(line):
        said = found["number"] or re.findall(NUMBER, found["nth"])[0]
    elif found := NUMERAL.match(line):
        said = next(filter(None, found.groups()))
    elif found := IN_A_CIRCLE.match(line):
        said = str(CIRCLED.index(found[1]) + 1)
    else:
        return None
    number = _number(said)
    return (number, line[found.end() :].strip()) if number else None


def _number(said: str) -> int | None:
    """21 of 二十一; None for numerals that make no number."""
    if said.isdigit():
        return int(said)
    tens, ten, ones = said.rpartition(TEN)
    if len(tens) > 1 or len(ones) > 1 or TEN in tens:
        return None
    return (DIGIT[tens] or 1) * 10 * bool(ten) + DIGIT[ones]
