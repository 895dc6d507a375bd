"""Scores of several texts, or of one text by several criteria, read by their labels as ratings are.

    ranks_of("Instruction 1: 3\\nInstruction 2: 5", 2)                                # [3.0, 5.0]
    criteria_of("Criterion 1\\nReason: it is so\\nRating: 4", ["correct"])             # {"correct": Verdict(4.0, "it is so")}

Labels may be numbers alone, or the names of the criteria. As with ratings nothing is guessed, and what is missing, repeated
or off the scale is `Unusable`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tasks.errors import Unusable
from tasks.models.answers.families import KNOWN
from tasks.patterns import pattern
from tasks.text.languages import EVERY, either
from tasks.text.reading.json_text import json_in
from tasks.text.verdicts.ratings import HIGHEST, Verdict, ratings_of
from tasks.text.words import nfc

HIGHEST_RANK = 6
FLAGS = re.IGNORECASE | re.MULTILINE
START = r"^[ \t>*_`#•・【「<-]*(?:\d+[.)、．][ \t]*)?"
NUMBER = r"[ \t]?[#＃]?[ \t]?[\[(（]?(\d{1,4})(?:[\])）】」]|[ \t]?[条條题題个個]|番)?"
VARIANT, CRITERION = (
    pattern(rf"{START}(?:{either(field, EVERY)}|{either('response', EVERY)}|response){NUMBER}", FLAGS)
    for field in ("variant", "criterion")
)
KEY = pattern(rf'"(?:{either("variant", EVERY)}|{either("criterion", EVERY)})[_ ]?(\d*)"(?=\s*[:：])', re.IGNORECASE)
BARE = pattern(r"^[ \t>*_`#-]*[\[(（【]?(\d{1,3})[\])）】]?[.:：、)）]?[*_`]*[ \t]*(?=[\[(]?\d|\D)", FLAGS)
LABELLED = pattern(r"^\W*response \d|\"response", FLAGS)


def ranks_of(text: str, count: int) -> list[float]:
    """The scores of 1 to 6 of `count` texts, in the order of their numbers. Raises Unusable (rating_, index_)."""
    text = _answer(text)
    if (listed := _list(text)) is not None:
        if len(listed) != count:
            raise Unusable("index_missing", f"{len(listed)} scores of {count}")
        text = "\n".join(f"Response {number}: {value}" for number, value in enumerate(listed, 1))
    verdicts = ratings_of(_relabelled(text, VARIANT), count, HIGHEST_RANK)
    return [_score(verdict) for verdict in verdicts]


def criteria_of(text: str, names: Sequence[str], highest: int = HIGHEST) -> dict[str, Verdict]:
    """A verdict by each of the criteria, on the scale of 1 to `highest`. Raises Unusable (rating_, index_)."""
    numbered = _relabelled(_by_number(_answer(text), names), CRITERION)
    return dict(zip(names, ratings_of(numbered, len(names), highest), strict=True))


def _answer(text: str) -> str:
    return nfc(KNOWN.parse(text).text).replace("\r\n", "\n")


def _relabelled(text: str, label: re.Pattern[str]) -> str:
    """The text with each label as that of a response, which ratings are read by; bare numbers where there is no label."""
    text = KEY.sub(r'"response\1"', label.sub(r"Response \1", text))
    return text if LABELLED.search(text) else BARE.sub(r"Response \1: ", text)


def _by_number(text: str, names: Sequence[str]) -> str:
    """The text with the names of criteria as their numbers, where a name is a label or a key."""
    if CRITERION.search(text):
        return text
    for number, name in enumerate(names, 1):
        said = re.escape(nfc(name)).replace(r"\ ", r"[ _]")
        text = re.sub(rf'"{said}"(?=\s*:)', f'"response {number}"', text, flags=re.IGNORECASE)
        text = re.sub(
            rf"{START}{said}(?!\w)[*_`】」]*(?=[ \t]*(?:[:：(（|]|[-–—][ \t]|$))",
            f"Response {number}",
            text,
            flags=FLAGS,
        )
    return text


def _list(text: str) -> list[object] | None:
    """The values of a JSON list that holds nothing but values."""
    value = json_in(text)
    is_plain = isinstance(value, list) and not any(isinstance(one, list | dict) for one in value)
    return value if is_plain else None


def _score(verdict: Verdict) -> float:
    if verdict.rating is None:
        raise Unusable("rating_missing", "not applicable is no score")
    return verdict.rating
