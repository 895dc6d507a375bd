"""The `stillroom` command, as a user starts it: exit codes, one clear line for each mistake, kill and Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.flows.command.in_process import Ended, run_command

ROOT = Path(__file__).parents[3]
SLOW = f"scripted:{Path(__file__).with_name('slow_rules.py')}:answer"
IN_FLIGHT = 8


def environment(folder: Path, server: str = "") -> dict[str, str]:
    own = {"STILLROOM_HOME": str(folder / "home"), "REQUEST_LOG": str(folder / "requests.log"), "PYTHONPATH": str(ROOT)}
    return os.environ | own | ({"PREFECT_API_URL": server} if server else {})


def stillroom(folder: Path, *arguments: str, server: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flows.command.main", *arguments]
    return subprocess.run(
        command, env=environment(folder, server), cwd=folder, capture_output=True, text=True, timeout=120
    )


def started(folder: Path, *arguments: str, server: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "flows.command.main", *arguments]
    return subprocess.Popen(command, env=environment(folder, server), cwd=folder, stderr=subprocess.PIPE, text=True)


def log(folder: Path) -> list[str]:
    path = folder / "requests.log"
    return path.read_text().splitlines() if path.exists() else []


def wait_for_lines(folder: Path, count: int) -> None:
    deadline = time.monotonic() + 90
    while len(log(folder)) < count:
        assert time.monotonic() < deadline, "the command makes no requests"
        time.sleep(0.02)


def questions(folder: Path, count: int) -> str:
    path = folder / "questions.jsonl"
    path.write_text("".join(json.dumps({"instruction": f"question {i}"}) + "\n" for i in range(count)))
    return str(path)


def respond(folder: Path, count: int) -> list[str]:
    return [
        "sft",
        "--recipe",
        "respond",
        "--seeds",
        questions(folder, count),
        "--model",
        SLOW,
        "--out",
        "out",
        "--json",
        "--set",
        f"model.max_in_flight={IN_FLIGHT}",
    ]


def test_help_names_the_commands(tmp_path: Path) -> None:
    shown = stillroom(tmp_path, "--help")
    assert shown.returncode == 0
    assert all(command in shown.stdout for command in ("sft", "dpo", "runs", "rejects", "retry", "explain"))


def test_a_run_killed_in_the_middle_pays_again_only_for_what_was_in_flight(
    connected: Path, prefect_server: str
) -> None:
    arguments = respond(connected, 200)
    with started(connected, *arguments, server=prefect_server) as process:
        wait_for_lines(connected, 200)
        process.send_signal(signal.SIGKILL)
    before = Counter(log(connected))
    (connected / "requests.log").unlink()
    finished = run_command(*arguments)
    assert finished.returncode == 0, finished.stderr
    summary = json.loads(finished.stdout.splitlines()[-1])
    assert summary["rows"] == 200
    asked = [line for line in log(connected) if line.startswith("asked")]
    assert sum(line in before for line in asked) <= 2 * IN_FLIGHT  # those that waited for their commit are in flight
    assert summary["requests"] == len(asked) < 200
    assert len({line for line in (*before, *asked) if line.startswith("asked")}) == 200


def test_ctrl_c_stops_cleanly_and_the_same_command_goes_on(connected: Path, prefect_server: str) -> None:
    arguments = respond(connected, 200)
    with started(connected, *arguments, server=prefect_server) as process:
        wait_for_lines(connected, 100)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the same command goes on" in said
    assert "Traceback" not in said
    asked = Counter(line for line in log(connected) if line.startswith("asked"))
    assert 0 < len(asked) < 200
    finished = run_command(*arguments)
    assert json.loads(finished.stdout.splitlines()[-1])["requests"] == 200 - len(asked)


def test_a_full_disk_is_one_clear_line_and_what_was_paid_for_is_kept(connected: Path, home: Path) -> None:
    from tasks.engine.process import process

    home.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=560k", "tmpfs", str(home)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"needs a small file system of its own: {mounted.stderr.strip()}")
    try:
        arguments = [*respond(connected, 1000), "--set", "model.max_in_flight=256"]
        full = run_command(*arguments)
        assert full.returncode == 2, full.stderr
        assert len(full.stderr.strip().splitlines()) == 1
        assert "free some space" in full.stderr
        process.close()
        subprocess.run(["mount", "-o", "remount,size=64m", str(home)], check=True)
        finished = run_command(*arguments)
        summary = json.loads(finished.stdout.splitlines()[-1])
        assert summary["rows"] == 1000
        assert summary["requests"] < 1000  # what was committed before the disk was full was not asked for again
    finally:
        process.close()
        subprocess.run(["umount", str(home)], check=True)


def test_runs_rejects_and_explain_tell_what_happened(connected: Path) -> None:
    import polars as pl

    finished = run_command(*respond(connected, 3))
    summary = json.loads(finished.stdout.splitlines()[-1])
    assert summary["run"] in run_command("runs").stdout
    assert run_command("rejects", summary["run"]).returncode == 0
    row_id = pl.read_parquet("out/data/train.parquet")["row_id"][0]
    told = run_command("explain", "out", row_id[:12]).stdout
    assert "text_generation" in told
    assert "scripted:answer" in told
    unknown = run_command("rejects", "sft-unknown")
    assert unknown.returncode == 2
    assert "no such run" in unknown.stderr


def _files(folder: Path) -> None:
    (folder / "good.jsonl").write_text('{"instruction": "a"}\n')
    (folder / "columns.jsonl").write_text('{"frage": "a"}\n')
    (folder / "broken.jsonl").write_text('{"instruction": "a"}\n{"instruction": "b"\n')
    (folder / "empty.jsonl").write_text("")
    (folder / "number.jsonl").write_text('{"instruction": "a"}\n{"instruction": 3}\n')
    (folder / "typo.yaml").write_text("recipe: respond\nevol_instruct:\n  generatoins: 2\n")
    (folder / "broken.yaml").write_text("recipe: [respond\n")
    (folder / "model").mkdir()
    (folder / "taken").mkdir()
    (folder / "taken" / "thesis.txt").write_text("mine")


MISTAKES = [
    pytest.param(["--seeds", "nowhere.jsonl"], ["nowhere.jsonl"], id="no such file"),
    pytest.param(
        ["--seeds", "good.jsonl", "--column", "instruction=prompt"], ["prompt", "instruction"], id="unknown column"
    ),
    pytest.param(["--seeds", "columns.jsonl"], ["frage", "--column"], id="no column for the instruction"),
    pytest.param(["--seeds", "broken.jsonl"], ["broken.jsonl", "2"], id="malformed line"),
    pytest.param(["--seeds", "empty.jsonl"], ["empty.jsonl", "empty"], id="empty file"),
    pytest.param(["--seeds", "number.jsonl"], ["number.jsonl", "2", "instruction"], id="seed of the wrong type"),
    pytest.param(
        ["--seeds", "good.jsonl", "--config", "typo.yaml"],
        ["generatoins", "did you mean generations?"],
        id="typo in YAML",
    ),
    pytest.param(["--seeds", "good.jsonl", "--config", "broken.yaml"], ["broken.yaml"], id="broken YAML"),
    pytest.param(["--seeds", "good.jsonl", "--config", "none.yaml"], ["none.yaml"], id="no such YAML"),
    pytest.param(["--seeds", "good.jsonl", "--recipe", "respnod"], ["respnod", "recipe"], id="unknown recipe"),
    pytest.param(["--seeds", "good.jsonl", "--rows", "0"], ["rows", "0"], id="no rows"),
    pytest.param(["--seeds", "good.jsonl", "--set", "seed"], ["--set", "seed"], id="option without value"),
    pytest.param(["--seeds", "good.jsonl", "--model", "model"], ["model"], id="model folder without a model"),
    pytest.param(["--seeds", "good.jsonl", "--model", "scripted:none.py:f"], ["none.py"], id="no such script"),
    pytest.param(["--seeds", "good.jsonl", "--out", "taken"], ["taken", "--out"], id="folder of something else"),
    pytest.param(["--seeds", "good.jsonl", "--out", "/proc/1/out"], ["/proc/1/out"], id="no write permission"),
    pytest.param(["--recipe", "basic"], ["--rows"], id="basic without rows"),
    pytest.param(["--model", SLOW], ["--seeds"], id="no seeds"),
]


def _sft(arguments: list[str]) -> list[str]:
    model = [] if "--model" in arguments else ["--model", SLOW]
    recipe = [] if "--recipe" in arguments else ["--recipe", "respond"]
    return ["sft", *recipe, *model, *arguments]


@pytest.mark.parametrize(("arguments", "expected"), MISTAKES)
def test_a_mistake_gets_one_clear_line_and_exit_code_2(
    arguments: list[str], expected: list[str], tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _files(tmp_path)
    monkeypatch.setenv("REQUEST_LOG", str(tmp_path / "requests.log"))
    said = run_command(*_sft(arguments))
    _is_one_line(said, expected, tmp_path)


def test_so_does_a_mistake_in_a_process_of_its_own(tmp_path: Path) -> None:
    _files(tmp_path)
    said = stillroom(tmp_path, *_sft(["--seeds", "good.jsonl", "--recipe", "respnod"]))
    _is_one_line(said, ["respnod", "recipe"], tmp_path)


def _is_one_line(said: Ended | subprocess.CompletedProcess[str], expected: list[str], tmp_path: Path) -> None:
    assert said.returncode == 2, said.stderr
    assert said.stdout == ""
    assert len(said.stderr.strip().splitlines()) == 1, said.stderr
    assert all(word in said.stderr for word in expected), said.stderr
    assert log(tmp_path) == []
