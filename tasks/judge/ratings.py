"""Ratings read out of what a judge wrote: by label, on the scale of 1 to 5, or not at all.

    overall_of("Rating: 4.5\\nReason: clear")                           # Verdict(4.5, "clear")
    ratings_of("Response 1: rating 4 - good\\nResponse 2: N/A", 2)      # [Verdict(4.0, "good"), Verdict(None, "")]

Nothing is guessed: no label, two values, a value off the scale or on another one, an index missing, repeated or
unknown is `Unusable`, so that the judge is asked again. The words Response, Rating, Score and Reason belong to the
format: prompts in other languages keep them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tasks.errors import Unusable
from tasks.models.answers.families import KNOWN

LOWEST, HIGHEST = 1, 5
MARKS = r"[\s*_`\"'>#\[(]*"  # markdown and brackets that judges put around labels and values
BULLET = r"^[ \t>*_`#•-]*"
WORD = r"(?:(?:overall|final|my|the)\s+){0,2}(?:rating|score)\b(?:\s*\(1\s*(?:[-–—]|to)\s*5\))?"
SEPARATOR = r"(?:[:：=]|is\b|of\b|[-–—](?=\s))"
FLAGS = re.IGNORECASE | re.MULTILINE

ENDING = re.compile(r"</s>|<\|[^|<>\s]+\|>|<end_of_turn>|<eos>")
LABEL_ON_ITS_LINE = re.compile(rf"{BULLET}{WORD}{MARKS}(?:{SEPARATOR}{MARKS}|(?=\d|N/?A\b))", FLAGS)
LABEL_ANYWHERE = re.compile(rf"\b{WORD}[*_`]*\s*[:：]{MARKS}", FLAGS)
LABEL_FIRST = re.compile(rf"{MARKS}{WORD}{MARKS}(?:{SEPARATOR}{MARKS})?", FLAGS)
INDEX = re.compile(
    rf"{BULLET}(?:\d+[.)]\s*)?response\s*(?:no\.?|number|\#)?\s*[\[(]?(?P<index>\d{{1,4}})[\])]?[ \t*_`]*"
    rf"(?:[:：.)]|[-–—](?=\s)|$|(?=[\s(]*(?:rating|score)\b))",
    FLAGS,
)
NOT_APPLICABLE = re.compile(r"(?:n\s*/\s*a|n\.a\.?|na|not applicable)(?!\w)", re.IGNORECASE)
NUMBER = re.compile(r"[-−+]?\d+(?:[.٫]\d+|,\d{1,2}(?!\d))?")
OTHER_SCALE = re.compile(r"[\s*_`]*(?:/|out\s+of)\s*(\d+(?:[.,]\d+)?)", re.IGNORECASE)
NO_ONE_NUMBER = re.compile(
    r"\w|%|[.,]\d|[-–—~]\d|\s+(?:to|or)\s+\d|\s+[-–—~]\s+\d+(?:[.,]\d+)?[ \t]*(?:$|\n)", re.IGNORECASE
)
VALUE_ENDS = re.compile(r"[ \t*_`)\]\"']*(?:[-–—:：.,;|(]|\n|$)")
REASON = re.compile(
    rf"{BULLET}(?:reason|rationale|explanation|feedback|critique|justification)\b[*_`]*\s*[:：-][\s*_`]*", FLAGS
)
LEADS = " \t\r\n*_`)]\"'.,;:：|/-–—"


class Verdict(NamedTuple):
    """What a judge says of one response: a rating of 1 to 5 or None for N/A, and why."""

    rating: float | None
    rationale: str


def overall_of(text: str) -> Verdict:
    """The one rating in a judge's answer, with its rationale. Raises Unusable (rating_*)."""
    return _verdict_in(_bare(text))


