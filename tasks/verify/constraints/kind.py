"""What a kind of constraint is: how its parameters are drawn, how an answer is checked, and what it does not go with.

The words that say a constraint are prompts: `prompts/<set>/<language>/constrained/lists.yaml` has them by the kind's name.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Parameters = Mapping[str, Any]
"""Of a constraint: whole numbers, texts and lists of texts."""
SPACED = frozenset({"en", "vi"})
"""The languages of ours with spaces between words, and with upper and lower case."""
ALL_LANGUAGES = frozenset({"en", "vi", "zh", "ja"})


class ConstraintFinding(NamedTuple):
    """Whether an answer keeps a constraint, and the figure that says so."""

    passed: bool
    figure: str


@dataclass(frozen=True)
class Drawing:
    """What parameters are drawn from: a seeded generator, the words of the language, and the instruction itself."""

    rng: random.Random
    lists: Mapping[str, Sequence[str]]
    language: str
    instruction: str

    def one(self, name: str) -> str:
        """One of the words in a list."""
        return self.rng.choice(self.lists[name])

    def some(self, name: str, count: int) -> list[str]:
        """Several different words of a list."""
        return self.rng.sample(self.lists[name], min(count, len(self.lists[name])))

    def number(self, least: int, most: int, step: int = 1) -> int:
        """A whole number, `most` among them."""
        return self.rng.randrange(least, most + 1, step)


Check = Callable[[str, Parameters, str], ConstraintFinding]
"""Of an answer, the parameters and the language: the same for the same texts always."""


@dataclass(frozen=True)
class ConstraintKind:
    """A kind of constraint.

    `aspects`: what of an answer it rules over: of two kinds that share one, an answer may not be able to keep both, so
    they are never drawn together. `literals`: texts that an answer has to hold. `forbids`: it may fail for a text that is
    there, so that it has to let the literals of the others pass. `ifeval`: whether IFEval has it. `by_name_only`: drawn
    only where the user names it, since it does not suit every instruction or needs something installed.
    """

    name: str
    draw: Callable[[Drawing], dict[str, Any]]
    check: Check
    aspects: frozenset[str]
    languages: frozenset[str] = ALL_LANGUAGES
    literals: Callable[[Parameters], Sequence[str]] = field(default=lambda _: ())
    forbids: bool = False
    ifeval: bool = False
    by_name_only: bool = False


def at_least(figure: int, least: int, unit: str) -> ConstraintFinding:
    """The finding for a count with a lower bound."""
    return ConstraintFinding(figure >= least, f"{figure} {unit}, at least {least}")


def at_most(figure: int, most: int, unit: str) -> ConstraintFinding:
    """The finding for a count with an upper bound."""
    return ConstraintFinding(figure <= most, f"{figure} {unit}, at most {most}")


def exactly(figure: int, count: int, unit: str) -> ConstraintFinding:
    """The finding for a count that is told."""
    return ConstraintFinding(figure == count, f"{figure} {unit}, not {count}" if figure != count else f"{count} {unit}")


def aspects(*names: str) -> frozenset[str]:
    """What a kind rules over."""
    return frozenset(names)
