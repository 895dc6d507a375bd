"""The parts of an answer that constraints count: words, sentences, paragraphs, lines, occurrences of a word.

    sentences("Dr. Ito came at 5 p.m. He left.", "en")    # 2

A word is what `tasks/text/words.py` says, a character in Chinese and Japanese. A sentence ends where the language's own
signs say so; a line without such a sign goes on in the next one, as IFEval counts.
"""

from __future__ import annotations

import re
from functools import cache

from tasks.text.languages import EVERY
from tasks.text.words import is_spaceless, nfc

ABBREVIATIONS = frozenset(
    (
        *("mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "rev", "hon", "gen", "col", "lt", "sgt", "capt"),
        *("vs", "etc", "e.g", "i.e", "cf", "al", "fig", "vol", "pp", "inc", "ltd", "co", "corp", "dept", "approx"),
        *("p.s", "p.p.s", "a.m", "p.m", "ph.d", "u.s", "u.k", "jan", "feb", "aug", "sept", "oct", "nov", "dec"),
        *("tp", "ts", "ths", "gs", "pgs", "bs"),
    )
)
CLOSERS = "\"'”’»」』)）\\]】*_"
FULL_WIDTH_ENDS = "。！？"
LIST_MARK = re.compile(r"(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,4})\.")
PARAGRAPH_BREAK = re.compile(r"\n[ \t]*\n")
WORD_BEFORE = re.compile(r"[\w.’'-]*$")


def sentences(text: str, language: str) -> list[str]:
    """The sentences of a text, without the white space around them. A full stop after an abbreviation, a single letter
    or the number of a list ends none."""
    found, start = list[str](), 0
    for end in _ends(language).finditer(text):
        if _is_pause(end[0], text[end.end() :]) or (
            end[0][0] == "." and _goes_on(text[start : end.start()], text[end.end() :])
        ):
            continue
        found.append(text[start : end.end()].strip())
        start = end.end()
    return [one for one in (*found, text[start:].strip()) if re.search(r"\w", one)]


def _is_pause(signs: str, after: str) -> bool:
    """Whether dots stand within a sentence: small letters follow them."""
    return signs.startswith(("..", "…")) and after.lstrip()[:1].islower()


def _goes_on(before: str, after: str) -> bool:
    """Whether a sentence goes on behind a full stop."""
    word = WORD_BEFORE.search(before.rstrip())
    last = word[0] if word else ""
    line = before.rpartition("\n")[2].strip(" \t*_>#")
    if LIST_MARK.fullmatch(f"{line}."):
        return True
    following = after.lstrip()
    if last.casefold().strip(".") in ABBREVIATIONS or re.fullmatch(r"(?:[A-Za-z]\.)*[A-Z]", last):
        return last != "I" and not (last.casefold() in ("etc", "a.m", "p.m", "u.s") and following[:1].isupper())
    return False


@cache
def _ends(language: str) -> re.Pattern[str]:
    signs = next((one.sentence_ends for one in EVERY if one.code == language), ".!?")
    spaced = "".join(sign for sign in signs if sign not in FULL_WIDTH_ENDS)
    spaced = spaced if "." in spaced else f"{spaced}.!?"
    return re.compile(
        rf"[{re.escape(spaced)}]+[{CLOSERS}]*(?=\s|$)|[{FULL_WIDTH_ENDS}][{FULL_WIDTH_ENDS}…]*[{CLOSERS}]*"
    )


def paragraphs(text: str) -> list[str]:
    """What stands between blank lines."""
    return [one.strip() for one in PARAGRAPH_BREAK.split(text) if one.strip()]


def lines(text: str) -> list[str]:
    """The lines that are not blank, without the white space around them."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def occurrences(word: str, text: str) -> int:
    """How often a text has a word, whole and in any case. At a character of a script without spaces no word ends."""
    said, word = nfc(text).casefold(), nfc(word).casefold()
    left = "" if is_spaceless(word[0]) or not word[0].isalnum() else r"(?<!\w)"
    right = "" if is_spaceless(word[-1]) or not word[-1].isalnum() else r"(?!\w)"
    return len(re.findall(left + re.escape(word) + right, said))


def inside(word: str, text: str) -> int:
    """How often a text has these characters in a row, in a word or not, in any case."""
    return nfc(text).casefold().count(nfc(word).casefold())


def first_word(text: str) -> str:
    """The first word of a text, without the signs around it, in lower case."""
    found = re.search(r"\w(?:[\w’'-]*\w)?", nfc(text))
    return found[0].casefold() if found else ""
