"""The statements of leases, each for many requests at once. Times are the database's own, in milliseconds.

A lease is a row of `request_leases`: whose it is, and until when. One that has run out is as good as none.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import sqlalchemy as sa

from tasks.ledger.statements import KEYS_AT_ONCE, batches, placeholder, placeholders

TABLE = "request_leases"
NOW = {
    "sqlite": "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
}


def claim(connection: sa.Connection, keys: Sequence[bytes], owner: str, lease_ms: int) -> set[bytes]:
    """Lease the requests that nobody else has a lease on. Returns which they are."""
    claimed: set[bytes] = set()
    for some in batches(keys):
        made = connection.exec_driver_sql(_claim(len(some), connection.dialect.name), (owner, lease_ms, *some))
        if made.rowcount == len(some):
            claimed |= set(some)
        else:
            claimed |= {key for key, whose in held(connection, some) if whose == owner}
    return claimed


def held(connection: sa.Connection, keys: Sequence[bytes]) -> list[tuple[bytes, str]]:
    """The requests among these that have a lease, each with the holder of it."""
    found: list[tuple[bytes, str]] = []
    for some in batches(keys):
        rows = connection.exec_driver_sql(_held(len(some), connection.dialect.name), some)
        found += [(bytes(row[0]), row[1]) for row in rows]
    return found


def end(connection: sa.Connection, keys: Sequence[bytes]) -> None:
    """End the leases on requests that have been answered, whoever has them."""
    for some in batches(keys):
        connection.exec_driver_sql(_end(len(some), connection.dialect.name), some)


def release(connection: sa.Connection, keys: Sequence[bytes], owner: str) -> None:
    """Give up leases, where they are still this owner's."""
    for some in batches(keys):
        one = placeholder(connection.dialect.name)
        connection.exec_driver_sql(f"{_end(len(some), connection.dialect.name)} AND owner = {one}", (*some, owner))


def renew(connection: sa.Connection, owner: str, lease_ms: int) -> None:
    """Have all leases of an owner run from now on."""
    one, now = placeholder(connection.dialect.name), NOW[connection.dialect.name]
    statement = f"UPDATE {TABLE} SET expires_at = {now} + CAST({one} AS BIGINT) WHERE owner = {one}"
    connection.exec_driver_sql(statement, (lease_ms, owner))


def forget(connection: sa.Connection, owner: str) -> None:
    """Give up all leases of an owner."""
    connection.exec_driver_sql(f"DELETE FROM {TABLE} WHERE owner = {placeholder(connection.dialect.name)}", (owner,))


def sweep(connection: sa.Connection) -> None:
    """Take away the leases that have run out: of requests that nobody has asked for again."""
    connection.exec_driver_sql(f"DELETE FROM {TABLE} WHERE expires_at <= {NOW[connection.dialect.name]}")


@lru_cache(maxsize=2 * KEYS_AT_ONCE)
def _claim(keys: int, dialect: str) -> str:
    one, now = placeholder(dialect), NOW[dialect]
    return (
        f"INSERT INTO {TABLE} (key, owner, expires_at)"
        f" SELECT column1, CAST({one} AS TEXT), {now} + CAST({one} AS BIGINT)"
        f" FROM (VALUES {', '.join([placeholders(1, dialect)] * keys)}) AS asked WHERE true"
        " ON CONFLICT (key) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at"
        f" WHERE {TABLE}.expires_at <= {now}"
    )


@lru_cache(maxsize=2 * KEYS_AT_ONCE)
def _held(keys: int, dialect: str) -> str:
    return f"SELECT key, owner FROM {TABLE} WHERE key IN {placeholders(keys, dialect)} AND expires_at > {NOW[dialect]}"


@lru_cache(maxsize=2 * KEYS_AT_ONCE)
def _end(keys: int, dialect: str) -> str:
    return f"DELETE FROM {TABLE} WHERE key IN {placeholders(keys, dialect)}"
