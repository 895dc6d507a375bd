"""A checklist for the responses to one instruction, as judges write it, and which of its entries they find met.

    rubric_of("1. [essential] It names three fruits.\\n2. [pitfall] It names a grape.")     # two entries
    checks_of("Criterion 1\\nReason: it does\\nMet: yes", 1)                                # [EntryCheck(True, "it does")]

Lines with labels or JSON, in any of our languages. Nothing is guessed: an entry without a kind, a check that is neither yes
nor no, one that is missing or said twice are `Unusable`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from tasks.errors import Unusable
from tasks.models.answers.families import KNOWN
from tasks.patterns import pattern
from tasks.text.languages import EVERY, either
from tasks.text.reading.json_text import json_in
from tasks.text.words import nfc

KINDS = ("essential", "important", "optional", "pitfall")
MOST_ENTRIES = 30
FLAGS = re.IGNORECASE | re.MULTILINE
START = r"[ \t>*_`#•・-]*(?:\d{1,2}[.)、．:：][ \t]*)?[*_`]*"
MARKS = " \t\r\n*_`\"'“”「」"
HEADS = pattern(
    rf"^[ \t>*_`#•・【「-]*(?:\d{{1,2}}[.)、．][ \t]*)?(?:{either('criterion', EVERY)})"
    r"[ \t]?[#＃]?[ \t]?[\[(（]?(\d{1,2})(?:[\])）】」])?[^\n]*?$",
    FLAGS,
)
MET = pattern(rf"^[ \t>*_`#•・【「-]*(?:{either('met_label', EVERY)})[*_`】」]*[ \t]*(?:[:：=]|[-–—](?=[ \t]))", FLAGS)
REASON = pattern(rf"^[ \t>*_`#•・【「-]*(?:{either('reason', EVERY)})[*_`】」]*[ \t]*[:：][ \t*_]*", FLAGS)
SAID = pattern(
    rf"[\s*_`\"'(（「【]*(?:(?P<no>false|{either('no', EVERY)})|(?P<yes>true|{either('yes', EVERY)}))"
    r"(?=[ \t*_`\"')）」】]*(?:[^\w\s]|$))",
    FLAGS,
)


class RubricEntry(NamedTuple):
    """One statement about a response: its kind, one of KINDS, and what is to be seen."""

    kind: str
    text: str

    def __str__(self) -> str:
        return f"[{self.kind}] {self.text}"


class EntryCheck(NamedTuple):
    """Whether a response meets an entry, and why."""

    met: bool
    reason: str


def rubric_of(text: str) -> tuple[RubricEntry, ...]:
    """The entries of a checklist, each once, in order. Raises Unusable (rubric_empty, rubric_long, rubric_unclear).

    One without any entry that a response can gain by is rubric_empty too.
    """
    text = _answer(text)
    told = list(_entries_of_json(text) or _entries_of_lines(text))
    if unclear := next((said for kind, said in told if kind is None), None):
        raise Unusable("rubric_unclear", f"an entry of no kind: {unclear[:60]!r}")
    entries = tuple(dict.fromkeys(RubricEntry(kind, said) for kind, said in told if kind and said))
    if not any(entry.kind != "pitfall" for entry in entries):
        raise Unusable("rubric_empty", "no entry that a response can gain by")
    if len(entries) > MOST_ENTRIES:
        raise Unusable("rubric_long", f"{len(entries)} entries, at most {MOST_ENTRIES}")
    return entries


def checks_of(text: str, count: int) -> list[EntryCheck]:
    """A verdict on each of `count` entries, in their order. Raises Unusable (index_, check_missing, check_unclear)."""
    text = _answer(text)
    checks: dict[int, EntryCheck] = {}
    for index, check in _checks_of_json(text) or _checks_of_lines(text):
        if not 1 <= index <= count:
            raise Unusable("index_unknown", f"criterion {index} of {count}")
        if index in checks:
            raise Unusable("index_repeated", f"criterion {index} is checked twice")
        checks[index] = check
    if missing := next((index for index in range(1, count + 1) if index not in checks), None):
        raise Unusable("index_missing", f"no verdict on criterion {missing}")
    return [checks[index] for index in range(1, count + 1)]


def _answer(text: str) -> str:
    return nfc(KNOWN.parse(text).text).replace("\r\n", "\n")


def _entries_of_json(text: str) -> list[tuple[str | None, str]]:
    value = json_in(text)
    if isinstance(value, dict):
        value = next((one for one in value.values() if isinstance(one, list)), None)
    if not isinstance(value, list) or not all(isinstance(one, dict) and len(one) >= 2 for one in value):
        return []
    return [_entry(one) for one in value]


def _entry(record: dict[str, Any]) -> tuple[str | None, str]:
    """The kind is the value that names one, the statement the longest of the others."""
    values = [str(value).strip() for value in record.values()]
    kind = next((kind for value in values if (kind := _kind_in(value))), None)
    return kind, max((value for value in values if _kind_in(value) is None), key=len, default="")


def _entries_of_lines(text: str) -> Iterator[tuple[str | None, str]]:
    """Each line that has a kind, and numbered ones that have none. Lines between them that have neither are no entries."""
    for line in text.splitlines():
        if found := _line_with_kind().match(line):
            said = line[found.end() :].strip(MARKS)
            kind = next(kind for kind, pattern in _kinds() if pattern.fullmatch(found["kind"] or found["plain"]))
            yield kind, said
        elif re.match(r"[ \t*_]*\d{1,2}[.)、．][ \t]*\S", line):
            yield None, line.strip()


def _kind_in(value: str) -> str | None:
    return next((kind for kind, pattern in _kinds() if pattern.fullmatch(value.strip(MARKS + "[]【】()（）"))), None)


@cache
def _kinds() -> tuple[tuple[str, re.Pattern[str]], ...]:
    each = zip(*(language.rubric_kinds for language in EVERY), strict=True)
    return tuple((kind, re.compile("|".join(words), re.IGNORECASE)) for kind, words in zip(KINDS, each, strict=True))


@cache
def _line_with_kind() -> re.Pattern[str]:
    words = "|".join(pattern.pattern for _, pattern in _kinds())
    return re.compile(
        rf"{START}(?:[\[【(（][ \t]*(?P<kind>{words})[ \t]*(?:[(（][^)）]*[)）])?[ \t]*[\]】)）][*_`]*[ \t]*[:：-]?"
        rf"|(?P<plain>{words})[*_`]*[ \t]*[:：][*_`]*)[ \t]*",
        re.IGNORECASE,
    )


def _checks_of_json(text: str) -> list[tuple[int, EntryCheck]]:
    value = json_in(text)
    if isinstance(value, list):
        return [(number, _check_in(one)) for number, one in enumerate(value, 1)]
    if not isinstance(value, dict):
        return []
    numbered = [(re.search(r"\d+", name), one) for name, one in value.items()]
    return [(int(found[0]), _check_in(one)) for found, one in numbered if found]


def _check_in(value: Any) -> EntryCheck:
    """The verdict in a value of JSON: a word, or an object with a word and a reason."""
    if not isinstance(value, dict):
        return EntryCheck(_met(str(value)), "")
    words = {name: str(one) for name, one in value.items() if not isinstance(one, int) or isinstance(one, bool)}
    verdict = next(
        (name for name, one in words.items() if SAID.fullmatch(one.strip() + ".") or SAID.fullmatch(one)), None
    )
    if verdict is None:
        raise Unusable("check_missing", f"neither yes nor no: {str(value)[:60]}")
    reasons = [one for name, one in words.items() if name != verdict]
    return EntryCheck(_met(words[verdict]), max(reasons, key=len, default=""))


def _checks_of_lines(text: str) -> Iterator[tuple[int, EntryCheck]]:
    heads = list(HEADS.finditer(text))
    ends = [*(head.start() for head in heads[1:]), len(text)]
    for head, end in zip(heads, ends, strict=False):  # without a head there is one end
        yield int(head[1]), _check_of(head[0], text[head.end() : end])


def _check_of(head: str, block: str) -> EntryCheck:
    """The verdict of a block: behind its label, else what ends its head ("Criterion 1: yes")."""
    labels = list(MET.finditer(block))
    if not labels:
        behind = re.split(r"[:：]|[-–—](?=[ \t])", head, maxsplit=1)
        if len(behind) == 2 and SAID.match(behind[1]):
            return EntryCheck(_met(behind[1]), _reason(block))
        if SAID.match(block):
            return EntryCheck(_met(block), _reason(block[SAID.match(block).end() :]))  # type: ignore[union-attr]
        raise Unusable("check_missing", f"no line says yes or no: {block.strip()[:60]!r}")
    verdicts = {_met(block[label.end() :]) for label in labels}
    if len(verdicts) > 1:
        raise Unusable("check_unclear", "yes and no of one criterion")
    return EntryCheck(verdicts.pop(), _reason(block[: labels[0].start()] or block[labels[0].end() :]))


def _met(text: str) -> bool:
    found = SAID.match(text)
    if found is None:
        raise Unusable("check_unclear", f"neither yes nor no: {text.strip()[:40]!r}")
    return found["no"] is None


def _reason(block: str) -> str:
    label = REASON.search(block)
    return (block[label.end() :] if label else block).strip(MARKS + "-–—:：,，.。")


def rubric_schema() -> dict[str, Any]:
    """The JSON schema of a list of entries."""
    entry = {
        "type": "object",
        "properties": {"kind": {"type": "string", "enum": list(KINDS)}, "text": {"type": "string"}},
        "required": ["kind", "text"],
        "additionalProperties": False,
    }
    return {"type": "array", "items": entry}


def rubric_lines(rubric: Sequence[RubricEntry], checks: Sequence[EntryCheck]) -> str:
    """What was found of each entry, a line each."""
    each = zip(rubric, checks, strict=True)
    return "\n".join(
        f"{'yes' if check.met else 'no'} - {entry}{f': {check.reason}' if check.reason else ''}"
        for entry, check in each
    )
