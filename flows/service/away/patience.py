"""A process that runs flows, and Prefect's server: patient while it is away, and left in bounded time.

with patience():      # what Prefect's engine asks its server waits for one that is away
    flow(config)
leave()               # in bounded time
"""

from __future__ import annotations

# ruff: noqa: T201 - what a process says at its end
import asyncio
import atexit
import math
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from typing import Any

import httpx
from prefect._internal.concurrency.api import create_call, from_sync
from prefect.client.base import ServerType
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.context import SyncClientContext
from prefect.events.worker import EventsWorker, ProcessPoolForwardingEventsClient
from prefect.logging.handlers import set_api_log_sink

from flows.service.away.outage import SLOWEST_S, ServerAway, be_patient, late, outage
from flows.service.away.outbox import Outbox
from flows.service.away.untold import keep_untold
from flows.service.server.reachable import without_password

_outboxes: dict[str, Outbox] = {}
"""By the URL of the server."""


@contextmanager
def patience() -> Iterator[None]:
    """All that Prefect's engine asks its server in this block waits for one that is away. Raises ServerAway."""
    context = SyncClientContext()
    be_patient(context.client, outage, late)
    with ExitStack() as stack:
        try:
            stack.enter_context(context)
        except RuntimeError as error:  # it could not ask for the server's version
            raise (error.__cause__ if isinstance(error.__cause__, ServerAway) else error) from None
        yield


def start_outbox() -> None:
    """Have the log and the events of the flow run that is beginning go through an outbox, and its client wait.

    Prefect Cloud is left to Prefect.
    """
    client = get_client(sync_client=True)
    if client.server_type == ServerType.CLOUD:
        return
    be_patient(client, outage, late)
    url = str(client.api_url)
    if url not in _outboxes:
        if not _outboxes:
            atexit.register(_leave_at_exit)
        _outboxes[url] = Outbox(_client_of_its_own(url), outage, late)
    set_api_log_sink(_outboxes[url].line)
    EventsWorker.set_client_override(ProcessPoolForwardingEventsClient, event_queue=_outboxes[url])


def settle(most_s: float = math.inf) -> None:
    """Wait until the server has been told all so far, as long as it is waited for, and at most so many seconds."""
    deadline = time.monotonic() + most_s
    drained = EventsWorker.drain_all(timeout=min(most_s, max(1.0, outage.left_s())))
    assert isinstance(drained, tuple), "called where a loop runs"
    if drained[1]:  # it asks the server what an event is about
        from_sync.call_soon_in_loop_thread(create_call(_cancel_all)).result()
    for outbox in _outboxes.values():
        outbox.flush(deadline)


def leave(most_s: float = math.inf) -> str:
    """Wait as `settle`, once more; one line that says what the server was not told, else nothing.

    What it was not told of the flow run itself is kept for `tell_untold`.
    """
    settle(most_s)
    keep_untold(late.requests(), late.run_counts)
    untold = [outbox.untold() for outbox in _outboxes.values()]
    lines, events = (sum(counts) for counts in zip(*untold, strict=True)) if untold else (0, 0)
    parts = [*late.facts(), *_counted(lines, "line", " of the log"), *_counted(events, "event")]
    if not parts:
        return ""
    return f"the Prefect server at {', '.join(map(without_password, _outboxes))} has gone away and was not told: {', '.join(parts)}"


def _client_of_its_own(url: str) -> SyncPrefectClient:
    told: dict[str, Any] = {"timeout": httpx.Timeout(SLOWEST_S)}
    if not url.startswith("https:"):  # with nothing to verify, the authorities' certificates need not be read
        told["verify"] = SSLContext(PROTOCOL_TLS_CLIENT)
    return get_client(sync_client=True, httpx_settings=told)


def _leave_at_exit() -> None:
    """For a process that a worker has started; the command has left before."""
    line = leave()
    for outbox in _outboxes.values():
        outbox.close()
    if line:
        with suppress(OSError, ValueError):  # nobody listens any more
            print(f"stillroom: {line}", file=sys.stderr)


def _counted(count: int, what: str, of: str = "") -> list[str]:
    return [f"{count:,} {what}{'' if count == 1 else 's'}{of}"] if count else []


async def _cancel_all() -> None:
    """Give up all that Prefect's own workers are at: at the end of the process they would be waited for without a bound."""
    for task in asyncio.all_tasks():
        if task is not asyncio.current_task():
            task.cancel()
