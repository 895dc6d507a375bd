"""A change to the code that breaks a law, and the tests that have to notice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """A change that breaks a law: each `old` in a file becomes its `new`; `tests` are those that have to notice."""

    name: str
    file: str
    changes: tuple[tuple[str, str], ...]
    tests: str
