"""A trainer's published code in a folder of its own, put into the user's cache once; nothing of it is installed beside ours.

What the code imports besides is ours. What it pins, and the version of Python that it asks for, is not looked at: of it only
the part that reads a dataset is run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.real_servers.weights import cache

HERE = Path(__file__).parent
LONGEST_S = 120


def apart(*packages: str) -> Path:
    """The folder with these packages. Skips the test, with the reason, where the package index does not give them."""
    folder = cache() / "trainers" / "+".join(packages)
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".") as work:
            pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
            options = ("--no-deps", "--no-compile", "--ignore-requires-python", "--target", f"{work}/made")
            done = subprocess.run([*pip, *options, *packages], capture_output=True, text=True, timeout=LONGEST_S)
            if done.returncode:
                pytest.skip(f"{', '.join(packages)} cannot be had: {(done.stderr.strip().splitlines() or [''])[-1]}")
            Path(f"{work}/made").rename(folder)
    return folder


def lines_of(script: str, folder: Path, *arguments: object) -> list[dict[str, Any]]:
    """The JSON lines that a script of this folder prints, in a process that finds the trainer's code behind ours."""
    told = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "STILLROOM_APART": str(folder), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=told)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
