"""What people look for in a repository: it is there, and it is true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from flows.recipes.catalogue import all_recipes

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def steps() -> list[str]:
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    return [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]


def test_the_workflow_is_one_that_github_runs() -> None:
    checker = Path(sys.executable).with_name("check-jsonschema")
    schema = ["--builtin-schema", "vendor.github-workflows"]
    told = subprocess.run([checker, *schema, ROOT / ".github/workflows/ci.yml"], capture_output=True, text=True)
    assert told.returncode == 0, told.stdout


def test_the_workflow_runs_the_same_targets_as_a_developer() -> None:
    ours = re.findall(r"^make (\S+)$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert ours == ["check", "test", "test-slow"]
    assert "bash .ci/run" in steps()
    assert [step for step in steps() if step.startswith("make")] == ["make check", "make test"]


def test_a_hook_runs_what_make_check_runs() -> None:
    [local] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    check = MAKEFILE.split("\ncheck:")[1].split("\n\n")[0].replace("$(BIN)", ".venv/bin")
    for hook in local["hooks"]:
        assert hook["entry"].removesuffix(" --fix") in check, hook["id"]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_what_a_page_links_to_and_names_is_there(page: Path) -> None:
    text = page.read_text()
    links = {link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link}
    named = re.findall(r"`((?:flows|tasks|tests|prompts|deployments|examples|findings|docs)/[\w./-]*)`", text)
    missing = [link for link in links if link and not (page.parent / link).exists()]
    missing += [name for name in named if not (ROOT / name).exists() and "NAME" not in name]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_target_that_a_page_names_is_in_the_makefile(page: Path) -> None:
    named = re.findall(r"`make ([a-z-]+)`|^make ([a-z-]+)", page.read_text(), re.MULTILINE)
    assert {one or other for one, other in named} <= TARGETS


def test_every_recipe_has_its_line_in_the_table_of_sources() -> None:
    lines = re.findall(
        r"^\| `((?:sft|dpo)-\w+)` \|(.*)\|(.*)\|(.*)\|$", (ROOT / "docs/recipes.md").read_text(), re.MULTILINE
    )
    assert sorted(name for name, *_ in lines) == sorted(recipe.full_name for recipe in all_recipes())
    assert all(cell.strip() for _, *cells in lines for cell in cells)
