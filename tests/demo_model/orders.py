"""Problems about order: the calendar, sorting, comparing, ages, sequences."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar, Self

from tests.demo_model.problem import Slots, near_number
from tests.demo_model.sums import chain
from tests.demo_model.words import DAYS, MONTHS, NAMES, WORDS, listed, number_in, unlisted


def swapped(items: list[str], rng: random.Random) -> str:
    """The items with two neighbours changed about."""
    i = rng.randrange(len(items) - 1)
    return ", ".join([*items[:i], items[i + 1], items[i], *items[i + 2 :]])


@dataclass(frozen=True)
class Calendar:
    """So many days or months on or back."""

    kind: ClassVar[str] = "calendar"
    forms: ClassVar[tuple[str, ...]] = (
        "Which {unit} is {moves} {start}?",
        "What {unit} comes {moves} {start}?",
        "Name the {unit} {moves} {start}.",
        "Tell me which {unit} it is {moves} {start}.",
        "If you start at {start}, which {unit} is {moves} it?",
        "A trip begins on the {unit} {moves} {start}. Which {unit} is that?",
        "Find the {unit} that is {moves} {start}.",
    )
    unit: str
    start: str
    moves: tuple[int, ...]  # the first is said last: it is the one next to the start

    @classmethod
    def make(cls, rng: random.Random, size: int) -> Self:
        unit, cycle = rng.choice((("day", DAYS), ("day", DAYS), ("month", MONTHS)))
        made = cls(unit, rng.choice(cycle), ())
        for _ in range(max(size, 2) - 1):
            made = made.harder(rng)
        return made

    @classmethod
    def read(cls, slots: Slots) -> Self | None:
        unit, start = slots["unit"].lower(), slots["start"].capitalize()
        if start not in {"day": DAYS, "month": MONTHS}.get(unit, ()):
            return None
        moves = []
        for part in slots["moves"].lower().split(" what is "):
            found = re.fullmatch(rf"(\w+) {unit}s? (after|before)", part)
            n = number_in(found[1]) if found else None
            if found is None or n is None:
                return None
            moves.append(n if found[2] == "after" else -n)
        return cls(unit, start, tuple(reversed(moves)))

    @property
    def _cycle(self) -> tuple[str, ...]:
        return DAYS if self.unit == "day" else MONTHS

    @property
    def size(self) -> int:
        return 1 + len(self.moves)

    def slots(self, rng: random.Random) -> Slots:
        said = [f"{abs(n)} {self.unit}{'s' if abs(n) > 1 else ''} {'after' if n > 0 else 'before'}" for n in self.moves]
        return {"unit": self.unit, "start": self.start, "moves": " what is ".join(reversed(said))}

    def working(self) -> list[str]:
        at, lines = self._cycle.index(self.start), []
        for n in self.moves:
            way = range(0, n + 1) if n > 0 else range(0, n - 1, -1)
            lines.append(", ".join(self._cycle[(at + i) % len(self._cycle)] for i in way))
            at = (at + n) % len(self._cycle)
        return lines

    def value(self) -> str:
        return self._cycle[(self._cycle.index(self.start) + sum(self.moves)) % len(self._cycle)]

    def sentence(self, value: str) -> str:
        return f"It is {value}."

    def slips(self, rng: random.Random) -> str:
        at = self._cycle.index(self.value()) + rng.choice((-1, 1, 2, -2))
        return self._cycle[at % len(self._cycle)]

    def harder(self, rng: random.Random) -> Self:
        return replace(self, moves=(*self.moves, rng.choice((1, 2, 3, 4, -1, -2))))


@dataclass(frozen=True)
class Sort:
    """Numbers or words to be put in order."""

    kind: ClassVar[str] = "sort"
    WAYS: ClassVar[dict[str, tuple[bool, bool]]] = {  # said -> (are they words, is it backwards)
        "from small to large": (False, False),
        "with the smallest first": (False, False),
        "in rising order": (False, False),
        "from large to small": (False, True),
        "with the largest first": (False, True),
        "in falling order": (False, True),
        "from A to Z": (True, False),
        "in alphabetical order": (True, False),
        "from Z to A": (True, True),
    }
    forms: ClassVar[tuple[str, ...]] = (
        "Sort {way}: {items}.",
        "Put these {way}: {items}.",
        "Arrange {way}: {items}.",
        "Order {items} {way}.",
        "Write {items} {way}.",
        "Can you list {items} {way}?",
        "List {way}: {items}.",
    )
    items: tuple[str, ...]
    backwards: bool

    @classmethod
    def make(cls, rng: random.Random, size: int) -> Self:
        backwards = rng.random() < 0.3
        if rng.random() < 0.6:
            made = cls(tuple(map(str, rng.sample(range(1, 40), 2))), backwards)
        else:
            made = cls((rng.choice(WORDS),), backwards).harder(rng)
        for _ in range(max(size, 3) - 2):
            made = made.harder(rng)
        return made

    @classmethod
    def read(cls, slots: Slots) -> Self | None:
        way = next((flags for said, flags in cls.WAYS.items() if said.lower() == slots["way"].lower()), None)
        items = tuple(unlisted(slots["items"]))
        if (
            way is None
            or len(items) < 2
            or len(set(items)) < len(items)
            or not all(re.fullmatch(r"\w+", i) for i in items)
        ):
            return None
        made = cls(items, way[1])
        return made if made._words == way[0] else None

    @property
    def _words(self) -> bool:
        return not all(item.isdigit() for item in self.items)

    @property
    def _sorted(self) -> list[str]:
        return sorted(
            self.items, key=lambda item: item.lower() if self._words else f"{item:0>9}", reverse=self.backwards
        )

    @property
    def size(self) -> int:
        return len(self.items)

    def slots(self, rng: random.Random) -> Slots:
        ways = [way for way, flags in self.WAYS.items() if flags == (self._words, self.backwards)]
        return {"way": rng.choice(ways), "items": ", ".join(self.items)}

    def working(self) -> list[str]:
        return [f"The first is {self._sorted[0]} and the last is {self._sorted[-1]}", ", ".join(self._sorted)]

    def value(self) -> str:
        return ", ".join(self._sorted)

    def sentence(self, value: str) -> str:
        return f"The order is {value}."

    def slips(self, rng: random.Random) -> str:
        return swapped(self._sorted, rng)

    def harder(self, rng: random.Random) -> Self:
        if self._words:
            initials = {item[0] for item in self.items}
            more = rng.choice([word for word in WORDS if word[0] not in initials] or ["zebra"])
        else:
            more = rng.choice([str(n) for n in range(1, 40) if str(n) not in self.items])
        return replace(self, items=(*self.items, more))


@dataclass(frozen=True)
class Compare:
    """The largest or smallest of several numbers, or who is oldest."""

    kind: ClassVar[str] = "compare"
    MOST: ClassVar[dict[str, bool]] = {
        "largest": True,
        "smallest": False,
        "biggest": True,
        "highest": True,
        "lowest": False,
    }
    forms: ClassVar[tuple[str, ...]] = (
        "Which number is the {most}: {items}?",
        "Which of {items} is the {most}?",
        "Find the {most} number: {items}.",
        "What is the {most} of {items}?",
        "Pick the {most} of these numbers: {items}.",
        "Name the {most} number in {items}.",
    )
    items: tuple[int, ...]
    largest: bool

    @classmethod
    def make(cls, rng: random.Random, size: int) -> Self:
        return cls(tuple(rng.sample(range(1, 100), max(size, 2))), rng.random() < 0.6)

    @classmethod
    def read(cls, slots: Slots) -> Self | None:
        items = [number_in(item) for item in unlisted(slots["items"])]
        most = cls.MOST.get(slots["most"].lower())
        known = tuple(n for n in items if n is not None)
        return cls(known, most) if most is not None and len(known) == len(items) == len(set(known)) >= 2 else None

    @property
    def size(self) -> int:
        return len(self.items)

    def slots(self, rng: random.Random) -> Slots:
        most = rng.choice([word for word, largest in self.MOST.items() if largest == self.largest])
        return {"most": most, "items": rng.choice((", ".join, listed))([str(n) for n in self.items])}

    def working(self) -> list[str]:
        best, lines, larger = self.items[0], [], "more" if self.largest else "less"
        for n in self.items[1:]:
            winner = (max if self.largest else min)(best, n)
            lines.append(f"{winner} is {larger} than {n if winner == best else best}")
            best = winner
        return lines

    def value(self) -> str:
        return str((max if self.largest else min)(self.items))

    def sentence(self, value: str) -> str:
        return f"The {'largest' if self.largest else 'smallest'} is {value}."

    def slips(self, rng: random.Random) -> str:
        return str(rng.choice([n for n in self.items if str(n) != self.value()]))

    def harder(self, rng: random.Random) -> Self:
        return replace(self, items=(*self.items, rng.choice([n for n in range(1, 100) if n not in self.items])))


@dataclass(frozen=True)
class Ages:
    """Who is the oldest or youngest."""

    kind: ClassVar[str] = "ages"
    forms: ClassVar[tuple[str, ...]] = (
        "{people}. Who is the {most}?",
        "Who is the {most}: {people}?",
        "{people}. Name the {most} of them.",
        "{people}. Tell me who is the {most}.",
    )
    people: tuple[tuple[str, int], ...]
    oldest: bool

    @classmethod
    def make(cls, rng: random.Random, size: int) -> Self:
        count = max(size, 2)
        return cls(
            tuple(zip(rng.sample(NAMES, count), rng.sample(range(5, 80), count), strict=True)), rng.random() < 0.6
        )

    @classmethod
    def read(cls, slots: Slots) -> Self | None:
        found = [re.fullmatch(r"(\w+) is (\d{1,3})", part) for part in unlisted(slots["people"])]
        people = tuple((one[1], int(one[2])) for one in found if one)
        most = {"oldest": True, "youngest": False}.get(slots["most"].lower())
        ages = {age for _, age in people}
        if most is None or len(people) < len(found) or len(people) < 2 or len(ages) < len(people):
            return None
        return cls(people, most)

    @property
    def size(self) -> int:
        return len(self.people)

    def slots(self, rng: random.Random) -> Slots:
        return {
            "most": "oldest" if self.oldest else "youngest",
            "people": listed([f"{n} is {a}" for n, a in self.people]),
        }

    def working(self) -> list[str]:
        name = self.value()
        age = dict(self.people)[name]
        return [f"{'Most' if self.oldest else 'Fewest'} years: {age}, and that is {name}"]

    def value(self) -> str:
        return (max if self.oldest else min)(self.people, key=lambda one: one[1])[0]

    def sentence(self, value: str) -> str:
        return f"The {'oldest' if self.oldest else 'youngest'} is {value}."

    def slips(self, rng: random.Random) -> str:
        return rng.choice([name for name, _ in self.people if name != self.value()])

    def harder(self, rng: random.Random) -> Self:
        name = rng.choice([n for n in NAMES if n not in dict(self.people)])
        age = rng.choice([a for a in range(5, 80) if a not in dict(self.people).values()])
        return replace(self, people=(*self.people, (name, age)))


@dataclass(frozen=True)
class Sequence:
    """The next numbers of a sequence with even steps."""

    kind: ClassVar[str] = "sequence"
    forms: ClassVar[tuple[str, ...]] = (
        "What comes next: {shown}? Give {count}.",
        "Continue {shown} with {count}.",
        "Find {count} after {shown}.",
        "Go on with {count}: {shown}.",
        "Which numbers follow {shown}? Name {count}.",
        "Write {count} after {shown}.",
    )
    COUNTS: ClassVar[tuple[str, ...]] = ("one number", "two numbers", "three numbers", "four numbers", "five numbers")
    start: int
    step: int
    more: int

    @classmethod
    def make(cls, rng: random.Random, size: int) -> Self:
        return cls(rng.randint(1, 20), rng.choice((1, 2, 3, 4, 5, 10)), min(max(size - 1, 1), 5))

    @classmethod
    def read(cls, slots: Slots) -> Self | None:
        shown = [number_in(item) for item in unlisted(slots["shown"])]
        known = [n for n in shown if n is not None]
        count = slots["count"].lower()
        if len(known) < len(shown) or len(known) < 3 or count not in cls.COUNTS:
            return None
        steps = {b - a for a, b in pairwise(known)}
        return cls(known[0], steps.pop(), cls.COUNTS.index(count) + 1)._checked(len(known)) if len(steps) == 1 else None

    def _checked(self, shown: int) -> Self | None:
        return self if shown == 4 else None

    @property
    def _last(self) -> int:
        return self.start + 3 * self.step

    @property
    def size(self) -> int:
        return 1 + self.more

    def slots(self, rng: random.Random) -> Slots:
        return {
            "shown": ", ".join(str(self.start + i * self.step) for i in range(4)),
            "count": self.COUNTS[self.more - 1],
        }

    def working(self) -> list[str]:
        return chain(self._last, (("+", self.step),) * self.more)

    def value(self) -> str:
        return ", ".join(str(self._last + i * self.step) for i in range(1, self.more + 1))

    def sentence(self, value: str) -> str:
        return f"Next: {value}."

    def slips(self, rng: random.Random) -> str:
        wrong = int(near_number(self._last + self.step, rng))
        return ", ".join(str(wrong + i * self.step) for i in range(self.more))

    def harder(self, rng: random.Random) -> Self:
        return replace(self, more=min(self.more + 1, 5))