def ratings_of(text: str, count: int) -> list[Verdict]:
    """The ratings of `count` responses in the order of their labels 1 to `count`. Raises Unusable (rating_, index_)."""
    verdicts: dict[int, Verdict] = {}
    for index, part in _parts(_bare(text)):
        if not 1 <= index <= count:
            raise Unusable("index_unknown", f"response {index} of {count}")
        if index in verdicts:
            raise Unusable("index_repeated", f"response {index} is rated twice")
        verdicts[index] = _verdict_first(part) or _verdict_in(part)
    if missing := [index for index in range(1, count + 1) if index not in verdicts]:
        raise Unusable("index_missing", f"no rating of response {missing[0]}")
    return [verdicts[index] for index in range(1, count + 1)]


def rating_at(text: str) -> tuple[float | None, str]:
    """The rating that a text starts with, and the rest. Raises Unusable (rating_unclear, rating_out_of_range)."""
    if found := NOT_APPLICABLE.match(text):
        return None, text[found.end() :]
    number = NUMBER.match(text)
    if number is None:
        raise Unusable("rating_unclear", f"not a number: {text[:40]!r}")
    value, rest = float(re.sub("[,٫]", ".", number[0].replace("−", "-"))), text[number.end() :]
    if scale := OTHER_SCALE.match(rest):
        if float(scale[1].replace(",", ".")) != HIGHEST:
            raise Unusable("rating_out_of_range", f"another scale: {text[:40]!r}")
        rest = rest[scale.end() :]
    if NO_ONE_NUMBER.match(rest):
        raise Unusable("rating_unclear", f"not one number: {text[:40]!r}")
    if not LOWEST <= value <= HIGHEST:
        raise Unusable("rating_out_of_range", f"{value:g} is not {LOWEST} to {HIGHEST}")
    return value, rest


def _bare(text: str) -> str:
    """Without a thinking block before it and special tokens after it."""
    text = KNOWN.parse(text).text.rstrip()
    while text.endswith(">") and ENDING.fullmatch(text, max(0, text.rfind("<"))):
        text = text[: text.rfind("<")].rstrip()
    return text


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """Each index label, and what stands between it and the next. What stands before the first is a preamble."""
    labels = list(INDEX.finditer(text))
    for position, label in enumerate(labels):
        end = labels[position + 1].start() if position + 1 < len(labels) else len(text)
        yield int(label["index"]), text[label.end() : end]


def _verdict_first(part: str) -> Verdict | None:
    """The rating right after an index label, None where something else stands there."""
    if label := LABEL_FIRST.match(part):
        value, rest = rating_at(part[label.end() :])
        return Verdict(value, _rationale("", rest))
    start = part.lstrip(" \t\r\n*_`\"'[(")
    if not (NUMBER.match(start) or NOT_APPLICABLE.match(start)):
        return None
    try:
        value, rest = rating_at(start)
    except Unusable as unclear:
        if unclear.reason == "rating_unclear":
            return None
        raise
    return Verdict(value, _rationale("", rest)) if VALUE_ENDS.match(rest) else None


def _verdict_in(text: str) -> Verdict:
    """The rating after its label, wherever that stands: on a line of its own, else within one."""
    labels = list(LABEL_ON_ITS_LINE.finditer(text)) or list(LABEL_ANYWHERE.finditer(text))
    if not labels:
        raise Unusable("rating_missing", "no line says Rating")
    found = [rating_at(text[label.end() :]) for label in labels]
    if len({value for value, _ in found}) > 1:
        raise Unusable("rating_repeated", f"{len(found)} ratings that differ")
    ends = [*(label.start() for label in labels[1:]), len(text)]
    after = [rest[: len(rest) + end - len(text)] for (_, rest), end in zip(found, ends, strict=True)]
    return Verdict(found[0][0], _rationale(text[: labels[0].start()], *after))


def _rationale(before: str, *after: str) -> str:
    """The reason: after its label, else all that is not the rating."""
    said = "\n".join([before.strip(), *(part.lstrip(LEADS) for part in after)])
    if label := REASON.search(said):
        said = said[label.end() :]
    return said.strip(" \t\r\n*_`")
