"""The batches of a ledger that are under way, for people: how they stand, and an end to one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
import sqlalchemy as sa

from tasks.errors import ConfigError
from tasks.ledger.batches import records
from tasks.ledger.batches.records import BatchRecord
from tasks.ledger.database import open_database
from tasks.models.batching import BatchApi, TakesBatches
from tasks.models.config import ModelConfig
from tasks.models.open import open_model
from tasks.storage.home import ledger_wait_s


class OpenBatches:
    """The batches under way that the ledger at a URL knows of. Raises ConfigError where it cannot be opened."""

    def __init__(self, url: str) -> None:
        self._engine: sa.Engine = open_database(url, ledger_wait_s())

    async def told(self) -> list[dict[str, Any]]:
        """Each batch as plain JSON, with what its provider says of it; the oldest first."""
        with self._engine.connect() as connection:
            found = [(record, records.left_in(connection, record.tag)) for record in records.all_records(connection)]
        return [_told(record, left, await self._status(record)) for record, left in found]

    async def cancel(self, batch: str) -> None:
        """Have its provider end a batch. Raises ConfigError where there is none of this id."""
        record = self._found(batch)
        async with _api_of(record) as api:
            await api.cancel(record.batch)

    def forget(self, batch: str) -> None:
        """Take away what is written down of a batch, by its id or tag: whoever needs its requests pays for them again."""
        record = self._found(batch)
        with self._engine.begin() as connection:
            records.close_batch(connection, record.tag)

    async def _status(self, record: BatchRecord) -> str:
        if not record.batch:
            return "not known to have been created"
        try:
            async with _api_of(record) as api:
                state = await api.look(record.batch)
        except ConfigError as error:
            return str(error)
        return f"{state.status}, {state.done:,} of {state.lines:,} done"

    def _found(self, batch: str) -> BatchRecord:
        with self._engine.connect() as connection:
            known = records.all_records(connection)
        found = next((record for record in known if batch in (record.batch, record.tag.hex())), None)
        if found is None:
            raise ConfigError("no batch of this name is under way", batch, "see: stillroom batches")
        return found


@asynccontextmanager
async def _api_of(record: BatchRecord) -> AsyncIterator[BatchApi]:
    """The API that a batch is at, for as long as the block runs."""
    model = open_model(ModelConfig(**orjson.loads(record.address)))
    try:
        assert isinstance(model, TakesBatches)
        yield model.batches()
    finally:
        await model.close()


def _told(record: BatchRecord, left: int, status: str) -> dict[str, Any]:
    return {
        "batch": record.batch,
        "tag": record.tag.hex(),
        "model": orjson.loads(record.address)["name"],
        "requests": record.lines,
        "left": left,
        "prepared": datetime.fromtimestamp(record.prepared_at / 1000, UTC).isoformat(timespec="seconds"),
        "status": status,
    }
