"""A user's folder may hold packages called `flows` and `tasks`, as projects that use Prefect do: ours are run all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.serving import ROOT, SLOW_RULES, Served, environment, free_port, slow_config

FOREIGN = "raise RuntimeError('a package of somebody else was imported')"
SCRIPT = [sys.executable, "-P", "-c", "from stillroom import main; main()"]
"""As the script does that pip installs for the command."""
MODULE = [sys.executable, "-m", "flows.command.main"]
PREVIEW, RUN = ["--preview", "1"], ["--out", "out"]


def theirs(folder: Path, *names: str) -> Path:
    """A folder of a user, with packages of these names."""
    for name in names:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(FOREIGN)
    (folder / "seeds.txt").write_text("Name a colour.\n")
    return folder


def run_in(folder: Path, command: list[str], *first: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in the folder; PYTHONPATH names these folders, then the project's."""
    environ = environment(folder, PYTHONPATH=os.pathsep.join(map(str, (*first, ROOT))))
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=120, check=False)


def sft(*options: str) -> list[str]:
    return ["sft", "--recipe", "respond", "--seeds", "seeds.txt", "--model", SLOW_RULES, "--json", *options]


def test_the_installed_command_finds_its_packages(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("stillroom")  # as `make install` leaves it, with no path to help it
    environ = {name: value for name, value in environment(tmp_path).items() if name != "PYTHONPATH"}
    done = subprocess.run([script, "runs"], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "names", "options"),
    [
        pytest.param(SCRIPT, ("flows", "tasks"), RUN, id="a whole run of the command"),
        pytest.param(SCRIPT, ("flows", "tasks"), PREVIEW, id="a preview"),
        pytest.param(MODULE, ("tasks",), PREVIEW, id="as a module, beside their tasks"),
    ],
)
def test_the_command_takes_its_own_packages(
    start: list[str], names: tuple[str, ...], options: list[str], tmp_path: Path
) -> None:
    theirs(tmp_path, *names)
    done = run_in(tmp_path, [*start, *sft(*options)], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "The answer to Name a colour." in (done.stdout if options == PREVIEW else _published(tmp_path / "out")), (
        done.stdout
    )


def _published(dataset: Path) -> str:
    import polars as pl

    return json.dumps(pl.read_parquet(dataset / "data/train.parquet")["messages"].to_list())


def test_a_child_process_takes_its_own_packages_and_looks_for_none_where_the_user_is(tmp_path: Path) -> None:
    from flows.service.child_command import child_command

    (tmp_path / "seen.py").write_text("import flows, sys, tasks; print(flows.__file__, tasks.__file__, '' in sys.path)")
    done = run_in(theirs(tmp_path, "flows", "tasks"), child_command("seen"), tmp_path)
    ours = [str(ROOT / name / "__init__.py") for name in ("flows", "tasks")]
    assert done.stdout.split() == [*ours, "False"], done.stderr


@pytest.mark.parametrize("name", ["flows", "tasks"])
def test_another_package_that_python_itself_imports_first_is_named_in_one_line(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").touch()
    (tmp_path / "sitecustomize.py").write_text(f"import {name}")
    done = run_in(tmp_path, [*SCRIPT, "runs"], tmp_path)
    there = tmp_path / name / "__init__.py"
    assert done.stderr == f"stillroom: another package of the name `{name}` is imported already: {there}\n"
    assert done.returncode == 2


@pytest.mark.parametrize("file", ["tasks.py", "tasks/__init__.py", "tasks/other.py"])
def test_whoever_imports_flows_beside_another_tasks_is_told(file: str, tmp_path: Path) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import tasks; sys.path.append({str(ROOT)!r}); import flows"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert f"ImportError: another package of the name `tasks` is imported already: {tmp_path}/tasks" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "runner",
    ["threads", pytest.param("ray", marks=pytest.mark.skipif(find_spec("prefect_ray") is None, reason="no Ray"))],
)
def test_a_service_its_runs_and_their_workers_take_our_packages(runner: str, tmp_path: Path) -> None:
    theirs(tmp_path, "flows", "tasks")
    served = Served(tmp_path, free_port(), PYTHONPATH=os.pathsep.join(map(str, (tmp_path, ROOT))))
    try:
        config = {**slow_config(3), "runner": runner} | ({"ray": {"workers": 1}} if runner == "ray" else {})
        run = served.ended(served.start_run("instruction-sft-nightly", config=config))
        assert run["state_type"] == "COMPLETED", run["state"]["message"]
        assert len(served.requests()) == 3
    finally:
        served.stop()
