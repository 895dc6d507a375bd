"""The two statements that the ledger lives on, a batch each: add answers, and find them.

Written out, since SQLAlchemy builds them value by value; and one statement for many rows, since SQLite's module lets
other threads in with each one, and then has to wait for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

ADDED = ("key", "model", "text", "finish_reason", "prompt_tokens", "completion_tokens", "extra")
FOUND = tuple(column for column in ADDED if column != "model")
AT_ONCE = 128
"""Rows of one statement: of a few values each, and some builds of SQLite take 999."""


def add(connection: sa.Connection, rows: Sequence[tuple[Any, ...]]) -> int:
    """Add rows of the columns `ADDED`, but those whose key is there already. Returns how many were added."""
    added = 0
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        values = tuple(value for row in some for value in row)
        added += connection.exec_driver_sql(_add(len(some), connection.dialect.paramstyle), values).rowcount
    return added


def find(connection: sa.Connection, keys: Sequence[bytes]) -> list[Sequence[Any]]:
    """The rows with these keys, of the columns `FOUND`."""
    found: list[Sequence[Any]] = []
    for start in range(0, len(keys), AT_ONCE):
        some = tuple(keys[start : start + AT_ONCE])
        found += connection.exec_driver_sql(_find(len(some), connection.dialect.paramstyle), some).all()
    return found


@lru_cache(maxsize=2 * AT_ONCE)
def _add(rows: int, style: str) -> str:
    places = ", ".join([_places(len(ADDED), style)] * rows)
    return f"INSERT INTO completions ({', '.join(ADDED)}) VALUES {places} ON CONFLICT DO NOTHING"


@lru_cache(maxsize=2 * AT_ONCE)
def _find(keys: int, style: str) -> str:
    return f"SELECT {', '.join(FOUND)} FROM completions WHERE key IN {_places(keys, style)}"


def _places(count: int, style: str) -> str:
    return f"({', '.join(['?' if style == 'qmark' else '%s'] * count)})"
