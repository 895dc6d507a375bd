"""The items of a list that a model wrote with one on each line, in whatever form it came.

items_of("Sure! Here are two:\n1. Why do cats purr?\n2. **Sleep**: how long do they sleep?")
"""

from __future__ import annotations

import re
from itertools import pairwise

from tasks.text.instructions import cleaned, is_chatter
from tasks.text.reading.json_text import json_in
from tasks.text.reading.marks import HEAD, numbered
from tasks.text.words import nfc

NUMBER = re.compile(
    r"[ \t*_#>]*(?:(?:query|question|request|instruction|task)[ \t]*#?)?[(（\[]?(\d{1,3})[*_]*\s?[.)．）、:：\]](?!\d)",
    re.IGNORECASE,
)
ROW = re.compile(r"\|(.+)\|")
DECORATION = ("```", "---", "***", "===")
HEADS = ("request", "requests", "query", "question", "instruction", "task")


def items_of(text: str) -> list[str]:
    """The items, each on one line: no numbers, bullets, quotes, titles, blank lines or talk about the list.

    In a list numbered from 1 only what is numbered is an item; a line right below one goes on with it.
    """
    items = _of_json(text)
    if items is None:
        lines = [line.strip() for line in text.splitlines()]
        items = _of_table(lines) or _numbered(lines) or _lines(lines)
    return [item for line in items if not is_chatter(line) and (item := cleaned(line))]


def _lines(lines: list[str]) -> list[str]:
    lines = [line for line in lines if line and not line.startswith(DECORATION) and line not in ("[", "]")]
    if len(lines) > 1 and lines[0].rstrip("*_ ").endswith((":", "：")):
        lines.pop(0)
    return lines


def _numbered(lines: list[str]) -> list[str]:
    """The items of a list that counts up from 1; nothing where the numbers do not."""
    starts = [(at, int(found[1])) for at, line in enumerate(lines) if (found := NUMBER.match(line))]
    if not _counts_up(starts):
        marked = {at: said for at, line in enumerate(lines) if (said := numbered(line))}
        starts = [(at, number) for at, (number, _) in marked.items()]
        lines = [marked[at][1] if at in marked else line for at, line in enumerate(lines)]
    if not _counts_up(starts):
        return []
    ends = [at for at, _ in starts[1:]] + [len(lines)]
    return [_paragraph(lines[start:end]) for (start, _), end in zip(starts, ends, strict=True)]


def _counts_up(starts: list[tuple[int, int]]) -> bool:
    return len(starts) > 1 and [number for _, number in starts] == list(range(1, len(starts) + 1))


def _paragraph(lines: list[str]) -> str:
    """The lines up to the first blank one, as one. The first may hold a mark alone, which was taken off."""
    lines = lines[1:] if not lines[0] else lines
    end = next((at for at, line in enumerate(lines) if not line or line.startswith(DECORATION)), len(lines))
    return " ".join(lines[:end])


def _of_table(lines: list[str]) -> list[str]:
    """The last cells of a table's rows, without its head."""
    rows = [[cell.strip() for cell in found[1].split("|")] for line in lines if (found := ROW.fullmatch(line))]
    rules = [at for at, row in enumerate(rows) if all(cell and not cell.strip(":-") for cell in row)]
    if (
        rules != [1]
        or not _is_head(rows[0][-1].strip("*_ ").lower())
        or any(len(a) != len(b) for a, b in pairwise(rows))
    ):
        return []
    return [row[-1] for row in rows[2:]]


def _is_head(cell: str) -> bool:
    return cell in HEADS or HEAD.fullmatch(nfc(cell)) is not None


def _of_json(text: str) -> list[str] | None:
    """The texts of a JSON list, bare or in a fence, also as the one list in an object; None where there is none."""
    value = json_in(text)
    if isinstance(value, dict) and len(value) == 1:
        [value] = value.values()
    if not isinstance(value, list):
        return None
    texts = [next(iter(one.values())) if isinstance(one, dict) and len(one) == 1 else one for one in value]
    return texts if texts and all(isinstance(one, str) for one in texts) else None
