"""The deployments on a real `stillroom serve`: started from the form, by each other, by the clock, after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.serving import LOOPBACK, ROOT, SLOW_RULES, Served, environment, slow_config, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
IN_FLIGHT = 8


@dataclass
class Killed:
    """A run whose worker and process were killed, and when."""

    run_id: str
    at: float


@pytest.fixture(scope="module")
def killed(served: Served) -> Killed:
    """Killed early, so that the other tests run while the server is waiting for its heartbeats."""
    run_id = served.start_run("instruction-sft-nightly", config=slow_config(1500, IN_FLIGHT))
    until(lambda: len(served.requests()) > 200, 90, "the run makes requests")
    worker, child = served.process_of("prefect worker start"), served.process_of("prefect.engine")
    assert worker is not None
    assert child is not None
    os.kill(worker, signal.SIGKILL)
    os.kill(child, signal.SIGKILL)
    return Killed(run_id, time.monotonic())


def test_the_schedules_are_off_and_the_form_explains_itself(served: Served) -> None:
    for name in ("instruction-sft-nightly", "preference-dpo-nightly", "retry-failed", "clean-weekly"):
        deployment = served.deployment(name)
        assert deployment["description"]
        assert [(s["active"], s["schedule"]["timezone"]) for s in deployment["schedules"]] == [(False, "Europe/Berlin")]
        assert deployment["concurrency_options"]["collision_strategy"] == "ENQUEUE"
        assert deployment["global_concurrency_limit"]["limit"] == 1
    schema = served.deployment("instruction-sft-nightly")["parameter_openapi_schema"]
    fields = schema["definitions"]["InstructionSFT"]
    assert fields["additionalProperties"] is False
    assert list(fields["properties"])[:5] == ["recipe", "seeds", "rows", "name", "model"]
    ours = fields["properties"]["recipe"]["anyOf"][0]["enum"]
    files = {path.stem for path in (ROOT / "flows" / "recipes" / "sft").glob("*.py")}
    assert ours == sorted(files - {"__init__"})
    assert {"basic", "evolved", "respond", "seeded"} <= set(ours)
    assert fields["properties"]["max_reject_fraction"]["maximum"] == 1
    unexplained = [n for n, f in fields["properties"].items() if "description" not in f and "$ref" not in str(f)]
    assert unexplained == []


def test_a_typing_error_in_the_form_is_refused(served: Served) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        served.start_run("instruction-sft-nightly", config={"recipe": "respond", "evol_instruct": {"generatoins": 2}})
    assert refused.value.code in (409, 422)
    assert "generatoins" in refused.value.read().decode()


def test_a_run_of_the_form_completes_in_a_worker_and_the_dpo_run_follows(served: Served) -> None:
    served.chain(True)
    seeds = [{"instruction": "What is 2 + 3?"}, {"instruction": "Name two colours."}]
    run_id = served.start_run(
        "instruction-sft-nightly", config={**slow_config(0), "seeds": seeds, "name": "nightly-sft"}
    )
    run = served.ended(run_id)
    assert run["state_type"] == "COMPLETED", run["state"]["message"]
    rows = pl.read_parquet(served.folder / "datasets/nightly-sft/data/train.parquet")
    assert [row[0]["content"] for row in rows["messages"]] == ["What is 2 + 3?", "Name two colours."]
    artifacts = served.ask("artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run_id]}}})
    assert {"markdown", "table", "progress"} <= {artifact["type"] for artifact in artifacts}

    def followed() -> Any:
        return next(iter(served.runs_of("preference-dpo-nightly")), None)

    chained = served.ended(until(followed, 60, "the DPO run starts by itself")["id"])
    served.chain(False)
    assert chained["state_type"] == "COMPLETED", chained["state"]["message"]
    assert (
        chained["parameters"]["published"] == chained["parameters"]["config"]["instructions"] == "datasets/nightly-sft"
    )
    pairs = pl.read_parquet(served.folder / "datasets/nightly-dpo/data/train.parquet")
    assert {"chosen", "rejected"} <= set(pairs.columns)


def test_the_dpo_run_takes_the_dataset_that_was_published_and_mixes_it_with_no_other(served: Served) -> None:
    served.chain(True)
    followed = {run["id"] for run in served.runs_of("preference-dpo-nightly")}
    config = slow_config(0) | {"seeds": [{"instruction": "Name a city."}], "name": "by-hand-sft"}
    assert served.ended(served.start_run("instruction-sft-nightly", config=config))["state_type"] == "COMPLETED"
    new = until(
        lambda: [run for run in served.runs_of("preference-dpo-nightly") if run["id"] not in followed],
        60,
        "the DPO run",
    )
    served.chain(False)
    assert new[0]["parameters"]["published"] == "datasets/by-hand-sft"
    run = served.ended(new[0]["id"])
    assert run["state_type"] == "COMPLETED", run["state"]["message"]
    pairs = pl.read_parquet(served.folder / "datasets/nightly-dpo-by-hand-sft/data/train.parquet")
    assert [row[0]["content"] for row in pairs["prompt"]] == ["Name a city."]


def test_the_command_on_the_same_home_shows_its_run_in_the_same_ui(served: Served, killed: Killed) -> None:
    (served.folder / "seeds.txt").write_text("Name a colour.\n")
    options = ["--recipe", "respond", "--seeds", "seeds.txt", "--model", SLOW_RULES, "--out", "by-hand"]
    said = subprocess.run(
        [sys.executable, "-m", "flows.command.main", "sft", *options],
        cwd=served.folder,
        env=served.environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    runs = served.ask("flow_runs/filter", {"flow_runs": {"deployment_id": {"is_null_": True}}})
    assert [run["state_type"] for run in runs if "by-hand" in run["name"]] == ["COMPLETED"]


def test_a_schedule_set_to_the_next_minute_fires_by_itself(served: Served, killed: Killed) -> None:
    deployment = served.deployment("retry-failed")
    soon = datetime.now(UTC) + timedelta(seconds=75)
    change = {"active": True, "schedule": {"cron": f"{soon.minute} {soon.hour} * * *", "timezone": "UTC"}}
    served.ask(f"deployments/{deployment['id']}/schedules/{deployment['schedules'][0]['id']}", change, "PATCH")

    def fired() -> Any:
        return next(iter(served.runs_of("retry-failed")), None)

    run = until(fired, 150, "the schedule fires")
    assert run["auto_scheduled"]
    assert served.ended(run["id"])["state_type"] == "COMPLETED"


def test_a_killed_worker_and_run_are_noticed_told_and_taken_up_without_asking_twice(
    served: Served, killed: Killed, alerts: list[dict[str, Any]]
) -> None:
    until(lambda: served.run(killed.run_id)["state_type"] == "CRASHED", 120 - (time.monotonic() - killed.at), "Crashed")
    told = until(lambda: [alert for alert in alerts if killed.run_id in alert.get("url", "")], 20, "the alert")
    assert told[0]["state"] == "Crashed"
    served.ask(f"flow_runs/{killed.run_id}/set_state", {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}})
    until(lambda: served.run(killed.run_id)["run_count"] == 2, 60, "the retry, in the worker that was started again")
    assert served.ended(killed.run_id)["state_type"] == "COMPLETED"
    asked = Counter(question for question in served.requests() if question.startswith("question"))
    assert len(asked) == 1500
    assert sum(asked.values()) - len(asked) <= 2 * IN_FLIGHT  # those in flight, and those that waited for their commit
    rows = pl.read_parquet(served.folder / "datasets/slow/data/train.parquet")
    assert len(rows) == 1500


def test_a_run_with_many_refused_rows_is_told(served: Served, alerts: list[dict[str, Any]]) -> None:
    seeds = [{"instruction": "good"}, {"instruction": "refused"}]
    model = {"name": f"scripted:{__file__.replace('test_nightly', 'refusing_rules')}:answer"}
    config = {"recipe": "respond", "name": "refusing", "seeds": seeds, "model": model, "max_reject_fraction": 1}
    assert served.ended(served.start_run("instruction-sft-nightly", config=config))["state_type"] == "COMPLETED"
    told = until(lambda: [alert for alert in alerts if alert.get("dataset") == "refusing"], 60, "the alert")
    assert "50 % of its rows" in told[0]["text"]


def test_a_clean_up_beside_a_run_under_way_hurts_neither_it_nor_the_server(served: Served) -> None:
    config = {**slow_config(1600, 2), "name": "beside"}
    before = len(served.requests())
    run_id = served.start_run("instruction-sft-nightly", config=config)
    until(lambda: len(served.requests()) > before + 40, 120, "the run makes requests")
    cleaned = served.ended(served.start_run("clean-weekly", older_than="0h"))
    assert cleaned["state_type"] == "COMPLETED", cleaned["state"]["message"]
    assert served.run(run_id)["state_type"] == "RUNNING"
    assert served.ended(run_id)["state_type"] == "COMPLETED"
    assert pl.read_parquet(served.folder / "datasets/beside/data/train.parquet").height == 1600
    assert len(served.requests()) - before == 1600
    assert list(served.home.glob("tables/*/*"))
    assert served.ended(served.start_run("clean-weekly", older_than="0h"))["state_type"] == "COMPLETED"
    assert not list(served.home.glob("tables/*/*"))
    assert served.ended(served.start_run("instruction-sft-nightly", config=config))["state_type"] == "COMPLETED"
    assert len(served.requests()) - before == 1600


def test_the_file_deploys_from_anywhere_and_a_worker_elsewhere_writes_where_it_was_started(
    served: Served, tmp_path: Path
) -> None:
    elsewhere = environment(tmp_path, PREFECT_API_URL=f"{served.url}/api", PREFECT_HOME=str(tmp_path / "prefect"))
    prefect = [sys.executable, "-m", "prefect"]
    deploy = [*prefect, "--no-prompt", "deploy", "--all", "--prefect-file", str(ROOT / "deployments" / "prefect.yaml")]
    said = subprocess.run(deploy, cwd=tmp_path, env=elsewhere, capture_output=True, text=True, timeout=300, check=False)
    assert said.stdout.count("successfully created") == 4, said.stdout + said.stderr
    own = until(lambda: served.process_of("prefect worker start"), 60, "the own worker")
    os.kill(own, signal.SIGSTOP)  # so that the other one takes the run
    try:
        worker = subprocess.Popen([*prefect, "worker", "start", "--pool", "stillroom"], cwd=tmp_path, env=elsewhere)
        try:
            config = {**slow_config(2), "name": "elsewhere"}
            run = served.ended(served.start_run("instruction-sft-nightly", config=config))
        finally:
            worker.terminate()
            worker.wait(60)
    finally:
        os.kill(own, signal.SIGCONT)
    assert run["state_type"] == "COMPLETED", run["state"]["message"]
    assert (tmp_path / "datasets/elsewhere/data/train.parquet").exists()
    assert not (served.folder / "datasets/elsewhere").exists()


def test_nothing_listens_beyond_loopback(served: Served) -> None:
    listening = served.listeners()
    assert served.port in {port for _, port in listening}
    assert {address for address, _ in listening} == {LOOPBACK}
