"""Problems about numbers: plain sums, stories, units, shopping, sharing, sequences, comparisons."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from tests.demo_model.problem import Slots, near_number, pattern
from tests.demo_model.words import GROUPS, NAMES, SPOKEN, THINGS, UNITS, listed, number_in, unlisted

Step = tuple[str, int]
SPOKEN_SIGNS = {"+": "plus", "-": "minus", "x": "times"}


def applied(total: int, step: Step) -> int:
    """The total after one step."""
    sign, n = step
    return {"+": total + n, "-": total - n, "x": total * n, "/": total // max(n, 1)}[sign]


def chain(total: int, steps: tuple[Step, ...]) -> list[str]:
    """Each step as an equation."""
    lines = []
    for sign, n in steps:
        after = applied(total, (sign, n))
        lines.append(f"{total} {sign} {n} = {after}")
        total = after
    return lines


def result(total: int, steps: tuple[Step, ...]) -> int:
    """The total after all steps."""
    for step in steps:
        total = applied(total, step)
    return total


def next_step(total: int, rng: random.Random) -> Step:
    """One more addition or subtraction of a single digit, below 60 if it can be."""
    n = rng.randint(1, 9)
    return ("-", n) if total >= n and (rng.random() < 0.45 or total + n > 60) else ("+", n)


def stays_small(total: int, steps: tuple[Step, ...]) -> bool:
    """Whether no step goes below zero."""
    return all(result(total, steps[: i + 1]) >= 0 for i in range(len(steps)))


@dataclass(frozen=True)
class Calc:
    """A sum written out: `7 + 5 - 2`, in signs or in words."""

    kind: ClassVar[str] = "calc"
    forms: ClassVar[tuple[str, ...]] = (
        "What is {expr}?",
        "How much is {expr}?",
        "Work out {expr}.",
        "Calculate {expr}.",
        "Find {expr}.",
        "Solve {expr}.",
        "Can you work out {expr}?",
        "Please calculate {expr}.",
        "What do you get for {expr}?",
        "Tell me what {expr} is.",
        "What does {expr} make?",
        "Evaluate {expr}.",
        "I need to know {expr}.",
        "Compute {expr} for me.",
    )
    first: int
    steps: tuple[Step, ...]

    @classmethod
    def make(cls, rng: random.Random, size: int) -> Self:
        if rng.random() < 0.35:
            made = cls(rng.randint(2, 9), (("x", rng.randint(2, 9)),))
        else:
            first = rng.randint(2, 30)
            made = cls(first, (next_step(first, rng),))
        for _ in range(size - 2):
            made = made.harder(rng)
        return made

    @classmethod
    def read(cls, slots: Slots) -> Self | None:
        text = slots["expr"]
        for sign, spoken in SPOKEN_SIGNS.items():
            text = re.sub(rf"\s{spoken}\s", f" {sign} ", text, flags=re.IGNORECASE)
        parts = re.split(r"\s([+x-])\s", text)
        numbers = [number_in(part) for part in parts[::2]]
        if len(parts) < 3 or any(n is None for n in numbers) or "x" in parts[3::2]:
            return None
        known = [n for n in numbers if n is not None]
        steps = tuple(zip(parts[1::2], known[1:], strict=True))
        return cls(known[0], steps) if stays_small(known[0], steps) else None

    @property
    def size(self) -> int:
        return 1 + len(self.steps)

    def slots(self, rng: random.Random) -> Slots:
        numbers = [self.first, *(n for _, n in self.steps)]
        style = rng.choice(("signs", "signs", "words", "spoken"))
        say = [SPOKEN[n] if style == "spoken" and n <= 20 else str(n) for n in numbers]
        signs = [sign if style == "signs" else SPOKEN_SIGNS[sign] for sign, _ in self.steps]
        return {"expr": say[0] + "".join(f" {sign} {n}" for sign, n in zip(signs, say[1:], strict=True))}

    def working(self) -> list[str]:
        return chain(self.first, self.steps)

    def value(self) -> str:
        return str(result(self.first, self.steps))

    def sentence(self, value: str) -> str:
        return f"The answer is {value}."

    def slips(self, rng: random.Random) -> str:
        return near_number(int(self.value()), rng)

    def harder(self, rng: random.Random) -> Self:
        return replace(self, steps=(*self.steps, next_step(int(self.value()), rng)))


@dataclass(frozen=True)
class Story:
    """Somebody has things, gets more and gives some away."""

    kind: ClassVar[str] = "story"
    forms: ClassVar[tuple[str, ...]] = (
        "{name} has {start} {things}. {steps} How many {things} does {name} have now?",
        "{name} has {start} {things}. {steps} How many {things} are there now?",
        "{name} starts with {start} {things}. {steps} How many {things} does {name} end up with?",
        "At first {name} has {start} {things}. {steps} How many {things} are left?",
        "How many {things} does {name} have in the end? {name} has {start} {things}. {steps}",
        "There are {start} {things} on the table of {name}. {steps} How many {things} are there now?",
        "In the morning {name} counts {start} {things}. {steps} Count the {things} of {name} in the evening.",
        "{name} owns {start} {things}. {steps} Work out how many {things} {name} owns now.",
    )
    ADDS: ClassVar[tuple[str, ...]] = (
        "{name} buys {n} more.",
        "{name} finds {n} more.",
        "A friend brings {n} more.",
        "Then {n} more arrive.",
        "{name} gets {n} as a gift.",
    )
    TAKES: ClassVar[tuple[str, ...]] = (
        "{name} gives {n} away.",
        "{name} sells {n}.",
        "{name} loses {n}.",
        "A neighbour takes {n}.",
        "Then {n} break.",
    )
    name: str
    things: str
    start: int
    steps: tuple[Step, ...]

    @classmethod
    def make(cls, rng: random.Random, size: int) -> Self:
        made = cls(rng.choice(NAMES), rng.choice(THINGS), rng.randint(3, 25), ())
        for _ in range(max(size, 2) - 1):
            made = made.harder(rng)
        return made

    @classmethod
    def read(cls, slots: Slots) -> Self | None:
        start, steps = number_in(slots["start"]), []
        for sentence in re.findall(r"[^.]+\.", slots["steps"]):
            if (step := cls._step(slots["name"], sentence.strip())) is None:
                return None
            steps.append(step)
        if start is None or not steps or not stays_small(start, tuple(steps)):
            return None
        return cls(slots["name"], slots["things"], start, tuple(steps))

    @classmethod
    def _step(cls, name: str, sentence: str) -> Step | None:
        for sign, forms in (("+", cls.ADDS), ("-", cls.TAKES)):
            for form in forms:
                found = pattern(form.replace("{name}", name)).fullmatch(sentence)
                if found and (n := number_in(found["n"])) is not None:
                    return sign, n
        return None

    @property
    def size(self) -> int:
        return 1 + len(self.steps)

    def slots(self, rng: random.Random) -> Slots:
        steps = [
            rng.choice(self.ADDS if sign == "+" else self.TAKES).format(name=self.name, n=n) for sign, n in self.steps
        ]
        return {"name": self.name, "things": self.things, "start": str(self.start), "steps": " ".join(steps)}

    def working(self) -> list[str]:
        return chain(self.start, self.steps)

    def value(self) -> str:
        return str(result(self.start, self.steps))

    def sentence(self, value: str) -> str:
        return f"{self.name} has {value} {self.things}."

    def slips(self, rng: random.Random) -> str:
        return near_number(int(self.value()), rng)

    def harder(self, rng: random.Random) -> Self:
        return replace(self, steps=(*self.steps, next_step(int(self.value()), rng)))


@dataclass(frozen=True)
class Unit:
    """So many of a larger unit, and some of the smaller, in the smaller."""

    kind: ClassVar[str] = "unit"
    forms: ClassVar[tuple[str, ...]] = (
        "How many {small} are in {amount}?",
        "How many {small} are there in {amount}?",
        "How many {small} make {amount}?",
        "Convert {amount} into {small}.",
        "Change {amount} to {small}.",
        "Turn {amount} into {small}.",
        "What is {amount} in {small}?",
        "Express {amount} in {small}.",
        "Give {amount} in {small}.",
        "Tell me how many {small} {amount} are.",
        "How long or large is {amount} in {small}?",
    )
    many: int
    large: str
    small: str
    extra: tuple[int, ...] = ()

    @classmethod
    def make(cls, rng: random.Random, size: int) -> Self:
        large, small, _, most = rng.choice(UNITS)
        made = cls(rng.randint(2, most), large, small)
        for _ in range(size - 2):
            made = made.harder(rng)
        return made

    @classmethod
    def read(cls, slots: Slots) -> Self | None:
        found = [re.fullmatch(r"(\w+)(?: more)? (\w+)", part) for part in unlisted(slots["amount"])]
        parts = [(number_in(one[1]), one[2].lower()) for one in found if one]
        if len(parts) < len(found) or not parts or any(n is None for n, _ in parts):
            return None
        known = [(n, unit) for n, unit in parts if n is not None]
        small, (many, large) = slots["small"].lower(), known[0]
        if not any(unit[:2] == (large, small) for unit in UNITS) or any(unit != small for _, unit in known[1:]):
            return None
        return cls(many, large, small, tuple(n for n, _ in known[1:]))

    @property
    def _factor(self) -> int:
        return next(unit[2] for unit in UNITS if unit[:2] == (self.large, self.small))

    @property
    def _steps(self) -> tuple[Step, ...]:
        return (("x", self._factor), *(("+", n) for n in self.extra))

    @property
    def size(self) -> int:
        return 2 + len(self.extra)

    def slots(self, rng: random.Random) -> Slots:
        extra = [f"{n} {'more ' if i else ''}{self.small}" for i, n in enumerate(self.extra)]
        return {"amount": listed([f"{self.many} {self.large}", *extra]), "small": self.small}

    def working(self) -> list[str]:
        return chain(self.many, self._steps)

    def value(self) -> str:
        return str(result(self.many, self._steps))

    def sentence(self, value: str) -> str:
        return f"That is {value} {self.small}."

    def slips(self, rng: random.Random) -> str:
        return near_number(int(self.value()), rng)

    def harder(self, rng: random.Random) -> Self:
        return replace(self, extra=(*self.extra, rng.randint(1, 9)))


@dataclass(frozen=True)
class Shop:
    """Several things at a price each."""

    kind: ClassVar[str] = "shop"
    forms: ClassVar[tuple[str, ...]] = (
        "{prices} What do {basket} cost?",
        "{prices} How much do {basket} cost together?",
        "{prices} {name} buys {basket}. How many euros is that?",
        "{prices} Work out the price of {basket}.",
        "What is the price of {basket}? {prices}",
        "How many euros does {name} pay for {basket}? {prices}",
    )
    name: str
    lines: tuple[tuple[int, str, int], ...]

    @classmethod
    def make(cls, rng: random.Random, size: int) -> Self:
        made = cls(rng.choice(NAMES), ())
        for _ in range(max(size // 2, 1)):
            made = made.harder(rng)
        return made

    @classmethod
    def read(cls, slots: Slots) -> Self | None:
        prices: dict[str, int] = {}
        for sentence in re.findall(r"[^.]+\.", slots["prices"]):
            found = re.findall(
                r"(\w+) (?:cost )?(\d+)(?: euros each)?(?=[,.])", sentence.strip().removeprefix("Prices in euros: ")
            )
            prices |= {thing.lower(): int(price) for thing, price in found}
        basket = [re.fullmatch(r"(\w+) (\w+)", part) for part in unlisted(slots["basket"])]
        lines = []
        for one in basket:
            count = number_in(one[1]) if one else None
            if one is None or count is None or one[2].lower() not in prices:
                return None
            lines.append((count, one[2].lower(), prices[one[2].lower()]))
        return cls(slots.get("name", "someone"), tuple(lines)) if lines and len(prices) == len(lines) else None

    @property
    def size(self) -> int:
        return 2 * len(self.lines)

    def slots(self, rng: random.Random) -> Slots:
        if rng.random() < 0.5:
            prices = " ".join(f"{thing.capitalize()} cost {price} euros each." for _, thing, price in self.lines)
        else:
            prices = "Prices in euros: " + ", ".join(f"{thing} {price}" for _, thing, price in self.lines) + "."
        return {"prices": prices, "basket": listed([f"{n} {t}" for n, t, _ in self.lines]), "name": self.name}

    def working(self) -> list[str]:
        costs = [n * price for n, _, price in self.lines]
        products = [f"{n} x {price} = {n * price}" for n, _, price in self.lines]
        return products + chain(costs[0], tuple(("+", cost) for cost in costs[1:]))

    def value(self) -> str:
        return str(sum(n * price for n, _, price in self.lines))

    def sentence(self, value: str) -> str:
        return f"The price is {value} euros."

    def slips(self, rng: random.Random) -> str:
        return near_number(int(self.value()), rng)

    def harder(self, rng: random.Random) -> Self:
        thing = rng.choice([t for t in THINGS if all(t != known for _, known, _ in self.lines)])
        return replace(self, lines=(*self.lines, (rng.randint(2, 5), thing, rng.randint(2, 5))))


@dataclass(frozen=True)
class Share:
    """Things shared out evenly, after some were added or taken."""

    kind: ClassVar[str] = "share"
    forms: ClassVar[tuple[str, ...]] = (
        "{people} {group} share {total} {things} evenly.{steps} How many {things} for each?",
        "Share {total} {things} among {people} {group}.{steps} How many does each get?",
        "Divide {total} {things} between {people} {group}.{steps} How many {things} go to each?",
        "{name} has {total} {things} for {people} {group}.{steps} How many does each of the {group} get?",
    )
    ADD: ClassVar[str] = "But first {n} more are added."
    TAKE: ClassVar[str] = "But first {n} are taken out."
    name: str
    things: str
    group: str
    total: int
    people: int
    steps: tuple[Step, ...] = ()

    @classmethod
    def make(cls, rng: random.Random, size: int) -> Self:
        people = rng.randint(2, 5)
        made = cls(rng.choice(NAMES), rng.choice(THINGS), rng.choice(GROUPS), people * rng.randint(2, 6), people)
        for _ in range(size - 2):
            made = made.harder(rng)
        return made

    @classmethod
    def read(cls, slots: Slots) -> Self | None:
        total, people, steps = number_in(slots["total"]), number_in(slots["people"]), list[Step]()
        for sentence in re.findall(r"[^.]+\.", slots["steps"]):
            for sign, form in (("+", cls.ADD), ("-", cls.TAKE)):
                found = pattern(form).fullmatch(sentence.strip())
                if found and (n := number_in(found["n"])) is not None:
                    steps.append((sign, n))
                    break
            else:
                return None
        if total is None or not people or not stays_small(total, tuple(steps)) or result(total, tuple(steps)) % people:
            return None
        return cls(slots.get("name", "someone"), slots["things"], slots["group"], total, people, tuple(steps))

    @property
    def size(self) -> int:
        return 2 + len(self.steps)

    def slots(self, rng: random.Random) -> Slots:
        steps = "".join(f" {(self.ADD if sign == '+' else self.TAKE).format(n=n)}" for sign, n in self.steps)
        return {
            "name": self.name,
            "things": self.things,
            "group": self.group,
            "total": str(self.total),
            "people": str(self.people),
            "steps": steps,
        }

    def working(self) -> list[str]:
        return chain(self.total, (*self.steps, ("/", self.people)))

    def value(self) -> str:
        return str(result(self.total, self.steps) // self.people)

    def sentence(self, value: str) -> str:
        return f"Each gets {value} {self.things}."

    def slips(self, rng: random.Random) -> str:
        return near_number(int(self.value()), rng)

    def harder(self, rng: random.Random) -> Self:
        now, n = result(self.total, self.steps), self.people * rng.randint(1, 2)
        return replace(self, steps=(*self.steps, ("-", n) if now > n and rng.random() < 0.5 else ("+", n)))
