"""Ratings that came as JSON or as a table, written as the lines that were asked for: `ratings.py` then reads them alike.

    as_lines('[{"response": 1, "rating": 4, "reason": "clear"}]')    # "Response 1\\nReason: clear\\nRating: 4"
    as_lines("| Response 1 | 4 | clear |")                           # the same

What is neither stays as it is; a value is put down as it stands, and judged by who reads the lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tasks.text.languages import either, words_of
from tasks.text.languages.en import EN
from tasks.text.reading.json_text import json_in
from tasks.text.words import nfc

INDEX = re.compile(rf"[\W_]*(?:response|text|answer|{either('response')})?[\s_#]*(\d{{1,4}})[\W_]*", re.IGNORECASE)
LABEL = re.compile(r"^[\W_]*(?:rating|score)[*_` ]*[:：]", re.IGNORECASE | re.MULTILINE)
MARK = re.compile(r"^[ \t]*<(?:/response[ \t]*\d*|response[ \t]+(\d{1,4}))>[ \t]*$", re.IGNORECASE | re.MULTILINE)
ROW = re.compile(r"[ \t]*\|(.+)\|[ \t]*")
RULE = re.compile(r"[\s|:+-]+")
FIELDS = {
    "index": "index_names",
    "Rating": "rating_names",
    "Errors": "error_names",
    "Merits": "merit_names",
    "Reason": "reason_names",
}
NAMES = {ours: words_of(field, [EN]) for ours, field in FIELDS.items()}
OTHER_NAMES = {ours: words_of(field) for ours, field in FIELDS.items()}
DEEPEST = 4
ORDER = ("Errors", "Merits", "Reason", "Rating")


def as_lines(text: str) -> str:
    """The text, with ratings in JSON or in a table as lines with labels, and marks around them as labels."""
    if LABEL.search(text):
        return MARK.sub(lambda mark: f"Response {mark[1]}" if mark[1] else "", text)
    records = _of_json(text) or _of_table(text)
    return "\n\n".join(map(_lines, records)) if records else text


def _lines(record: Mapping[str, str]) -> str:
    head = [f"Response {record['index']}"] if "index" in record else []
    return "\n".join([*head, *(f"{name}: {record[name]}" for name in ORDER if name in record)])


def _named(names: Iterable[Any]) -> list[str | None]:
    """What each name is to us, None for nothing. Where there is an English name, another language's is not looked at."""
    plain = [nfc(str(name)).strip(" *_`").lower() for name in names]
    english, elsewhere = ([_ours(name, known) for name in plain] for known in (NAMES, OTHER_NAMES))
    return [one or (other if other not in english else None) for one, other in zip(english, elsewhere, strict=True)]


def _ours(name: str, known: Mapping[str, tuple[str, ...]]) -> str | None:
    return next((ours for ours, names in known.items() if name in names), None)


def _of_json(text: str) -> list[dict[str, str]]:
    return list(_records(json_in(text)))


def _records(value: Any, index: str = "", depth: int = 0) -> Iterator[dict[str, str]]:
    """The ratings in a JSON value: a list of objects, objects by their response, or one of these under any name."""
    if depth > DEEPEST:
        return
    if isinstance(value, list):
        for item in value:
            yield from _records(item, depth=depth + 1)
    elif isinstance(value, dict):
        said_of = {ours: said for ours, said in zip(_named(value), value.values(), strict=True) if ours}
        found = {ours: _text(said) for ours, said in said_of.items()}
        if "Rating" in found and not any(
            isinstance(one, dict | list) for one in (value.get("rating"), said_of["Rating"])
        ):
            number = INDEX.fullmatch(found.pop("index", "") or index)
            yield ({"index": number[1]} if number else {}) | found
            return
        for name, said in value.items():
            if INDEX.fullmatch(name) and not isinstance(said, dict | list):
                said = {"rating": said}
            yield from _records(said, name, depth + 1)


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str("N/A" if value is None else value)


def _of_table(text: str) -> list[dict[str, str]]:
    rows = [
        [cell.strip(" *_`") for cell in row[1].split("|")] for line in text.splitlines() if (row := ROW.fullmatch(line))
    ]
    rows = [row for row in rows if not RULE.fullmatch("|".join(row))]
    if not rows:
        return []
    head = _named(rows[0])
    if "Rating" in head:
        names, rows = head, rows[1:]
    elif all(row[0].lower().startswith("response") for row in rows):
        names = ["index", "Rating", "Reason"]
    else:
        return []
    if any(len(row) != len(names) for row in rows):
        return []
    found = [{name: cell for name, cell in zip(names, row, strict=True) if name} for row in rows]
    return [
        record | ({"index": number[1]} if (number := INDEX.fullmatch(record.get("index", ""))) else {})
        for record in found
    ]
