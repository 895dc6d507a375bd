"""Nights that were missed while nothing served: the newest starts, and the DPO run waits for the SFT run that starts it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deployments.test_own import deploy
from tests.serving import Served, free_port, slow_config, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SFT, DPO = "instruction-sft-nightly", "preference-dpo-nightly"
NIGHTS = 3


def switch_schedules_on(served: Served, *names: str) -> None:
    """Switch schedules on as the UI does, and wait until the server has planned their runs."""
    for name in names:
        deployment = served.deployment(name)
        path = f"deployments/{deployment['id']}/schedules/{deployment['schedules'][0]['id']}"
        served.ask(path, {"active": True}, "PATCH")
        until(lambda name=name: len(served.runs_of(name)) >= NIGHTS, 60, "the runs are planned")  # type: ignore[misc]


def sleep_for_nights(home: Path, nights: int = NIGHTS) -> None:
    """As if the machine had been off: every planned run of a schedule moves back by so many nights, where that is past."""
    with closing(sqlite3.connect(home / "prefect/prefect.db")) as database, database:
        planned = "SELECT id, expected_start_time FROM flow_run WHERE auto_scheduled AND state_type = 'SCHEDULED'"
        for run, due in database.execute(planned).fetchall():
            moved = (datetime.fromisoformat(due) - timedelta(days=nights)).isoformat(sep=" ")
            changed = "UPDATE flow_run SET expected_start_time = ?, next_scheduled_start_time = ? WHERE id = ?"
            database.execute(changed, (moved, moved, run))


def due(runs: list[dict[str, Any]]) -> list[str]:
    """The names of the states of the runs whose time has come, oldest first."""
    return [run["state_name"] for run in runs if run["state_type"] != "SCHEDULED"]


def test_of_three_missed_nights_the_newest_starts_and_the_dpo_run_waits_for_it(tmp_path: Path) -> None:
    first = Served(tmp_path, free_port())
    config = slow_config(0) | {"seeds": [{"instruction": "Name a city."}], "name": "nightly-sft"}
    first.ask(f"deployments/{first.deployment(SFT)['id']}", {"parameters": {"config": config}}, "PATCH")
    switch_schedules_on(first, SFT, DPO)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(config | {"name": "mine"}))
    assert deploy(first, "--config", str(tmp_path / "mine.yaml")).returncode == 0
    until(lambda: len(first.runs_of("mine-nightly")) >= NIGHTS, 60, "the runs of a config of one's own are planned")
    first.stop()
    sleep_for_nights(first.home)
    second = Served(tmp_path, free_port())
    try:
        assert f"skipped: {NIGHTS - 1} missed runs of {SFT}; the newest one starts" in second.said()
        assert f"skipped: {NIGHTS} missed runs of {DPO}; {SFT} starts it" in second.said()
        assert f"skipped: {NIGHTS - 1} missed runs of mine-nightly; the newest one starts" in second.said()
        until(lambda: due(second.runs_of(SFT)) == ["Skipped"] * (NIGHTS - 1) + ["Completed"], 300, "one night")
        followed = until(
            lambda: [run for run in second.runs_of(DPO) if "published" in run["parameters"]], 120, "the DPO run"
        )
        assert len(followed) == 1
        assert second.ended(followed[0]["id"])["state_type"] == "COMPLETED"
        assert sorted(due(second.runs_of(DPO))) == ["Completed", *["Skipped"] * NIGHTS]
        assert second.requests() == ["Name a city."]
    finally:
        second.stop()
