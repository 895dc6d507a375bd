"""How judges label ratings, reasons and responses in the languages beside English, and what stands around the number.

A word such as 評価 or Điểm also begins sentences that rate nothing: it is a label only where a number, or a word for
"not applicable", comes right after it. Where there are English labels, `ratings.py` does not ask for these.
"""

from __future__ import annotations

import re

from tasks.patterns import pattern
from tasks.text.languages import EVERY, NUMERALS, either

FLAGS = re.IGNORECASE | re.MULTILINE
MARKS = r"[\s*_`\"'>#\[(（【】「」\]]*"
START = r"^[ \t>*_`#•・【「-]*"
AFTER_A_CLAUSE = r"(?<=[.。!！?？;；,，、)）|–—-])[ \t*_`【]*"
IN_BRACKETS = r"(?:\s?[(（](?:từ |从|從)?\s?1\s?(?:[-–—~～〜]|to|đến|到|至|から)\s?(?:5|10)\s?[分点]?[)）])?"
SEPARATOR = rf"(?:[:：=]|[-–—](?=\s)|{either('rating_is')})"
VALUE = rf"(?=[-−+]?\d|n/?a\b|{either('not_applicable')})"
ENDS_ITS_LINE = r"(?=\d[\d.,．/／ ]{0,8}(?:分|点|điểm)?[ \t*_`]*$)"
WORD = rf"(?:{either('rating')}){IN_BRACKETS}"

ON_ITS_LINE = pattern(rf"{START}{WORD}{MARKS}(?:{SEPARATOR}{MARKS}{VALUE}|{ENDS_ITS_LINE})", FLAGS)
WITHIN_A_LINE = pattern(rf"{AFTER_A_CLAUSE}{WORD}[*_`】]*\s?[:：]{MARKS}{VALUE}", FLAGS)
RATINGS = (ON_ITS_LINE, WITHIN_A_LINE)
FIRST = pattern(rf"{MARKS}{WORD}{MARKS}(?:{SEPARATOR}{MARKS})?{VALUE}", FLAGS)
REASON = pattern(
    rf"{START}(?:{either('reason')})(?:[*_`]*[】」]|[*_`]*\s?[:：]|[ \t*_`]*$|[*_` ]*[-–—](?=\s))[\s*_`:：]*", FLAGS
)
ERROR_KINDS = pattern(
    rf"{START}(?:(?P<errors>{either('errors', EVERY)})|(?P<merits>{either('merits', EVERY)}))"
    r"[*_`】]*[ \t]*[:：](?P<kinds>[^\n]*)",
    FLAGS,
)
NONE = pattern(rf"(?:{either('none', EVERY)})?", re.IGNORECASE)
NOT_APPLICABLE = pattern(rf"[【「(（\"]*(?:{either('not_applicable')})(?!\w)", re.IGNORECASE)
POINTS = pattern(rf"[ \t]*(?:{either('points')})(?!\w)", re.IGNORECASE)
SCALE_AFTER = pattern(rf"[\s*_`(（,，、]*(?:{either('scale_after')})[)）]?", re.IGNORECASE)
SCALE_BEFORE = pattern(either("scale_before"))
A_RANGE = pattern(rf"[-–—~～〜]\d|％|．\d|\s*(?:{either('range_words')})\s*\d", re.IGNORECASE)

NUMBER = rf"\d{{1,4}}|[{NUMERALS}]"
RESPONSE_LABEL = pattern(
    rf"{START}(?:\d+[.)、．]\s*)?(?:(?:{either('response')})\s?[#＃]?\s?[\[(（]?(?P<index>{NUMBER})[\])）】」]?"
    rf"|(?P<nth>{either('nth_response').replace('N', '(?:' + NUMBER + ')')})[】」]?)[ \t*_`]*"
    rf"(?:[:：.。)）、]|[-–—](?=\s)|$|(?=[\s(（]*(?:rating|score|{either('rating')})))",
    FLAGS,
)


def index_of(label: re.Match[str]) -> int:
    """The number in a match of RESPONSE_LABEL."""
    said = label["index"] or next(iter(re.findall(NUMBER, label["nth"])))
    return int(said) if said.isdigit() else NUMERALS.index(said) + 1


def scale_in(found: re.Match[str]) -> float:
    """The highest rating that a match tells in one of its groups."""
    return float(next(filter(None, found.groups())).replace(",", "."))
