"""Whether a worker's run is still this process's: a process that was given up for dead asks for nothing any more.

A machine that slept, or a process that stood still, may find its run marked Crashed, cancelled, or begun again by another
process. So the server is asked every few seconds, and by the first request after each pause longer than that, before it
is made. While the server is away the run goes on, as it was when the server was last heard.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import ObjectNotFound

from flows.service.away.outage import Late, Outage, ServerAway, be_patient
from flows.service.clock import clock
from tasks.engine.process import process
from tasks.errors import Interrupted

EVERY_S = 5.0
STALE_S = 3 * EVERY_S
"""What was heard longer ago is not known any more: this process has stood still."""
TIMEOUT_S = 5.0
CANCELLING_LOOKS = 2
OURS = (StateType.RUNNING, StateType.PENDING)
_begun: dict[UUID, int] = {}
"""How often each run had begun when this process took it on."""


def worker_run() -> UUID | None:
    """The flow run that a worker has started this process for; None in a command."""
    run = os.environ.get("PREFECT__FLOW_RUN_ID")
    return UUID(run) if run else None


class Ownership:
    """Looks whether a flow run is still this process's, and stops the process's runs once it is not. `lost`: why."""

    def __init__(self, client: SyncPrefectClient, run: UUID) -> None:
        self._client, self._run = client, run
        self._heard_s = clock()
        self._looking = threading.Lock()
        self._over = threading.Event()
        self.lost: str | None = None
        self.was_cancelled = False
        self._cancelling = 0
        self._look()
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._watch,), name="stillroom-own", daemon=True
        )
        self._thread.start()

    def confirm(self) -> None:
        """Pass while the run is this process's. From any thread. Raises Interrupted."""
        if self.lost is None and clock() - self._heard_s > STALE_S:
            with self._looking:  # the first one looks, the others wait
                if clock() - self._heard_s > STALE_S:
                    self._look()
        if self.lost is not None:
            raise Interrupted(self.lost)

    def end(self) -> None:
        """Stop asking the server."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(EVERY_S) and self.lost is None:
            with self._looking:
                self._look()

    def _look(self) -> None:
        try:
            self._judge(self._client.read_flow_run(self._run))
        except ObjectNotFound:
            self._lose("it was deleted")
        except ServerAway:
            pass  # it goes on
        self._heard_s = clock()

    def _judge(self, run: FlowRun) -> None:
        if run.run_count != _begun.setdefault(run.id, run.run_count):
            self._lose(f"another process has begun it again ({run.run_count} times by now)")
        elif run.state_type == StateType.CANCELLING:
            self._cancelling += 1  # its worker sends SIGTERM, and says Cancelled afterwards; unless it has gone
            if self._cancelling > CANCELLING_LOOKS:
                self.was_cancelled = True
                self._lose("it was cancelled")
        elif run.state_type not in OURS:
            self._lose(f"it is {run.state_name} by now")

    def _lose(self, why: str) -> None:
        self.lost = why
        process.stop()


@contextmanager
def owning(run: UUID) -> Iterator[Ownership]:
    """Look after a flow run of a worker while the block runs."""
    with get_client(sync_client=True, httpx_settings={"timeout": TIMEOUT_S}) as client:
        be_patient(client, Outage(0.0), Late(), waits=False)
        ownership = Ownership(client, run)
        try:
            yield ownership
        finally:
            ownership.end()
