"""The artifacts of one flow run, on Prefect's server: put up, and brought up to date.

What a run shows is not what it does: where the server does not take something, the log says so once and the run goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from logging import Logger, LoggerAdapter
from typing import Any, TypeVar
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.exceptions import PrefectException

Log = Logger | LoggerAdapter[Any]
T = TypeVar("T")


class Artifacts:
    """The artifacts of one flow run, each known by its key. Used from one thread at a time."""

    def __init__(self, client: SyncPrefectClient, flow_run_id: UUID, log: Log) -> None:
        self._client, self._flow_run_id, self._log = client, flow_run_id, log
        self._pinned: dict[str, tuple[UUID, Any]] = {}
        self._told = False
        self.failing = False

    def pin(self, key: str, kind: str, data: Any, description: str) -> UUID | None:
        """Put an artifact up, or bring it up to date; its id. None where the server did not take it.

        `kind`: progress (`data` in per cent), table (JSON of a list of rows) or markdown. The first line of the
        description is what the UI shows on its card.
        """
        known, content = self._pinned.get(key), (data, description)
        if known is not None and known[1] == content:
            return known[0]

        def put() -> UUID:
            if known is not None:
                self._client.update_artifact(known[0], ArtifactUpdate(data=data, description=description))
                return known[0]
            new = ArtifactCreate(key=key, type=kind, data=data, description=description, flow_run_id=self._flow_run_id)
            return self._client.create_artifact(new).id

        pinned = self._spared(put)
        if pinned is not None:
            self._pinned[key] = pinned, content
        return pinned

    def tag(self, tags: set[str]) -> None:
        """Add tags to the flow run. Its task runs get none: Prefect asks its server about every tag of a task run."""

        def put() -> None:
            known = self._client.read_flow_run(self._flow_run_id).tags
            self._client.update_flow_run(self._flow_run_id, tags=sorted({*known, *tags}))

        self._spared(put)

    def _spared(self, work: Callable[[], T]) -> T | None:
        """Ask the server for something that the run does not depend on."""
        try:
            done = work()
        except (httpx.HTTPError, PrefectException) as error:
            self.failing = True
            if not self._told:
                self._told = True
                self._log.warning(
                    "the UI does not show all of this run, which goes on: %s: %s", type(error).__name__, error
                )
            return None
        self.failing = False
        return done
