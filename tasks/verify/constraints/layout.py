"""What an answer looks like: lists, sections, tables, marks of Markdown, JSON."""

from __future__ import annotations

import json
import re
from typing import Any

from tasks.text.words import nfc
from tasks.verify.constraints.kind import (
    ConstraintFinding,
    ConstraintKind,
    Drawing,
    Parameters,
    aspects,
    at_least,
    exactly,
)
from tasks.verify.constraints.parts import lines

BULLET = re.compile(r"^\s*(?:\*(?!\*)|-).*$", re.MULTILINE)
NUMBERED = re.compile(r"^[ \t]*(\d{1,3})[.)、．]\s*\S", re.MULTILINE)
HEADING = re.compile(r"^##\s+\S", re.MULTILINE)
OTHER_HEADING = re.compile(r"^#(?!#\s)#*\s+\S", re.MULTILINE)
BOLD = re.compile(r"\*\*[^\n*]*\*\*")
EMPHASISED = re.compile(r"\*[^\n*]*\*")
PLACEHOLDER = re.compile(r"\[[^\[\]\n]*\w[^\[\]\n]*\](?!\()")
TITLE = re.compile(r"<<[^\n]+>>")
ROW = re.compile(r"\|.*\|")
RULE = re.compile(r"\|(?:\s*:?-+:?\s*\|)+")
TWO = "******"
FENCE = re.compile(r"\A```(?:json)?\s*\n?(.*?)\n?\s*```\Z", re.DOTALL | re.IGNORECASE)
BRACKETED = re.compile(r"\([^()\n]*\w[^()\n]*\)|（[^（）\n]*\w[^（）\n]*）")


def _few(drawing: Drawing) -> dict[str, Any]:
    return {"count": drawing.number(3, 6)}


def _bullets(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    return exactly(len(BULLET.findall(answer)), told["count"], "bullets")


def _numbered(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    found = [int(number) for number in NUMBERED.findall(answer)]
    return ConstraintFinding(
        found == list(range(1, told["count"] + 1)), f"items {', '.join(map(str, found[:20])) or 'none'}"
    )


def _highlights(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    bold = [one for one in BOLD.findall(answer) if one.strip("*").strip()]
    single = [one for one in EMPHASISED.findall(BOLD.sub(" ", answer)) if one.strip("*").strip()]
    return at_least(len(bold) + len(single), told["count"], "highlighted parts")


def _sections_drawn(drawing: Drawing) -> dict[str, Any]:
    return {"name": drawing.one("section_names"), "count": drawing.number(2, 5)}


def _sections(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    heads = len(re.findall(rf"{re.escape(nfc(told['name']))}\s?\d+", nfc(answer)))
    return at_least(heads, told["count"], f"sections {told['name']!r}")


def _json(answer: str, _: Parameters, __: str) -> ConstraintFinding:
    text = answer.strip()
    fenced = FENCE.match(text)
    try:
        value = json.loads(fenced[1] if fenced else text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        return ConstraintFinding(False, f"no JSON: {str(error)[:60]}")
    return ConstraintFinding(isinstance(value, dict | list), f"JSON, {type(value).__name__}")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _title(answer: str, _: Parameters, __: str) -> ConstraintFinding:
    found = next((one for one in TITLE.findall(answer) if one.strip("<>").strip()), None)
    return ConstraintFinding(found is not None, found or "no title")


def _two_responses(answer: str, _: Parameters, __: str) -> ConstraintFinding:
    parts = answer.split(TWO)
    if any(not part.strip() for part in parts[1:-1]):
        return ConstraintFinding(False, "an empty answer between two dividers")
    said = [part.strip() for part in parts if part.strip()]
    if len(said) == 2 and said[0] == said[1]:
        return ConstraintFinding(False, "the same answer twice")
    return exactly(len(said), 2, "answers")


def _placeholders(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    return at_least(len(PLACEHOLDER.findall(answer)), told["count"], "placeholders")


def _table(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    rows = [line for line in lines(answer) if ROW.fullmatch(line)]
    body = [row for row in rows if not RULE.fullmatch(row)]
    if len(rows) - len(body) != 1 or len(rows) < 2 or not RULE.fullmatch(rows[1]):
        return ConstraintFinding(False, "no table with a line below its head")
    columns = {row.strip("|").count("|") + 1 for row in rows}
    if columns != {told["columns"]}:
        return ConstraintFinding(
            False, f"rows of {', '.join(map(str, sorted(columns)))} columns, not {told['columns']}"
        )
    return at_least(len(body) - 1, told["rows"], "rows")


def _headings(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    if OTHER_HEADING.search(answer):
        return ConstraintFinding(False, "a heading of another level")
    return exactly(len(HEADING.findall(answer)), told["count"], "headings")


def _acrostic(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    initials = [next((sign for sign in nfc(line) if sign.isalnum()), "") for line in lines(answer)]
    said = "".join(initials).casefold()
    return ConstraintFinding(said == nfc(told["word"]).casefold(), f"lines begin with {said[:30]!r}")


def _parentheses(answer: str, told: Parameters, _: str) -> ConstraintFinding:
    return exactly(len(BRACKETED.findall(answer)), told["count"], "remarks in brackets")


OF_LAYOUT = (
    ConstraintKind("bullets", _few, _bullets, aspects("layout", "sentences", "asterisks"), ifeval=True),
    ConstraintKind("numbered_list", _few, _numbered, aspects("layout", "sentences", "digits")),
    ConstraintKind(
        "highlights", lambda drawing: {"count": drawing.number(2, 5)}, _highlights, aspects("asterisks"), ifeval=True
    ),
    ConstraintKind(
        "sections",
        _sections_drawn,
        _sections,
        aspects("layout", "sentences", "digits", "case"),
        literals=lambda told: [f"{told['name']} {at}" for at in range(1, told["count"] + 1)],
        ifeval=True,
    ),
    ConstraintKind(
        "json",
        lambda _: {},
        _json,
        aspects(
            *("layout", "sentences", "beginning", "end", "commas", "asterisks", "title", "postscript", "quotes"),
            *("placeholders", "brackets", "questions", "case", "length", "letters"),
        ),
        ifeval=True,
    ),
    ConstraintKind("title", lambda _: {}, _title, aspects("title"), ifeval=True),
    ConstraintKind(
        "two_responses",
        lambda _: {},
        _two_responses,
        aspects("layout", "sentences", "asterisks", "postscript"),
        ifeval=True,
    ),
    ConstraintKind(
        "placeholders",
        lambda drawing: {"count": drawing.number(2, 5)},
        _placeholders,
        aspects("placeholders"),
        ifeval=True,
    ),
    ConstraintKind(
        "table",
        lambda drawing: {"columns": drawing.number(2, 4), "rows": drawing.number(2, 5)},
        _table,
        aspects("layout", "sentences", "commas"),
    ),
    ConstraintKind(
        "headings", lambda drawing: {"count": drawing.number(2, 4)}, _headings, aspects("layout", "sentences")
    ),
    ConstraintKind(
        "acrostic",
        lambda drawing: {"word": drawing.one("acrostics")},
        _acrostic,
        aspects("layout", "sentences", "beginning", "end", "postscript", "title", "quotes"),
    ),
    ConstraintKind("parentheses", lambda drawing: {"count": drawing.number(2, 4)}, _parentheses, aspects("brackets")),
)
