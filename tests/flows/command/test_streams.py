"""What the command reads and writes: readers that leave, locales that know only ASCII, configs without an end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.config import InstructionSFT
from flows.config_file import MOST_BYTES, load_config
from flows.service.child_command import child_command
from tasks.errors import ConfigError
from tests.flows.command.test_main import SLOW, environment, questions, respond

ASCII_ONLY = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def run_unread(folder: Path, *arguments: str, server: str = "") -> subprocess.CompletedProcess[str]:
    """The command, its reader gone before the first word."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as output:
        command = [sys.executable, "-m", "flows.command.main", *arguments]
        return subprocess.run(
            command, cwd=folder, env=environment(folder, server), stdout=output, stderr=subprocess.PIPE, text=True
        )


def test_a_reader_that_leaves_fails_no_run(tmp_path: Path, prefect_server: str) -> None:
    done = run_unread(tmp_path, *[word for word in respond(tmp_path, 3) if word != "--json"], server=prefect_server)
    assert (done.returncode, done.stderr.strip()) == (0, "")
    assert (tmp_path / "out" / "data" / "train.parquet").exists()


def test_a_child_outlives_whoever_reads_what_it_prints_and_logs(tmp_path: Path) -> None:
    (tmp_path / "noisy.py").write_text(
        "import logging, pathlib, sys\n"
        "logging.basicConfig()\n"
        "for number in range(3):\n"
        "    print('word ' * 10_000, flush=True)\n"
        "    sys.stderr.write('a line\\n')\n"
        "    logging.error('another')\n"
        "pathlib.Path('ended').touch()\n"
    )
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as output:
        told = {"cwd": tmp_path, "env": os.environ | {"PYTHONPATH": str(tmp_path)}, "stdout": output, "stderr": output}
        done = subprocess.run(child_command("noisy"), check=False, **told)
    assert done.returncode == 0
    assert (tmp_path / "ended").exists()


def test_a_reader_that_leaves_fails_no_preview(tmp_path: Path) -> None:
    seeds = questions(tmp_path, 5)
    done = run_unread(tmp_path, "sft", "--recipe", "respond", "--seeds", seeds, "--model", SLOW, "--preview", "5")
    assert (done.returncode, done.stderr.strip()) == (0, "")


def test_letters_beyond_ascii_are_told_from_paths_in_any_locale(tmp_path: Path) -> None:
    (tmp_path / "frägen-質問.jsonl").write_text(json.dumps({"instruction": "Was heißt 質問?"}) + "\n")
    command = [
        sys.executable,
        "-m",
        "flows.command.main",
        "sft",
        "--recipe",
        "respond",
        "--seeds",
        "frägen-質問.jsonl",
        "--model",
        SLOW,
        "--out",
        "Datensätze/ö",
        "--preview",
        "1",
    ]
    done = subprocess.run(command, cwd=tmp_path, env=environment(tmp_path) | ASCII_ONLY, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert "Was heißt 質問?" in done.stdout.decode()
    assert (tmp_path / "Datensätze" / "ö").is_dir()


def test_a_mistake_about_such_a_path_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "flows.command.main", "sft", "--seeds", "nirgends-ß.jsonl", "--preview", "1"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(tmp_path) | ASCII_ONLY, capture_output=True)
    assert done.returncode == 2
    assert "nirgends-ß.jsonl" in done.stderr.decode()
    assert len(done.stderr.decode().strip().splitlines()) == 1


def test_a_config_without_an_end_is_not_read_to_its_end() -> None:
    with pytest.raises(ConfigError, match="over 10 MB: /dev/zero"):
        load_config(InstructionSFT, Path("/dev/zero"), {})


def test_a_config_of_ten_megabytes_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_BYTES == 10_000_000
    monkeypatch.setattr("flows.config_file.MOST_BYTES", 10_000)  # YAML takes seconds for all of them
    config = tmp_path / "run.yaml"
    head = "recipe: respond\n#"
    config.write_text(head + "x" * (10_000 - len(head)))
    assert load_config(InstructionSFT, config, {}).recipe == "respond"
    config.write_text(head + "x" * (10_001 - len(head)))
    with pytest.raises(ConfigError, match="over 10 MB"):
        load_config(InstructionSFT, config, {})
