"""A sign of life of a run, every 30 s, without which a server's automation marks it Crashed.

Prefect's own heartbeat (PREFECT_FLOWS_HEARTBEAT_FREQUENCY, which a worker's runs have) sleeps whole seconds, and a flow run
waits for it at its end. This one ends at once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context

from prefect.events import emit_event
from prefect.runtime import flow_run
from prefect.settings import get_current_settings

HEARTBEAT_S = 30.0
HEARTBEAT = "prefect.flow-run.heartbeat"


@contextmanager
def heartbeats() -> Iterator[None]:
    """Give signs of life of the flow run while the block runs, where Prefect gives none."""
    if get_current_settings().flows.heartbeat_frequency is not None:
        yield
        return
    over = threading.Event()
    resource = {"prefect.resource.id": f"prefect.flow-run.{flow_run.id}", "prefect.resource.name": str(flow_run.name)}

    def beat() -> None:
        while not over.is_set():
            emit_event(HEARTBEAT, resource=resource)  # Prefect adds the flow and the deployment
            over.wait(HEARTBEAT_S)

    thread = threading.Thread(target=copy_context().run, args=(beat,), name="stillroom-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
