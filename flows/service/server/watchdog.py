"""The watchdog, an automation that marks a run without heartbeats as Crashed, made careful: it marks no run that lives.

A machine that slept wakes up with all its runs: none could give a sign of life meanwhile, and none is dead for that. Prefect
counts the time all the same, and even the first heartbeat after it comes too late. So after a start or a wake the watchdog
waits for a heartbeat anew, and one that comes late is one that came. And a run that is not Running has no heartbeats:
after a start Prefect holds back the events that would say so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect.server.events import triggers
from prefect.server.events.schemas.automations import Posture
from prefect.server.models.flow_runs import read_flow_run
from prefect.server.schemas.states import StateType

from flows.service.clock import clock
from flows.service.heartbeat import HEARTBEAT, HEARTBEAT_S

TICK_S = 2.0
SLEPT_S = 15.0
"""A pause between two ticks that is no business of a busy server."""
PAUSE_S = HEARTBEAT_S + 10.0
RUN = "prefect.flow-run."


class Wakefulness:
    """Notices that this process has stood still. `woke_s`: when it began, or went on."""

    def __init__(self, clock: Callable[[], float] = clock) -> None:
        self._clock = clock
        self.woke_s = self._ticked_s = clock()

    def tick(self) -> None:
        """Called all the time, as long as the process runs."""
        now = self._clock()
        if now - self._ticked_s > SLEPT_S:
            self.woke_s = now
        self._ticked_s = now

    def has_just_woken(self) -> bool:
        """Whether a heartbeat may not have come yet."""
        self.tick()  # nobody else may have had a turn since
        return self._clock() - self.woke_s < PAUSE_S

    def keep_ticking(self) -> None:
        """Tick in a thread of its own."""

        def work() -> None:
            while True:
                time.sleep(TICK_S)
                self.tick()

        threading.Thread(target=work, name="stillroom-wake", daemon=True).start()


def make_watchdog_careful() -> None:
    """Have the automations of this process, which is a server, heed both."""
    wakefulness, evaluate = Wakefulness(), triggers.evaluate
    start_new_bucket: Any = triggers.start_new_bucket
    remove_bucket: Any = triggers.remove_bucket
    wakefulness.keep_ticking()

    async def evaluate_carefully(session: Any, trigger: Any, bucket: Any, now: Any, triggering_event: Any) -> Any:
        is_watchdog = trigger.posture == Posture.Proactive and HEARTBEAT in trigger.after
        if not is_watchdog or bucket.end > now:
            return await evaluate(session, trigger, bucket, now, triggering_event)
        if triggering_event is not None and trigger.starts_after(triggering_event.event):
            wait = trigger.within
        elif triggering_event is not None or not await _may_be_running(session, bucket.bucketing_key):
            return await remove_bucket(session, bucket)  # what was waited for has come, or will not
        elif wakefulness.has_just_woken():
            wait = timedelta(seconds=PAUSE_S)
        else:
            return await evaluate(session, trigger, bucket, now, triggering_event)
        key, event = tuple(bucket.bucketing_key), triggering_event or bucket.last_event
        return await start_new_bucket(
            session, trigger, bucketing_key=key, start=now, end=now + wait, count=0, last_event=event
        )

    triggers.evaluate = evaluate_carefully


async def _may_be_running(session: Any, key: Sequence[str]) -> bool:
    """Whether what an automation waits for is a run under way, or no run at all."""
    resource = next(iter(key), "")
    if not resource.startswith(RUN):
        return True
    read: Any = read_flow_run
    run = await read(session, UUID(resource.removeprefix(RUN)))
    return run is not None and run.state_type == StateType.RUNNING
