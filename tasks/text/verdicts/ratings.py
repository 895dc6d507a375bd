"""Ratings read out of what a judge wrote: by label, on the scale of 1 to 5, or not at all.

    overall_of("Rating: 4.5\\nReason: clear")                           # Verdict(4.5, "clear")
    overall_of("Reason: clear\\nRating: 10", highest=10)                # Verdict(5.0, "clear")
    ratings_of("Response 1: rating 4 - good\\nResponse 2: N/A", 2)      # [Verdict(4.0, "good"), Verdict(None, "")]

Nothing is guessed: no label, two values, a value off the scale or on another one, an index missing, repeated or
unknown is `Unusable`, so that the judge is asked again. Judges label in their own language too (`labels.py`); where
there are English labels these count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tasks.errors import Unusable
from tasks.models.answers.families import KNOWN
from tasks.patterns import pattern
from tasks.text.languages.en import EN
from tasks.text.verdicts import labels as other
from tasks.text.verdicts.rating_forms import as_lines
from tasks.text.words import nfc

LOWEST, HIGHEST = 1, 5
MARKS = r"[\s*_`\"'>#\[(]*"  # markdown and brackets that judges put around labels and values
BULLET = r"^[ \t>*_`#•-]*"
WORD = EN.rating + r"(?:\s*\(1\s*(?:[-–—]|to)\s*(?:5|10)\))?"
SEPARATOR = r"(?:[:：=]|is\b|of\b|[-–—](?=\s))"
FLAGS = re.IGNORECASE | re.MULTILINE

ENDING = pattern(r"</s>|<\|[^|<>\s]+\|>|<end_of_turn>|<eos>")
LABEL_ON_ITS_LINE = pattern(rf"{BULLET}{WORD}{MARKS}(?:{SEPARATOR}{MARKS}|(?=\d|N/?A\b))", FLAGS)
LABEL_ANYWHERE = pattern(rf"\b{WORD}[*_`]*\s*[:：]{MARKS}", FLAGS)
LABEL_FIRST = pattern(rf"{MARKS}{WORD}{MARKS}(?:{SEPARATOR}{MARKS})?", FLAGS)
INDEX = pattern(
    rf"{BULLET}(?:\d+[.)]\s*)?response\s*(?:no\.?|number|\#)?\s*[\[(]?(?P<index>\d{{1,4}})[\])]?[ \t*_`]*"
    rf"(?:[:：.)]|[-–—](?=\s)|$|(?=[\s(]*(?:rating|score)\b))",
    FLAGS,
)
NOT_APPLICABLE = pattern(rf"(?:{EN.not_applicable})(?!\w)", re.IGNORECASE)
NUMBER = pattern(r"[-−+]?\d+(?:[.．٫]\d+|,\d{1,2}(?!\d))?")
OTHER_SCALE = pattern(r"[\s*_`]*(?:[/／]|out\s+of)\s*(\d+(?:[.,]\d+)?)", re.IGNORECASE)
NO_ONE_NUMBER = pattern(
    r"\w|%|[.,]\d|[-–—~]\d|\s+(?:to|or)\s+\d|\s+[-–—~]\s+\d+(?:[.,]\d+)?[ \t]*(?:$|\n)", re.IGNORECASE
)
VALUE_ENDS = pattern(r"[ \t*_`)\]\"'）】」]*(?:[-–—:：.,;|(（。，；、]|\n|$)")
REASON = pattern(rf"{BULLET}(?:{EN.reason})\b[*_`]*\s*[:：-][\s*_`]*", FLAGS)
LEADS = " \t\r\n*_`)]\"'.,;:：|/-–—。，；、）】」"


class Verdict(NamedTuple):
    """What a judge says of one response: a rating of 1 to 5 or None for N/A, and why."""

    rating: float | None
    rationale: str


def overall_of(text: str, highest: int = HIGHEST) -> Verdict:
    """The one rating in a judge's answer, with its rationale. Raises Unusable (rating_*).

    `highest`: of the scale that was asked for; the lowest is 1. The rating is mapped onto 1 to 5.
    """
    said = rating_of(text, highest)
    if said.rating is None or highest == HIGHEST:
        return said
    return said._replace(rating=LOWEST + (said.rating - LOWEST) * (HIGHEST - LOWEST) / (highest - LOWEST))


def rating_of(text: str, highest: int = HIGHEST) -> Verdict:
    """The same on the scale that was asked for."""
    return _verdict_in(_bare(text), highest)


def ratings_of(text: str, count: int, highest: int = HIGHEST) -> list[Verdict]:
    """The ratings of `count` responses in the order of their labels 1 to `count`. Raises Unusable (rating_, index_).

    `highest`: of the scale that was asked for; the ratings stay on it.
    """
    verdicts: dict[int, Verdict] = {}
    for index, part in _parts(_bare(text)):
        if not 1 <= index <= count:
            raise Unusable("index_unknown", f"response {index} of {count}")
        if index in verdicts:
            raise Unusable("index_repeated", f"response {index} is rated twice")
        verdicts[index] = _verdict_first(part, highest) or _verdict_in(part, highest)
    if missing := [index for index in range(1, count + 1) if index not in verdicts]:
        raise Unusable("index_missing", f"no rating of response {missing[0]}")
    return [verdicts[index] for index in range(1, count + 1)]


def rating_at(text: str, highest: int = HIGHEST) -> tuple[float | None, str]:
    """The rating that a text starts with, and the rest. Raises Unusable (rating_unclear, rating_out_of_range)."""
    if found := NOT_APPLICABLE.match(text) or other.NOT_APPLICABLE.match(text):
        return None, text[found.end() :]
    if (before := other.SCALE_BEFORE.match(text)) and _is_scale(other.scale_in(before), highest, text):
        text = text[before.end() :]
    number = NUMBER.match(text)
    if number is None:
        raise Unusable("rating_unclear", f"not a number: {text[:40]!r}")
    value, after = float(re.sub("[,．٫]", ".", number[0].replace("−", "-"))), text[number.end() :]
    rest = _without_scale(_without_points(after), highest, text)
    if NO_ONE_NUMBER.match(rest) or other.A_RANGE.match(rest):
        raise Unusable("rating_unclear", f"not one number: {text[:40]!r}")
    if not LOWEST <= value <= highest:
        raise Unusable("rating_out_of_range", f"{value:g} is not {LOWEST} to {highest}")
    return value, rest


def _without_points(text: str) -> str:
    return text[found.end() :] if (found := other.POINTS.match(text)) else text


def _without_scale(rest: str, highest: int, text: str) -> str:
    """What comes after the scale that stands behind a rating."""
    scale = OTHER_SCALE.match(rest) or other.SCALE_AFTER.match(rest)
    if scale and _is_scale(other.scale_in(scale), highest, text):
        return _without_points(rest[scale.end() :])
    return rest


def _is_scale(told: float, highest: int, text: str) -> bool:
    """True; raises Unusable (rating_out_of_range) for another scale than the one that was asked for."""
    if told != highest:
        raise Unusable("rating_out_of_range", f"another scale: {text[:40]!r}")
    return True


def _bare(text: str) -> str:
    """Without a thinking block before it and special tokens after it, and as lines where it is JSON or a table."""
    text = KNOWN.parse(text).text.rstrip()
    while text.endswith(">") and ENDING.fullmatch(text, max(0, text.rfind("<"))):
        text = text[: text.rfind("<")].rstrip()
    text = as_lines(text)
    is_english = any(label.search(text) for label in (INDEX, LABEL_ON_ITS_LINE, LABEL_ANYWHERE))
    return text if is_english else nfc(text)


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """Each index label, and what stands between it and the next. What stands before the first is a preamble."""
    labels = [(int(label["index"]), label) for label in INDEX.finditer(text)]
    labels = labels or [(other.index_of(label), label) for label in other.RESPONSE_LABEL.finditer(text)]
    for position, (index, label) in enumerate(labels):
        end = labels[position + 1][1].start() if position + 1 < len(labels) else len(text)
        yield index, text[label.end() : end]


def _verdict_first(part: str, highest: int) -> Verdict | None:
    """The rating right after an index label, None where something else stands there."""
    if label := LABEL_FIRST.match(part) or other.FIRST.match(part):
        value, rest = rating_at(part[label.end() :], highest)
        return Verdict(value, _rationale("", rest))
    start = part.lstrip(" \t\r\n*_`\"'[(")
    if not any(value.match(start) for value in (NUMBER, NOT_APPLICABLE, other.NOT_APPLICABLE)):
        return None
    try:
        value, rest = rating_at(start, highest)
    except Unusable as unclear:
        if unclear.reason == "rating_unclear":
            return None
        raise
    return Verdict(value, _rationale("", rest)) if VALUE_ENDS.match(rest) else None


def _verdict_in(text: str, highest: int = HIGHEST) -> Verdict:
    """The rating after its label, wherever that stands: on a line of its own, else within one."""
    patterns = (LABEL_ON_ITS_LINE, LABEL_ANYWHERE, other.ON_ITS_LINE, other.WITHIN_A_LINE)
    labels: list[re.Match[str]] = next(filter(None, (list(pattern.finditer(text)) for pattern in patterns)), [])
    if not labels:
        raise Unusable("rating_missing", "no line says Rating")
    found = [rating_at(text[label.end() :], highest) for label in labels]
    if len({value for value, _ in found}) > 1:
        raise Unusable("rating_repeated", f"{len(found)} ratings that differ")
    ends = [*(label.start() for label in labels[1:]), len(text)]
    after = [rest[: len(rest) + end - len(text)] for (_, rest), end in zip(found, ends, strict=True)]
    return Verdict(found[0][0], _rationale(text[: labels[0].start()], *after))


def _rationale(before: str, *after: str) -> str:
    """The reason, after the kinds that the judge has found: what stands after its label, else all that is not the rating."""
    said = "\n".join([before.strip(), *(part.lstrip(LEADS) for part in after)])
    kinds = other.ERROR_KINDS.search(said)
    if label := REASON.search(said) or other.REASON.search(said):
        said = said[label.end() :]
        if kinds and kinds.end() <= label.start() and not other.NONE.fullmatch(kinds["kinds"].strip(" *_`.。")):
            said = f"{'Errors' if kinds['errors'] else 'Merits'}: {kinds['kinds'].strip(' *_`')}\n{said}"
    return said.strip(" \t\r\n*_`")
