"""What an operator has switched in the UI is where it was after `stillroom serve` has started again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.serving import Served, free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SFT, DPO, RETRY = "instruction-sft-nightly", "preference-dpo-nightly", "retry-failed"
HEARTBEATS = "Stillroom: a run without heartbeats is crashed"
CHAIN = "Stillroom: after the nightly SFT run, the DPO run"


def switches(served: Served) -> dict[str, Any]:
    """All that can be switched, as the UI shows it."""
    state: dict[str, Any] = {}
    for name in (SFT, DPO, RETRY):
        there = served.deployment(name)
        fields = ("paused", "parameters", "tags", "description", "concurrency_options", "job_variables")
        limit = there["global_concurrency_limit"]
        schedules = {s["id"]: (s["active"], s["schedule"]) for s in there["schedules"]}
        state[name] = {field: there[field] for field in fields} | {"limit": limit and limit["limit"], "when": schedules}
    return state | {a["name"]: (a["enabled"], a["description"]) for a in served.ask("automations/filter", {})}


def switch_everything(served: Served) -> None:
    """What a person does in the UI of an evening."""
    sft, dpo, retry = (served.deployment(name) for name in (SFT, DPO, RETRY))
    mine = {"schedule": {"interval": 86400, "timezone": "UTC"}, "active": False}
    served.ask(f"deployments/{sft['id']}/schedules", [mine])
    served.ask(f"deployments/{retry['id']}/schedules/{retry['schedules'][0]['id']}", {"active": True}, "PATCH")
    later = {"schedule": {"cron": "30 3 * * *", "timezone": "UTC"}}
    served.ask(f"deployments/{dpo['id']}/schedules/{dpo['schedules'][0]['id']}", later, "PATCH")
    parameters = {"config": sft["parameters"]["config"] | {"rows": 7}}
    served.ask(f"deployments/{sft['id']}", {"parameters": parameters, "concurrency_limit": 2}, "PATCH")
    served.ask(f"deployments/{dpo['id']}/pause_deployment", {})
    for automation in served.ask("automations/filter", {}):
        if automation["name"] == CHAIN:
            served.ask(f"automations/{automation['id']}", {"enabled": False}, "PATCH")


def test_a_restart_leaves_every_switch_where_it_was_and_tells_what_it_left(tmp_path: Path) -> None:
    first = Served(tmp_path, free_port())
    assert "in the UI" not in first.said()
    fresh = switches(first)
    switch_everything(first)
    left = switches(first)
    assert left != fresh
    first.stop()
    second = Served(tmp_path, free_port())
    try:
        assert switches(second) == left
        told = [line for line in second.said().splitlines() if "in the UI" in line]
        assert [line for line in told if SFT in line and "parameters" in line and "concurrency limit" in line]
        assert [line for line in told if DPO in line and "schedule nightly" in line]
        gone = second.deployment(RETRY)
        second.ask(f"deployments/{gone['id']}/schedules/{gone['schedules'][0]['id']}", method="DELETE")
        watchdog = next(a for a in second.ask("automations/filter", {}) if a["name"] == HEARTBEATS)
        second.ask(f"automations/{watchdog['id']}", method="DELETE")
        left = switches(second)
    finally:
        second.stop()
    third = Served(tmp_path, free_port())
    try:
        assert switches(third) == left
        assert f"{RETRY}: schedule nightly (deleted)" in third.said()
        assert f"{HEARTBEATS}: deleted" in third.said()
    finally:
        third.stop()
