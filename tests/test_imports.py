"""Imports go one way, and heavy or delicate packages are imported in one place (DESIGN.md, "The house")."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(p for top in ("flows", "tasks") for p in (ROOT / top).rglob("*.py"))
LAYERS = {  # what each layer may import of the house
    "flows": ("flows", "tasks"),
    "tasks/generate": (
        "tasks.engine",
        "tasks.text",
        "tasks.models",
        "tasks.errors",
        "tasks.schemas",
        "tasks.responses",
        "tasks.together",
    ),
    "tasks/judge": (
        "tasks.engine",
        "tasks.text",
        "tasks.models",
        "tasks.errors",
        "tasks.schemas",
        "tasks.responses",
        "tasks.together",
    ),
    "tasks/curate": (
        "tasks.engine",
        "tasks.text",
        "tasks.models",
        "tasks.errors",
        "tasks.schemas",
        "tasks.responses",
        "tasks.together",
    ),
    "tasks/seeds": ("tasks.errors", "tasks.schemas"),
    "tasks/publish": ("tasks.engine", "tasks.models", "tasks.errors", "tasks.schemas", "tasks.responses"),
    "tasks/engine": (
        "tasks.engine",
        "tasks.seeds",
        "tasks.text",
        "tasks.models",
        "tasks.errors",
        "tasks.schemas",
        "tasks.notices",
    ),
    "tasks/text": ("tasks.text", "tasks.errors"),
    "tasks/models": ("tasks.models", "tasks.errors", "tasks.notices"),
}
ONLY_IN = {
    "prefect": ("flows/", "tasks/engine/orchestrate.py"),
    "torch": ("tasks/models/local.py", "tasks/models/batch.py", "tasks/models/prefixes.py", "tasks/models/noise.py", "tasks/models/checkpoint.py",
              "tasks/models/draft.py", "tasks/models/demo/train.py"),
    "transformers": ("tasks/models/local.py", "tasks/models/batch.py", "tasks/models/checkpoint.py", "tasks/models/demo/train.py",
                     "tasks/models/demo/tokenizer.py", "tasks/models/draft.py"),
    "pyarrow": ("tasks/engine/tables.py", "tasks/engine/seed_batches.py", "tasks/engine/folders.py", "tasks/engine/parquet_rows.py"),
    "pandera": ("tasks/engine/validate.py", "tasks/schemas.py"),
    "sqlalchemy": ("tasks/engine/ledger",),
    "datasets": ("tasks/engine/folders.py",),
    "aiohttp": ("tasks/models/endpoint.py",),
    "fsspec": ("tasks/engine/places.py",),
    "ray": ("flows/ray_cluster.py",),
    "prefect_ray": ("flows/ray_cluster.py",),
}  # fmt: skip


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{path}: relative import"
            yield node.module


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_what_its_layer_may(path: Path) -> None:
    layer = next((layer for layer in LAYERS if name_of(path).startswith(f"{layer}/")), None)
    house = [m for m in imported(path) if m.split(".")[0] in ("flows", "tasks", "tests")]
    if layer is None:
        assert not [m for m in house if m.startswith("flows")]
        return
    own = "tasks." + layer.removeprefix("tasks/")
    allowed = (*LAYERS[layer], own)
    if name_of(path).startswith("tasks/models/demo/"):  # its corpus is made of the house's own prompts
        allowed = (*allowed, "tasks.engine.templates", "tasks.engine.digest", "tasks.generate", "tasks.judge")
    assert [m for m in house if not m.startswith(allowed)] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_delicate_package_is_imported_in_its_place_only(path: Path) -> None:
    for module in imported(path):
        places = ONLY_IN.get(module.split(".")[0])
        assert places is None or name_of(path).startswith(places), f"{name_of(path)} imports {module}"


def test_techniques_do_not_import_each_other() -> None:
    techniques = {
        p
        for p in MODULES
        if "@technique(" in p.read_text() and p.parent.parent.name == "tasks" and p.parent.name != "engine"
    }
    names = {".".join(p.relative_to(ROOT).with_suffix("").parts) for p in techniques}
    assert len(names) >= 5
    for path in techniques:
        assert not names & set(imported(path)), name_of(path)


@pytest.mark.parametrize(
    "module",
    [
        "flows.cli",
        "flows.config",
        "flows.preview",
        "flows.recipes.sft",
        "flows.recipes.dpo",
        "flows.service.connection",
        "flows.session",
        "flows.stopping",
        "tasks.engine.process",
    ],
)
def test_torch_and_prefect_are_not_loaded_before_they_are_needed(module: str) -> None:
    code = f"import sys, {module}; print([m for m in ('torch', 'transformers', 'prefect', 'datasets') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
        == "[]\n"
    )
