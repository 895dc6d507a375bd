"""A sign of life of a run, every 30 s, without which a server's automation marks it Crashed.

Prefect's own heartbeat (PREFECT_FLOWS_HEARTBEAT_FREQUENCY, which a worker's runs have) sleeps whole seconds, and a flow run
waits for it at its end. This one ends at once. Where nobody says how often, Prefect's comes every 180 s, which is too late.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context

from prefect.context import SettingsContext, get_settings_context
from prefect.events import emit_event
from prefect.runtime import flow_run
from prefect.settings import get_current_settings

HEARTBEAT_S = 30.0
HEARTBEAT = "prefect.flow-run.heartbeat"


@contextmanager
def heartbeats() -> Iterator[None]:
    """Give signs of life of the flow run while the block runs, where Prefect gives none or too few."""
    every_s = get_current_settings().flows.heartbeat_frequency
    if every_s is not None and every_s <= HEARTBEAT_S:
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


@contextmanager
def without_prefects() -> Iterator[None]:
    """Flow runs that begin in this block have no heartbeat of Prefect's own, unless a setting says how often."""
    now = get_settings_context()
    flows = now.settings.flows
    if "heartbeat_frequency" in flows.model_fields_set:
        yield
        return
    # a copy: Prefect's `temporary_settings` reads the environment and its files again
    without = now.settings.model_copy(update={"flows": flows.model_copy(update={"heartbeat_frequency": None})})
    with SettingsContext(profile=now.profile, settings=without):
        yield
