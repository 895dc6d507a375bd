"""The runs that are on a server when `stillroom serve` begins: those cut short go on, those that were missed are settled.

A run goes on where nobody has it: it was our own worker's, which is gone, or it gives no sign of life. Of the nights
that were missed while nothing served, the newest starts and the others are skipped, so that three missed nights do not
cost three; a deployment that another one starts waits for that one.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import Scheduled

from flows.service.deployments.automations import is_chained
from flows.service.deployments.put import Json, specified
from flows.service.heartbeat import HEARTBEAT, HEARTBEAT_S

POOL = "stillroom"
CatchUp = Literal["newest", "all", "none"]
UNDER_WAY = (StateType.RUNNING, StateType.PENDING)
MISSED = ("Scheduled", "Late", "AwaitingConcurrencySlot")
FRESH_S = HEARTBEAT_S + 10.0
"""A run that has given no sign of life for so long has missed one."""
POLL_S = 1.0


@dataclass(frozen=True)
class Here:
    """The worker that is about to start on this machine, by its name, and what becomes of missed runs."""

    worker: str
    catch_up: CatchUp = "newest"


def settle_left_runs(client: SyncPrefectClient, here: Here) -> list[str]:
    """Have runs go on that nobody has, and skip what was missed; a line about each."""
    return [*_take_up_again(client, here), *_settle_missed(client, here.catch_up)]


def _take_up_again(client: SyncPrefectClient, here: Here) -> list[str]:
    """Schedule the runs that a worker, which is gone, has left under way: they go on from what was paid for."""
    runs = _runs(client, UNDER_WAY)
    others = {run.id: run for run in runs if run.labels.get("prefect.worker.name") != here.worker}
    alive = _alive(client, others.values())
    told = []
    for run in runs:
        if run.id in alive:
            told.append(f"left to its worker ({run.labels.get('prefect.worker.name', 'unknown')}): {run.name}")
            continue
        again: State[Any] = Scheduled(name="AwaitingRetry", message="its worker has gone; it goes on")
        client.set_flow_run_state(run.id, again, force=True)
        told.append(f"goes on: {run.name}")
    return told


def _alive(client: SyncPrefectClient, runs: Iterable[FlowRun]) -> set[UUID]:
    """Those that give a sign of life. Where one gives none, it is waited for as long as a heartbeat can take.

    A run tells a server that comes back what it could not tell before, in a second or two.
    """
    silent: set[UUID] = {run.id for run in runs}
    alive: set[UUID] = set()
    deadline = time.monotonic() + FRESH_S
    while silent:
        heard = {run for run in silent if _is_fresh(client, run)}
        silent, alive = silent - heard, alive | heard
        if not silent or time.monotonic() > deadline:
            break
        time.sleep(POLL_S)
    return alive


def _is_fresh(client: SyncPrefectClient, run: UUID) -> bool:
    since = (datetime.now(UTC) - timedelta(seconds=FRESH_S)).isoformat()
    about = {
        "resource": {"id": [f"prefect.flow-run.{run}"]},
        "event": {"name": [HEARTBEAT]},
        "occurred": {"since": since},
    }
    return bool(client.request("POST", "/events/filter", json={"filter": about, "limit": 1}).json()["events"])


def _settle_missed(client: SyncPrefectClient, catch_up: CatchUp) -> list[str]:
    """Skip the runs whose time has passed, but the newest of each deployment that no other one starts."""
    if catch_up == "all":
        return []
    missed = _missed(client)
    started = {name for name, runs in missed.items() if runs and catch_up == "newest"}
    told = []
    ours = {specification["name"]: specification for specification in specified()}
    for name in [*ours, *sorted(missed.keys() - ours.keys())]:  # those of the user's own configs last
        first = _waits_for(ours[name]) if name in ours and is_chained(client, ours[name]) else None
        waits = first in started
        skipped = missed.get(name, []) if waits or catch_up == "none" else missed.get(name, [])[:-1]
        why = f"{first} starts it" if waits else "the newest one starts" if catch_up == "newest" else "--catch-up none"
        for run in skipped:
            state: State[Any] = State(
                type=StateType.CANCELLED, name="Skipped", message=f"missed while nothing served; {why}"
            )
            client.set_flow_run_state(run.id, state, force=True)
        if skipped:
            runs = "1 missed run" if len(skipped) == 1 else f"{len(skipped)} missed runs"
            told.append(f"skipped: {runs} of {name}; {why} (--catch-up says which do)")
    return told


def _missed(client: SyncPrefectClient) -> dict[str, list[FlowRun]]:
    """The runs of the schedules whose time has passed, by deployment, oldest first."""
    missed: dict[UUID, list[FlowRun]] = {}
    for run in _runs(client, (StateType.SCHEDULED,)):
        due = run.expected_start_time
        is_missed = run.auto_scheduled and run.state_name in MISSED and due is not None and due < datetime.now(UTC)
        if is_missed and run.deployment_id is not None:
            missed.setdefault(run.deployment_id, []).append(run)
    return {
        client.read_deployment(deployment).name: sorted(runs, key=lambda run: str(run.expected_start_time))
        for deployment, runs in missed.items()
    }


def _waits_for(specification: Json) -> str | None:
    """The deployment whose runs start this one."""
    for trigger in specification.get("triggers", ()):
        name: str = trigger["match_related"]["prefect.resource.name"]
        return name
    return None


def _runs(client: SyncPrefectClient, types: Iterable[StateType]) -> list[FlowRun]:
    """The runs of deployments in our pool that are in such a state."""
    wanted = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(types))),
        deployment_id=FlowRunFilterDeploymentId(is_null_=False),
    )
    pool = WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL]))
    return list(client.read_flow_runs(flow_run_filter=wanted, work_pool_filter=pool))
