"""What is written down of the batches under way, beside the leases: each batch, and the requests that are in it.

A batch is written down before it is created, with a tag that its provider is told, and taken away once all its answers
are committed. Meanwhile its requests are leased to the batch itself, so that nobody else pays for them. The tables are made
with the first batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from tasks.ledger.database import CREATION_LOCK
from tasks.ledger.lease_statements import NOW, TABLE, claim
from tasks.ledger.owner import batch_owner
from tasks.ledger.statements import batches as parts_of
from tasks.ledger.statements import placeholder, placeholders

HELD_MS = 31 * 24 * 3600 * 1000  # providers keep answers for 29 or 30 days
BATCHES, LINES = "request_batches", "request_batch_lines"

_metadata = sa.MetaData()
_batches = sa.Table(
    BATCHES,
    _metadata,
    sa.Column("tag", sa.LargeBinary(16), primary_key=True),
    sa.Column("model", sa.String, nullable=False),
    sa.Column("address", sa.String, nullable=False, comment="JSON: name, provider, api_key_env of the model"),
    sa.Column("path", sa.String, nullable=False),
    sa.Column("lines", sa.BigInteger, nullable=False),
    sa.Column("prepared_at", sa.BigInteger, nullable=False, comment="milliseconds since 1970"),
    sa.Column("upload", sa.String, nullable=False, server_default="", comment="what the provider calls the lines"),
    sa.Column("batch", sa.String, nullable=False, server_default="", comment="the provider's id, once it is known"),
)
_lines = sa.Table(
    LINES,
    _metadata,
    sa.Column("key", sa.LargeBinary(16), primary_key=True),
    sa.Column("tag", sa.LargeBinary(16), nullable=False, index=True),
    sa.Column("request", sa.LargeBinary, nullable=False, comment="JSON"),
)


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """A batch as it is written down. `model`: the identity; `batch`: the provider's id, "" as long as it is not known."""

    tag: bytes
    model: str
    address: str
    path: str
    lines: int
    prepared_at: int = 0
    upload: str = ""
    batch: str = ""


def are_there(connection: sa.Connection) -> bool:
    """Whether any batch has ever been written down here."""
    return sa.inspect(connection).has_table(LINES)


def make_tables(connection: sa.Connection) -> None:
    """Make the tables, where there are none: one process at a time, since PostgreSQL's IF NOT EXISTS lets two collide."""
    if connection.dialect.name == "postgresql":
        if are_there(connection):  # to whoever may not make tables that is refused even where they are
            return
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(CREATION_LOCK)))
    for table in (_batches, _lines):
        connection.execute(sa.schema.CreateTable(table, if_not_exists=True))
    for index in _lines.indexes:
        connection.execute(sa.schema.CreateIndex(index, if_not_exists=True))


def prepare(
    connection: sa.Connection, record: BatchRecord, requests: Mapping[bytes, bytes], owners: Sequence[str]
) -> set[bytes]:
    """Write down a batch and lease its requests to it: those that are still leased to one of `owners`. Returns which.

    Where none is, nothing is written down.
    """
    dialect = connection.dialect.name
    one, now = placeholder(dialect), NOW[dialect]
    keys = sorted(requests)
    taken: set[bytes] = set()
    for some in parts_of(keys):
        held = f"SELECT key FROM {TABLE} WHERE key IN {placeholders(len(some), dialect)} AND owner IN {placeholders(len(owners), dialect)}"
        taken |= {bytes(row[0]) for row in connection.exec_driver_sql(held, (*some, *owners))}
    if not taken:
        return taken
    for some in parts_of(sorted(taken)):
        lease = f"UPDATE {TABLE} SET owner = {one}, expires_at = {now} + CAST({one} AS BIGINT) WHERE key IN {placeholders(len(some), dialect)}"
        connection.exec_driver_sql(lease, (batch_owner(record.tag), HELD_MS, *some))
    values = (record.tag, record.model, record.address, record.path, len(taken))
    noted = (
        f"INSERT INTO {BATCHES} (tag, model, address, path, lines, prepared_at) VALUES ({', '.join([one] * 5)}, {now})"
    )
    connection.exec_driver_sql(noted, values)
    for some in parts_of(sorted(taken)):
        connection.exec_driver_sql(f"DELETE FROM {LINES} WHERE key IN {placeholders(len(some), dialect)}", some)
        connection.execute(_lines.insert(), [{"key": k, "tag": record.tag, "request": requests[k]} for k in some])
    return taken


def restore(connection: sa.Connection, batches: Sequence[dict[str, Any]], lines: Sequence[dict[str, Any]]) -> None:
    """Write down what another ledger had written down, by column, and lease the requests to their batches."""
    connection.execute(_batches.insert(), list(batches))
    if lines:
        connection.execute(_lines.insert(), list(lines))
    for batch in batches:
        keys = sorted(line["key"] for line in lines if line["tag"] == batch["tag"])
        claim(connection, keys, batch_owner(batch["tag"]), HELD_MS)


def note(connection: sa.Connection, tag: bytes, **known: str) -> None:
    """Write down what the provider calls the lines (`upload`), or the batch (`batch`)."""
    connection.execute(_batches.update().where(_batches.c.tag == tag).values(**known))


def find_record(connection: sa.Connection, tag: bytes) -> BatchRecord | None:
    """A batch under way."""
    found = all_records(connection, _batches.c.tag == tag)
    return found[0] if found else None


def records_of(connection: sa.Connection, model: str) -> list[BatchRecord]:
    """The batches under way of a model."""
    return all_records(connection, _batches.c.model == model)


def all_records(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> list[BatchRecord]:
    """The batches under way, the oldest first."""
    if not are_there(connection):
        return []
    rows = connection.execute(sa.select(_batches).where(*which).order_by(_batches.c.prepared_at, _batches.c.tag))
    return [BatchRecord(bytes(row[0]), *row[1:]) for row in rows]


def requests_of_batch(connection: sa.Connection, tag: bytes, keys: Sequence[bytes]) -> dict[bytes, bytes]:
    """The requests among these that this batch holds and that are not answered yet, each with its key."""
    found: dict[bytes, bytes] = {}
    for some in parts_of(keys):
        asked = sa.select(_lines.c.key, _lines.c.request).where(_lines.c.tag == tag, _lines.c.key.in_(some))
        found |= {bytes(row[0]): bytes(row[1]) for row in connection.execute(asked)}
    return found


def left_in(connection: sa.Connection, tag: bytes) -> int:
    """How many requests of a batch are not answered yet."""
    return connection.execute(sa.select(sa.func.count()).select_from(_lines).where(_lines.c.tag == tag)).scalar_one()


def take_out(connection: sa.Connection, keys: Sequence[bytes]) -> None:
    """Requests of a batch are answered."""
    for some in parts_of(keys):
        connection.execute(_lines.delete().where(_lines.c.key.in_(some)))


def now_s(connection: sa.Connection) -> float:
    """The database's time, in seconds since 1970."""
    return float(connection.exec_driver_sql(f"SELECT {NOW[connection.dialect.name]}").scalar_one()) / 1000


def close_batch(connection: sa.Connection, tag: bytes) -> None:
    """A batch is over: what is not answered is nobody's any more."""
    one = placeholder(connection.dialect.name)
    connection.exec_driver_sql(f"DELETE FROM {TABLE} WHERE owner = {one}", (batch_owner(tag),))
    connection.execute(_lines.delete().where(_lines.c.tag == tag))
    connection.execute(_batches.delete().where(_batches.c.tag == tag))
