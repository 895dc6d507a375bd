"""The numbered list of tasks that Self-Instruct has a model continue: written, and read back.

Wang et al. 2022 (arXiv:2212.10560): eight tasks, then "9."; the model goes on up to item 15.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tasks.errors import Unusable
from tasks.text.instructions import capitalized, cleaned, is_chatter
from tasks.text.reading.marks import numbered

LAST_ITEM = 15
ITEM = re.compile(r"[\s*#]*(\d{1,3})\s?[.)．、:](?!\d)")


def one_line(instruction: str) -> str:
    """An instruction as an item of the list: on one line, without a colon at its end."""
    return " ".join(instruction.split()).rstrip(":")


HEADER = "A list of varied tasks:"


def raw_list(instructions: Sequence[str], header: str = HEADER) -> str:
    """The list as text to be continued: "1. ... 8. ... 9." after a line that says what it is."""
    lines = [f"{number}. {instruction}" for number, instruction in enumerate(instructions, 1)]
    return "\n".join([header, *lines, f"{len(lines) + 1}."])


def added_tasks(text: str, first: int = 9) -> list[str]:
    """The tasks in a continuation of a list that ended with the number `first`, at most up to item 15.

    What comes before the first number is the item `first` itself, or talk about the list. An item ends at the next
    number or at a blank line. A model that starts over at 1 is understood. Raises Unusable where there is no task.
    """
    items: list[tuple[int, str]] = []
    is_open, begins_bare = True, False
    for line in text.strip().splitlines():
        due = (items[-1][0] + 1,) if items else (first, 1)
        if item := ITEM.match(line):
            items.append((int(item[1]), line))
            is_open = True
        elif (other := numbered(line)) and other[0] in due:
            items.append(other)
            is_open = True
        elif not line.strip():
            is_open = False
        elif is_open and items:
            items[-1] = (items[-1][0], f"{items[-1][1]} {line}")
        elif is_open and not is_chatter(line):
            items.append((first, line))
            begins_bare = True
    if len(items) > 1 and items[1][0] != first + 1 and begins_bare:
        items.pop(0)  # it was talk about the list after all: the list begins with a number of its own
    tasks = [capitalized(cleaned(item)) for number, item in items if number <= LAST_ITEM]
    if not any(tasks):
        raise Unusable("no_task", "nothing listed")
    return [task for task in tasks if task]
