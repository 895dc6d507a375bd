"""Magpie's tags of an instruction as judges write them: how difficult, how well put, which kind of task.

    difficulty_of("Intent: to cook\\nKnowledge: heat\\nDifficulty: easy")     # Difficulty("to cook", "heat", "easy")
    category_of('{"primary_tag": "Math", "other_tags": ["Reasoning"]}')     # TaskCategory("math", ("reasoning",))

Lines with labels or JSON, in any of our languages. Nothing is guessed: no grade, two of them, or one that there is not is
`Unusable`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple, get_args

from tasks.errors import Unusable
from tasks.models.answers.families import KNOWN
from tasks.text.categories import Category
from tasks.text.languages import EVERY, either
from tasks.text.reading.json_text import json_in
from tasks.text.words import nfc

DIFFICULTIES = ("very easy", "easy", "medium", "hard", "very hard")
QUALITIES = ("very poor", "poor", "average", "good", "excellent")
CATEGORIES: tuple[str, ...] = get_args(Category)
MOST_OTHERS = 2
FLAGS = re.IGNORECASE | re.MULTILINE
MARKS = " \t\r\n*_`\"'“”「」『』【】[]()（）<>#"
AFTER_WORD = r"(?![\w])|(?=[（(])"
NONE = re.compile(rf"(?:none|n/?a|no|{either('none', EVERY)}|无|無|なし|没有)\W*", re.IGNORECASE)
BETWEEN = re.compile(r"[,，、;；/|\n]|\s+(?:and|và)\s+")


class Difficulty(NamedTuple):
    """What a user wants, what an answer takes, and the grade: one of DIFFICULTIES."""

    intent: str
    knowledge: str
    grade: str


class InputQuality(NamedTuple):
    """How well an input is put: why, and one of QUALITIES."""

    explanation: str
    grade: str


class TaskCategory(NamedTuple):
    """The category that fits best, and at most two that fit as well: of CATEGORIES."""

    category: str
    others: tuple[str, ...] = ()


def difficulty_of(text: str) -> Difficulty:
    """How difficult an instruction is. Raises Unusable (tag_missing, tag_unclear, tag_repeated)."""
    said = _fields(text, ("difficulty_label", "intent_label", "knowledge_label"))
    grade = _one_of("difficulties", DIFFICULTIES, said["difficulty_label"], text)
    return Difficulty(_first(said["intent_label"]), _first(said["knowledge_label"]), grade)


def quality_of(text: str) -> InputQuality:
    """How well an instruction is put. Raises Unusable, likewise."""
    said = _fields(text, ("quality_label", "reason"))
    return InputQuality(_first(said["reason"]), _one_of("qualities", QUALITIES, said["quality_label"], text))


def category_of(text: str) -> TaskCategory:
    """Which kind of task an instruction is. Raises Unusable, likewise; others that there are not are left out."""
    said = _fields(text, ("others_label", "category_label"))
    category = _one_of("categories", CATEGORIES, said["category_label"], text)
    named = [] if NONE.fullmatch(told := _first(said["others_label"])) else BETWEEN.split(told)
    found = (_value("categories", CATEGORIES, one.strip(MARKS + "-•・")) for one in named)
    others = dict.fromkeys(one[0] for one in found if one is not None and one[0] != category)
    return TaskCategory(category, tuple(others)[:MOST_OTHERS])


def _fields(text: str, names: Sequence[str]) -> dict[str, list[str]]:
    """What stands behind each label: in JSON, else on lines. A label counts for the first of `names` that it fits."""
    answer = nfc(KNOWN.parse(text).text).replace("\r\n", "\n")
    said: dict[str, list[str]] = {name: [] for name in names}
    for label, value in _of_json(answer) or _of_lines(answer, tuple(names)):
        name = next((name for name in names if _label(name).fullmatch(label.strip(MARKS))), None)
        if name is not None:
            said[name].append(value.strip(MARKS))
    return said


def _of_json(text: str) -> list[tuple[str, str]]:
    value = json_in(text, text[text.find("{") : text.rfind("}") + 1])
    return [(name, _told(told)) for name, told in value.items()] if isinstance(value, dict) else []


def _told(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)


def _of_lines(text: str, names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Each label with what stands between it and the next one."""
    found = list(_any_label(names).finditer(text))
    ends = [*(label.start() for label in found[1:]), len(text)]
    return [(label["label"], text[label.end() : end]) for label, end in zip(found, ends, strict=False)]


@cache
def _any_label(names: tuple[str, ...]) -> re.Pattern[str]:
    labels = "|".join(either(name, EVERY) for name in names)
    return re.compile(
        rf"^[ \t>*_`#•・【「|\"-]*(?:\d[.)、][ \t]*)?(?P<label>{labels})[*_`】」\"]*[ \t]*(?:[:：|]|[-–—](?=[ \t])|$)",
        FLAGS,
    )


@cache
def _label(name: str) -> re.Pattern[str]:
    return re.compile(either(name, EVERY), re.IGNORECASE)


def _first(told: Sequence[str]) -> str:
    return told[0] if told else ""


def _one_of(field: str, values: Sequence[str], told: Sequence[str], text: str) -> str:
    """The one value that is told, or that is all there is."""
    if not told:
        alone = nfc(KNOWN.parse(text).text).strip(MARKS + ".。")
        told = [alone] if (value := _value(field, values, alone)) and not value[1].strip(MARKS + ".。!！") else []
    if not told:
        raise Unusable("tag_missing", "no line says it")
    found = [value for one in told if (value := _value(field, values, one)) and not _goes_on(field, value[1])]
    if len(found) < len(told):
        raise Unusable("tag_unclear", f"not one of {', '.join(values)}: {told[0][:40]!r}")
    if len({value for value, _ in found}) > 1:
        raise Unusable("tag_repeated", f"{len(found)} that differ")
    return found[0][0]


def _value(field: str, values: Sequence[str], told: str) -> tuple[str, str] | None:
    """The value that a text begins with, and the rest; the longest where several fit."""
    matches = ((one.match(told), value) for one, value in zip(_patterns(field), values, strict=True))
    found = [(match.end(), value) for match, value in matches if match]
    if not found:
        return None
    end, value = max(found)
    return value, told[end:]


@cache
def _patterns(field: str) -> tuple[re.Pattern[str], ...]:
    each = zip(*(getattr(language, field) for language in EVERY), strict=True)
    return tuple(re.compile(rf"(?:{'|'.join(one)})(?:{AFTER_WORD})", re.IGNORECASE) for one in each)


@cache
def _another(field: str) -> re.Pattern[str]:
    grades = "|".join(pattern for language in EVERY for pattern in getattr(language, field))
    return re.compile(rf"[\s*_`]*(?:{either('another_grade', EVERY)}|[/~～〜–—-])[\s*_`]*(?:{grades})", re.IGNORECASE)


def _goes_on(field: str, rest: str) -> bool:
    """Whether another value comes right behind: "medium to hard" is no grade."""
    return field != "categories" and _another(field).match(rest) is not None
