"""Numbers in Chinese characters, as Chinese and Japanese answers have them: 三千五百, 3万5千, 四分之三, 百分之五十."""

from __future__ import annotations

import re
from fractions import Fraction

DIGITS = {
    sign: value
    for value, signs in enumerate(("零〇", "一壹", "二两兩", "三", "四", "五", "六", "七", "八", "九"))
    for sign in signs
}
TENS = {"十": 10, "百": 100, "千": 1000}
MYRIADS = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
SIGNS = "".join((*DIGITS, *TENS, *MYRIADS))
A_NUMBER = rf"(?:\d+(?:\.\d+)?|[{SIGNS}])(?:\d+(?:\.\d+)?|[{SIGNS}])*(?:[点點][{''.join(DIGITS)}]+)?"
FRACTION = re.compile(rf"([负負]?)({A_NUMBER})\s?分之\s?({A_NUMBER})")
HAN_NUMBER = re.compile(rf"[负負]?(?=[\d.]*[{SIGNS}]){A_NUMBER}")


def in_digits(text: str) -> str:
    """The text with such numbers in digits: "3万5千円" as "35000円", "四分之三" as "3/4"."""
    text = FRACTION.sub(lambda found: _fraction(found) or found[0], text)
    return HAN_NUMBER.sub(lambda found: _whole(found[0]) or found[0], text)


def _fraction(found: re.Match[str]) -> str | None:
    below, above = _value(found[2]), _value(found[3])
    if not below or above is None:
        return None
    return f"{'-' if found[1] else ''}{_said(above)}{'%' if below == 100 else f'/{_said(below)}'}"


def _whole(text: str) -> str | None:
    value = _value(text.lstrip("负負"))
    return None if value is None else f"{'-' if text[0] in '负負' else ''}{_said(value)}"


def _said(value: Fraction) -> str:
    return str(value) if value.denominator == 1 else f"{float(value):.12g}"


def _value(text: str) -> Fraction | None:
    """The number; None where the signs are none (一样, 千千)."""
    whole, _, behind = re.sub("點", "点", text).partition("点")
    parts: list[str] = re.findall(rf"\d+(?:\.\d+)?|[{SIGNS}]", whole)
    if parts and all(part in DIGITS for part in parts) and len(parts) > 1:
        total = Fraction("".join(str(DIGITS[part]) for part in parts))  # 二〇二五
    else:
        read = _by_places(parts)
        if read is None:
            return None
        total = read
    return total + (Fraction("0." + "".join(str(DIGITS[sign]) for sign in behind)) if behind else 0)


def _by_places(parts: list[str]) -> Fraction | None:
    total = section = Fraction(0)
    digit: Fraction | None = None
    for part in parts:
        if part in TENS:
            section += (Fraction(1) if digit is None else digit) * TENS[part]
            digit = None
        elif part in MYRIADS:
            section += digit or 0
            if not section:
                return None
            total, section, digit = total + section * MYRIADS[part], Fraction(0), None
        elif digit:
            return None  # two numbers side by side
        else:
            digit = Fraction(DIGITS[part]) if part in DIGITS else Fraction(part)
    return total + section + (digit or 0)
