"""A run gives a sign of life as often as a server's watchdog waits for one, whatever Prefect does unasked."""

from __future__ import annotations

import time
from typing import Any

import pytest
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, get_current_settings, temporary_settings

from flows.service.heartbeat import heartbeats, without_prefects


@pytest.fixture
def beats(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The events that are told instead of being sent."""
    told: list[str] = []

    def tell(event: str, **_: Any) -> None:
        told.append(event)

    monkeypatch.setattr("flows.service.heartbeat.emit_event", tell)
    return told


def test_prefects_own_default_comes_too_late_to_be_relied_on(beats: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.service.heartbeat.HEARTBEAT_S", 0.01)
    with heartbeats():
        deadline = time.monotonic() + 60
        while len(beats) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert len(beats) >= 3


def test_a_run_that_prefect_gives_enough_of_them_has_none_of_ours(beats: list[str]) -> None:
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: 30}), heartbeats():
        time.sleep(0.05)
    assert beats == []


def test_the_runs_of_a_command_do_not_wait_for_prefects_own_unless_a_setting_says_so() -> None:
    with without_prefects():
        assert get_current_settings().flows.heartbeat_frequency is None
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: 40}), without_prefects():
        assert get_current_settings().flows.heartbeat_frequency == 40
