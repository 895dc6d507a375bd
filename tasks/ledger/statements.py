"""The two statements that the ledger lives on, a batch each: add answers, and find them.

Written out, since SQLAlchemy builds them value by value; and one statement for many rows, since SQLite's module lets
other threads in with each one, and then has to wait for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import sqlalchemy as sa

T = TypeVar("T")
ADDED = ("key", "model", "text", "finish_reason", "prompt_tokens", "completion_tokens", "extra")
FOUND = tuple(column for column in ADDED if column != "model")
KEYS_AT_ONCE = 128
"""Rows of one statement: of a few values each, and some builds of SQLite take 999."""


def add(connection: sa.Connection, rows: Sequence[tuple[Any, ...]]) -> int:
    """Add rows of the columns `ADDED`, but those whose key is there already. Returns how many were added."""
    added = 0
    for some in batches(rows):
        values = tuple(value for row in some for value in row)
        added += connection.exec_driver_sql(_add(len(some), connection.dialect.name), values).rowcount
    return added


def find(connection: sa.Connection, keys: Sequence[bytes]) -> list[Sequence[Any]]:
    """The rows with these keys, of the columns `FOUND`."""
    found: list[Sequence[Any]] = []
    for some in batches(keys):
        found += connection.exec_driver_sql(_find(len(some), connection.dialect.name), some).all()
    return found


@lru_cache(maxsize=2 * KEYS_AT_ONCE)
def _add(rows: int, dialect: str) -> str:
    values = ", ".join([placeholders(len(ADDED), dialect)] * rows)
    return f"INSERT INTO completions ({', '.join(ADDED)}) VALUES {values} ON CONFLICT DO NOTHING"


@lru_cache(maxsize=2 * KEYS_AT_ONCE)
def _find(keys: int, dialect: str) -> str:
    return f"SELECT {', '.join(FOUND)} FROM completions WHERE key IN {placeholders(keys, dialect)}"


def batches(values: Sequence[T]) -> Iterator[tuple[T, ...]]:
    """The values in as many parts as it takes statements."""
    for start in range(0, len(values), KEYS_AT_ONCE):
        yield tuple(values[start : start + KEYS_AT_ONCE])


def placeholder(dialect: str) -> str:
    """A value in a statement, as the database's driver has it."""
    return "?" if dialect == "sqlite" else "%s"


def placeholders(count: int, dialect: str) -> str:
    """A list of `count` values in a statement, in brackets."""
    return f"({', '.join([placeholder(dialect)] * count)})"
