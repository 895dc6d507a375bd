"""What pip installs: the wheel in an environment of its own, which shares nothing with the checkout but the dependencies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def run(*command: str | Path, folder: Path) -> str:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "PYTHONPATH"))}
    told = subprocess.run(
        command, cwd=folder, env=ours | {"STILLROOM_HOME": str(folder / "home")}, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT, folder=folder)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """The `bin` of an environment with the wheel, and with this one's packages as its dependencies."""
    environment = wheel.parent / "environment"
    run(sys.executable, "-m", "venv", environment, folder=wheel.parent)
    run(environment / "bin" / "pip", "install", "--quiet", "--no-deps", wheel, folder=wheel.parent)
    packages = next(environment.glob("lib/python*/site-packages"))
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))  # its own .pth files are not read
    return environment / "bin"


def test_the_wheel_holds_the_product_and_its_licence(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {"flows/py.typed", "tasks/py.typed", "stillroom.py", "deployments/prefect.yaml"} <= set(names)
    assert [n for n in names if n.startswith("prompts/demo/en/evol_instruct/")]
    assert [n for n in names if n.endswith("licenses/LICENSE")]
    weights = {n.split("/")[-2] for n in names if n.startswith("tasks/models/demo/") and n.endswith(".safetensors")}
    assert weights == {"weights", "base", "second"}
    assert {"tasks/models/demo/seeds.jsonl", "tasks/models/demo/problems.jsonl"} <= set(names)
    assert [n for n in names if n.startswith(("tests", "docs", "findings"))] == []


def test_the_source_distribution_holds_what_a_packager_needs(tmp_path: Path) -> None:
    code = "import hatchling.build, sys; hatchling.build.build_sdist(sys.argv[1])"
    run(sys.executable, "-m", "venv", "env", folder=tmp_path)
    run("env/bin/pip", "install", "--quiet", "hatchling", folder=tmp_path)
    subprocess.run([tmp_path / "env/bin/python", "-c", code, tmp_path], cwd=ROOT, check=True)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    wanted = {
        "LICENSE",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "Makefile",
        "requirements.lock",
        "docs/config.md",
        "flows/py.typed",
        "tasks/py.typed",
        "tests/conftest.py",
        "examples/laptop.yaml",
    }
    assert wanted - names == set()


def test_the_installed_command_makes_a_dataset_with_the_model_that_it_brings(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "seeds.jsonl").write_text('{"instruction": "Say hello."}\n{"instruction": "Name a colour."}\n')
    said = run(
        installed / "stillroom",
        "sft",
        "--recipe",
        "respond",
        "--seeds",
        "seeds.jsonl",
        "--out",
        "out",
        "--json",
        folder=tmp_path,
    )
    assert json.loads(said.splitlines()[-1])["rows"] == 2
    where = run(installed / "python", "-c", "import flows; print(flows.__file__)", folder=tmp_path)
    assert where.startswith(str(installed.parent))
