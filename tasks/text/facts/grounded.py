"""An answer with the quotations that it rests on, and a verdict whether a question can be answered: read in four languages.

grounded_of('Answer: It takes 75 minutes.\\nEvidence: "takes 75 minutes"')    # Grounded("It takes 75 minutes.", ("takes 75 minutes",))
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tasks.errors import Unusable
from tasks.patterns import pattern
from tasks.text.languages import EVERY, either
from tasks.text.languages.en import EN
from tasks.text.verdicts.yes_no import said_yes
from tasks.text.words import nfc, words

FLAGS = re.IGNORECASE | re.MULTILINE
START = r"^[ \t>*_`#•・【「-]*(?:\d+[.)、．][ \t]*)?"
END = r"(?:[ \t]*[#＃]?\d+)?[*_`】」]*[ \t]*[:：][ \t*_`]*"
EVIDENCE = pattern(rf"{START}(?:{either('evidence', EVERY)}){END}", FLAGS)
ANSWER = pattern(rf"\A[\s>*_`#【「-]*(?:answer|response|{either('answer')}){END}", FLAGS)
NONE = pattern(rf"[\W_]*(?:n/?a|{either('none', EVERY)})?[\W_]*", re.IGNORECASE)
NOT_STATED = pattern(either("not_stated", EVERY), re.IGNORECASE)
QUOTED = pattern(
    "|".join(
        f"{re.escape(left)}(.+?){re.escape(right)}(?=[\\s,;、，；.。]*(?:[{re.escape(left)}]|$))"
        for left, right in dict.fromkeys(quotes for language in EVERY for quotes in language.quotes)
        if left != "'"
    ),
    re.DOTALL,
)
VERDICT = pattern(rf"{START}(?:answerable|verdict|{either('met_label', EVERY)}){END}", FLAGS)


class Grounded(NamedTuple):
    """An answer, and what it quotes; nothing where it says that the passage does not tell."""

    answer: str
    quotes: tuple[str, ...]


def grounded_of(completion: str) -> Grounded:
    """The answer and the quotations in a completion. Raises Unusable (empty, no_evidence: it has no such line)."""
    text = nfc(completion).strip()
    if not text:
        raise Unusable("empty")
    lines = list(EVIDENCE.finditer(text))
    if not lines:
        raise Unusable("no_evidence", "no line of evidence")
    answer = ANSWER.sub("", text[: lines[0].start()]).strip().strip("*_").strip()
    if not words(answer):
        raise Unusable("empty", "evidence without an answer")
    ends = [*(line.start() for line in lines[1:]), len(text)]
    said = [text[line.end() : end].strip() for line, end in zip(lines, ends, strict=True)]
    return Grounded(answer, tuple(quote for one in said if not NONE.fullmatch(one) for quote in quotes_in(one)))


def quotes_in(text: str) -> list[str]:
    """What stands in quotation marks; all of it where nothing does, or where marks stand inside."""
    text = text.strip()
    found = [next(filter(None, match.groups())) for match in QUOTED.finditer(text)]
    covered = sum(len(words(one)) for one in found)
    return found if found and covered == len(words(text)) else [text]


def says_not_stated(answer: str) -> bool:
    """Whether an answer says that what is asked is not told."""
    return NOT_STATED.search(nfc(answer)) is not None


def answerable_of(completion: str) -> bool:
    """The verdict that stands last in a completion. Raises Unusable (no_verdict)."""
    text = nfc(completion).strip()
    labels = list(VERDICT.finditer(text))
    verdict = text[labels[-1].end() :] if labels else text.splitlines()[-1] if text else ""
    said = words(verdict)
    if said and said[0] in (EN.yes, EN.no):
        return said[0] == EN.yes
    if (yes := said_yes(verdict)) is None:
        raise Unusable("no_verdict")
    return yes
