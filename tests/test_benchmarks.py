"""The benches run outside CI: here, that what they import is there, in their functions too."""

from __future__ import annotations

import ast
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

BENCHES = sorted(path for path in (Path(__file__).parent / "benchmarks").glob("*.py") if path.name != "__init__.py")


@pytest.mark.parametrize("path", BENCHES, ids=lambda path: path.stem)
def test_what_a_bench_imports_of_the_house_is_there(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.split(".")[0] in ("flows", "tasks", "tests")
        ):
            module = import_module(node.module)
            for alias in node.names:
                assert hasattr(module, alias.name) or find_spec(f"{node.module}.{alias.name}"), (
                    f"{node.module}.{alias.name}"
                )
