"""What a word is, in any script: whole words where there are spaces, single characters where there are none.

ROUGE's own tokenizer keeps only [a-z0-9], so that Chinese, Arabic or Russian text has no words at all, scores 0 against
itself and is never deduplicated. On ASCII text the two agree; "café" is "caf" there and "café" here.
"""

from __future__ import annotations

import re
import unicodedata

ASCII_WORD = re.compile(r"[a-z0-9]+")
# Latin, Greek, Cyrillic and Armenian letters with accents in one, and the punctuation and symbols that go with them: no
# mark, no invisible character and no script without spaces is among these, so a pattern finds their words.
EASY_TEXT = re.compile(
    "[\0-\u00ac\u00ae-\u02ff\u0370-\u0482\u048a-\u058f\u1e00-\u200a\u2010-\u2029\u2030-\u205f\u2070-\u20cf\u2100-\u2bff]*"
)
EASY_WORD = re.compile(r"[^\W_]+")
ZERO_WIDTH_SPACE = "\u200b"
# Scripts written without spaces between words: Thai and Lao, Myanmar, Khmer, Tai Le to New Tai Lue, Tai Tham,
# Hiragana to Katakana (and their extensions), Han with its extensions.
SPACELESS = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x1950, 0x19DF),
    (0x1A20, 0x1AAF),
    (0x3005, 0x3007),
    (0x3040, 0x30FF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xA9E0, 0xA9FF),
    (0xAA60, 0xAA7F),
    (0xF900, 0xFAFF),
    (0x1AFF0, 0x1B16F),
    (0x20000, 0x3FFFF),
)


def is_spaceless(character: str) -> bool:
    """Whether this character belongs to a script that puts no spaces between words."""
    point = ord(character)
    return point >= 0x0E00 and any(first <= point <= last for first, last in SPACELESS)


def words(text: str) -> list[str]:
    """The words of a text, lower case, compatibility forms folded (NFKC). Punctuation, symbols and "_" part words."""
    if text.isascii():
        return ASCII_WORD.findall(text.lower())
    text = unicodedata.normalize("NFKC", text).lower()
    return EASY_WORD.findall(text) if EASY_TEXT.fullmatch(text) else _words_by_character(text)


def _words_by_character(text: str) -> list[str]:
    """The words of a text in lower case and NFKC."""
    found: list[str] = []
    open_word = False
    for character in text:
        kind = unicodedata.category(character)
        if kind[0] == "M" or (kind == "Cf" and character != ZERO_WIDTH_SPACE):
            if kind[0] == "M" and found and open_word:
                found[-1] += character  # a vowel sign or an accent belongs to the letter before it
        elif kind[0] not in "LN":
            open_word = False
        elif is_spaceless(character) or not open_word or is_spaceless(found[-1][0]):
            found.append(character)
            open_word = True
        else:
            found[-1] += character
    return found


def nfc(text: str) -> str:
    """The text with each letter and its accents as one character where there is one: for comparing, never for writing."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def word_count(text: str) -> int:
    """How long a text is, in words as a person counts them: "don't" is one, and each Han character is one."""
    if text.isascii():
        return len(text.split())
    return sum(max(1, sum(map(is_spaceless, chunk))) for chunk in nfc(text).split())
