"""Instructions that a model wrote: cleaned of the list they stood in, refused where unfit, made into rows.

The filters are those of Self-Instruct (Wang et al. 2022, arXiv:2212.10560, section 2.2, and its code).
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable

from tasks.errors import Filtered
from tasks.patterns import pattern
from tasks.text.languages import EVERY, either, words_of
from tasks.text.languages.en import EN
from tasks.text.reading import marks
from tasks.text.rouge import Pool, Similar
from tasks.text.words import is_spaceless, nfc, word_count

BLACKLIST = EN.blacklist
"""What a text model cannot see, open or play."""
EVERY_BLACKLIST = words_of("blacklist", EVERY)
PROGRAMS = words_of("a_program", EVERY)
UNSEEN_TEXT = pattern(either("unseen_text", EVERY), re.IGNORECASE)
BRINGS_A_TEXT = pattern(r"\n|[:：]\s*\S.{12}|[\"“「『`].{12}")
"""A line of its own, or what stands behind a colon or in quotation marks."""
FULL_WIDTH_PUNCTUATION = "。，、！？；：）】」』》"
MARK = pattern(
    r"[-*+•●▪‣◦·–—>]\s+"  # bullet
    r"|#{1,6}\s+"  # heading
    r"|(?:\*\*|__)?[(（\[]?\d{1,3}\s?[.)．）、\]:](?:\*\*|__)?\s*(?!\d)"  # 1.  (2)  [3]  **4.**  5、 but not 3.14
    r"|\(?[a-zA-Z]\)\s+"  # a)
    rf"|(?:\*\*|__)?(?:user\s)?(?:{EN.item_names})(?:\s*#?\d{{1,3}})?\s*[:：](?:\*\*|__)?\s*",
    re.IGNORECASE,
)
TITLE = pattern(r"(?:\*\*|__)[^*_\n]{1,60}(?:[:：](?:\*\*|__)|(?:\*\*|__)\s*[:：])\s*(?=\S)")
WRAPPERS = (
    ("**", "**"),
    ("__", "__"),
    ("*", "*"),
    ("_", "_"),
    ("`", "`"),
    ("„", "“"),
    *dict.fromkeys(quotes for language in EVERY for quotes in language.quotes),
)
MARKS = pattern(r"\*\*|__|(?<!\w)['’_]|['’_](?!\w)|[^\w\s'’_]")  # what may wrap; an apostrophe in a word may not
GREETING = r"(?:(?:sure|certainly|of course|absolutely|okay|ok|great|yes)\b(?: thing)?[!,.:]*\s*)"
LISTED = r"\b(?:queries|questions|requests|instructions|prompts|tasks|examples|ideas)\b"
CHATTER = pattern(
    rf"{GREETING}$|{GREETING}?(?:here|below|these|the following)\b(?:['’]s)?.*{LISTED}|note:"
    r"|i hope (?:this|these)\b|let me know if\b|feel free to\b|would you like me to\b|(?:当然|好的)(?:可以)?[!！,，。]",
    re.IGNORECASE,
)
UNFINISHED = (":", ",", ";", "-", "–", "—", "(", "[", "…", "...", "/", "：", "，", "；", "、", "（")


def cleaned(item: str) -> str:
    """An item of a list without its number, bullet, label, bold title, markdown emphasis and enclosing quotes, on one line."""
    text, before = " ".join(item.split()), None
    while text != before:
        before, text = text, _unwrapped(text).strip()
        if mark := MARK.match(text) or marks.BULLET_OR_LABEL.match(text):
            text = text[mark.end() :].strip()
        text = text[title.end() :] if (title := TITLE.match(text)) else text
    return text


def _unwrapped(text: str) -> str:
    text = text[:-1] if text.endswith(('",', "”,", "',")) else text
    for left, right in WRAPPERS:
        inner = text[len(left) : len(text) - len(right)]
        if text.startswith(left) and text.endswith(right) and inner and not ({left, right} & set(MARKS.findall(inner))):
            return inner
    return text


def is_chatter(line: str) -> bool:
    """Whether a line talks about the list ("Sure! Here are five queries:") and is no item of it."""
    return CHATTER.match(line) is not None or marks.TALK.match(nfc(line)) is not None


def capitalized(text: str) -> str:
    """The text with its first letter in upper case and the rest as it is: `str.capitalize` makes USA usa."""
    return text[:1].upper() + text[1:]


def length_refusal(text: str, min_words: int, max_words: int) -> Filtered | None:
    """Refuse fewer than `min_words` or more than `max_words` words; a Han (Thai, kana) character counts as one."""
    count = word_count(text)
    if min_words <= count <= max_words:
        return None
    return Filtered("too_short" if count < min_words else "too_long", f"{count} words", raw=text)


def language_refusal(text: str, wrong: Callable[[str], str | None]) -> Filtered | None:
    """Refuse a text with something wrong with its language; `wrong` says what."""
    return Filtered("wrong_language", told, raw=text) if (told := wrong(text)) else None


def blacklist_refusal(text: str, blacklist: Iterable[str]) -> Filtered | None:
    """Refuse a text with one of these words in it, as a whole word, in any case."""
    said = nfc(text)
    for word in blacklist:
        if re.search(_bounded(nfc(word)), said, re.IGNORECASE):
            return Filtered("blacklisted", word, raw=text)
    return None


def unseen_text_refusal(text: str) -> Filtered | None:
    """Refuse a request about a text that whoever answers it is not shown. One that brings a text along is not refused."""
    if (found := UNSEEN_TEXT.search(nfc(text))) and not BRINGS_A_TEXT.search(text):
        return Filtered("unseen_text", found[0], raw=text)
    return None


def _bounded(word: str) -> str:
    """A pattern for a whole word; at a character of a script without spaces there is no boundary to ask for."""
    left = "" if is_spaceless(word[0]) else r"(?<!\w)"
    right = "" if is_spaceless(word[-1]) else r"(?!\w)"
    return left + re.escape(word) + right


def start_refusal(text: str, *, ascii_only: bool) -> Filtered | None:
    """Refuse "Write a program" in any language, punctuation at the start and (for English only) a first character outside ASCII."""
    if nfc(text).startswith(PROGRAMS):
        return Filtered("write_a_program", raw=text)
    if text[:1] in string.punctuation + FULL_WIDTH_PUNCTUATION:
        return Filtered("starts_with_punctuation", raw=text)
    if ascii_only and not nfc(text)[:1].isascii():
        return Filtered("starts_non_ascii", raw=text)
    return None


def unfinished_refusal(text: str) -> Filtered | None:
    """Refuse a text that breaks off, or that announces something which does not come."""
    return Filtered("unfinished", raw=text) if text.endswith(UNFINISHED) else None


def similarity_refusal(text: str, similar: Similar | None, pool: Pool, max_similarity: float) -> Filtered | None:
    """Refuse a text whose ROUGE-L F to the most similar one of a pool is above the limit. Equal is kept."""
    if similar is None or similar.score <= max_similarity:
        return None
    return Filtered("too_similar", f"{similar.score:.3f} to: {pool.texts[similar.position]}", raw=text)


def first_refusal(refusals: Iterable[Filtered | None]) -> Filtered | None:
    """The first filter that refuses; those after it are not asked where `refusals` is a generator."""
    return next((refusal for refusal in refusals if refusal is not None), None)
