"""A config of the user's own as a deployment, put on a real `stillroom serve` by the command, as the studio does it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error

import pytest
import yaml

from tests.serving import ROOT, Served, slow_config

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def deploy(served: Served, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", str(ROOT / "stillroom.py"), "flows.command.main", "deploy", "sft", *words]
    place = served.folder / "elsewhere"
    place.mkdir(exist_ok=True)
    environment = {name: value for name, value in served.environment.items() if name != "PREFECT_API_URL"}
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_a_config_runs_every_night_in_its_own_folder_and_not_any_more(served: Served) -> None:
    place = served.folder / "elsewhere"
    place.mkdir(exist_ok=True)
    (place / "mine.yaml").write_text(yaml.safe_dump(slow_config(40) | {"name": "mine", "out": "made/here"}))
    assert deploy(served, "--config", "mine.yaml").returncode == 0
    again = deploy(served, "--config", "mine.yaml", "--at", "3:30")
    assert again.returncode == 0, again.stderr
    assert "instruction-sft/mine-nightly: every night at 03:30" in again.stdout

    found = served.ask("deployments/name/instruction-sft/mine-nightly")
    assert [(one["schedule"]["cron"], one["active"]) for one in found["schedules"]] == [("30 3 * * *", True)]
    run = served.ask(f"deployments/{found['id']}/create_flow_run", {"state": {"type": "SCHEDULED"}})
    assert served.ended(run["id"])["state_type"] == "COMPLETED"
    card = place / "made" / "here" / "README.md"
    assert card.is_file(), "relative paths are of the folder that the command was given in"
    assert not (place / ".stillroom").exists(), "its home is the one that serves"

    gone = deploy(served, "--config", "mine.yaml", "--off")
    assert gone.stdout.strip() == "removed: instruction-sft/mine-nightly"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        served.ask("deployments/name/instruction-sft/mine-nightly")
    twice = deploy(served, "--config", "mine.yaml", "--off")
    assert (twice.returncode, twice.stderr.count("\n")) == (2, 1)
    assert "no such deployment" in twice.stderr


def test_what_is_no_deployment_is_one_line(served: Served) -> None:
    place = served.folder / "elsewhere"
    place.mkdir(exist_ok=True)
    (place / "instruction-sft.yaml").write_text(json.dumps({"recipe": "basic"}))
    for words, said in (
        (["--config", "instruction-sft.yaml"], "has this name"),
        (["--config", "instruction-sft.yaml", "--at", "25:00"], "HH:MM"),
        (["--config", "nowhere.yaml"], "nowhere.yaml"),
        ([], "deploy sft --config FILE"),
    ):
        ended = deploy(served, *words)
        assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended.stderr
        assert said in ended.stderr
