"""What a question of the demo's domain is, and how its phrasings are read back.

A kind of problem has forms ("How many {small} are in {amount}?"): the generator fills them, the checker matches them.
So whatever the one can write the other can read, in any mixture of forms.
"""

from __future__ import annotations

import random
import re
from functools import cache
from typing import ClassVar, Protocol, Self

Slots = dict[str, str]
SHAPES = dict.fromkeys(("name", "things", "group", "unit", "small", "most", "n", "total", "start"), r"\w+") | {
    "way": "(?:from|with|in) .+?"
}  # what a slot looks like; any other is free text, which the kind reads


class Problem(Protocol):
    """A question with one right answer. `size` counts its operands and steps: larger is harder."""

    kind: ClassVar[str]
    forms: ClassVar[tuple[str, ...]]

    @classmethod
    def make(cls, rng: random.Random, size: int) -> Self: ...

    @classmethod
    def read(cls, slots: Slots) -> Self | None:
        """The problem that these slots state, None where they make no sense."""
        ...

    @property
    def size(self) -> int: ...
    def slots(self, rng: random.Random) -> Slots:
        """What fills the forms; several wordings of one problem."""
        ...

    def working(self) -> list[str]:
        """The steps to the answer, the last of which ends with it."""
        ...

    def value(self) -> str:
        """The bare answer."""
        ...

    def sentence(self, value: str) -> str:
        """The answer as a sentence that ends with it or with its unit."""
        ...

    def slips(self, rng: random.Random) -> str:
        """A wrong answer that somebody might give."""
        ...

    def harder(self, rng: random.Random) -> Self:
        """The same problem with one more operand or step."""
        ...


@cache
def pattern(form: str) -> re.Pattern[str]:
    """The form as a pattern: each slot a group, a slot that comes again a reference to it."""
    seen: set[str] = set()
    parts = []
    for part in re.split(r"(\{\w+\})", form):
        if not part.startswith("{"):
            parts.append(re.escape(part).replace(r"\ ", r"\s+"))
        elif (name := part[1:-1]) in seen:
            parts.append(f"(?P={name})")
        else:
            seen.add(name)
            parts.append(f"(?P<{name}>{SHAPES.get(name, '.*?')})")
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)


def phrased(problem: Problem, rng: random.Random) -> str:
    """The problem in one of its phrasings."""
    text = rng.choice(problem.forms).format(**problem.slots(rng))
    return text[0].upper() + text[1:]


def near_number(value: int, rng: random.Random) -> str:
    """A number near the right one."""
    near = [n for n in (value - 1, value + 1, value - 2, value + 2, value + 10, value - 10, value + 3) if n >= 0]
    return str(rng.choice(near))
