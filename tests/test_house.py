"""The house keeps its shape: no circles, no crowded folders, no long files, and settings are read at the door alone."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.mutants import MUTANTS, Mutant
from tests.test_imports import MODULES, ROOT, imported, name_of

MOST_MODULES = 16
ONE_EACH = ("tasks/generate", "tasks/judge", "tasks/curate", "flows/recipes/sft", "flows/recipes/dpo")
"""Where each file is one technique or one recipe, and there may be 24."""
MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 60
MOST_PARAMETERS = 8
DOOR = (
    "flows/command/",
    "flows/notebook.py",
    "flows/config.py",
    "flows/config_file.py",
    "flows/runs/plan.py",
    "flows/runs/planning/",
    "flows/instruction_sft.py",
    "flows/preference_dpo.py",
    "flows/curate.py",
    "flows/revise.py",
    "flows/curate_dataset.py",
    "flows/judges/compare_judges.py",
    "flows/estimate.py",
    "flows/preview.py",
    "flows/retry_failed.py",
    "flows/service/deploy.py",
    "flows/studio/",
)
"""Who may look at what a run was told before a plan is made of it."""
SHARED_NAMES = {
    **dict.fromkeys(
        ("sft", "dpo", "curate", "serve", "deploy", "clean", "export", "fit", "prove", "push"),
        "a command, and what it starts",
    ),
    **dict.fromkeys(("basic", "evolved"), "a recipe of each kind of dataset"),
    "main": "where a process begins",
    "router": "the pages of a part of the studio",
}
"""Names that several modules give to the same thing."""


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


NAMES = {module_name(path): path for path in MODULES}


def house_imports(path: Path) -> set[str]:
    """The modules of the house that a module imports, at its top or in a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (inner & NAMES.keys()) | ({node.module} if inner - NAMES.keys() else set())
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return (found & NAMES.keys()) - {module_name(path), "flows"}  # importing `flows` settles which packages are ours


def circle(edges: Mapping[str, Iterable[str]]) -> list[str]:
    """Some nodes that reach each other, the first once more at the end; none where there are no such."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def test_no_modules_import_each_other() -> None:
    assert circle({name: house_imports(path) for name, path in NAMES.items()}) == []


def test_no_folders_import_each_other() -> None:
    edges: dict[str, set[str]] = defaultdict(set)
    for path in MODULES:
        here = path.parent.relative_to(ROOT)
        for other in house_imports(path):
            there = NAMES[other].parent.relative_to(ROOT)
            if here != there and not (here.is_relative_to(there) or there.is_relative_to(here)):
                edges[str(here)].add(str(there))
    assert circle(edges) == []


def test_no_folder_is_crowded() -> None:
    count = Counter(str(path.parent.relative_to(ROOT)) for path in MODULES if path.name != "__init__.py")
    assert {folder: n for folder, n in count.items() if n > (24 if folder in ONE_EACH else MOST_MODULES)} == {}


def test_text_files_are_utf_8_wherever_they_are_read() -> None:
    """Without an encoding a file is read in that of the machine."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                given = {keyword.arg for keyword in node.keywords}
                assert node.func.attr not in ("read_text", "write_text") or "encoding" in given, f"{path}:{node.lineno}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_file_and_no_function_is_long_or_takes_much(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MOST_LINES
    tree = ast.parse(path.read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lines = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in functions}
    assert {name: n for name, n in lines.items() if n > MOST_LINES_OF_A_FUNCTION} == {}
    commands = {node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and _is_command(node)}
    many = {name: n for node, name, n in _parameters(tree) if n > MOST_PARAMETERS and node not in commands}
    assert many == {}


def _parameters(tree: ast.AST) -> Iterator[tuple[ast.AST, str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            yield node, node.name, len([one for one in given if one.arg not in ("self", "cls")])


def _is_command(node: ast.FunctionDef) -> bool:
    """Whether a function is a command of Typer's, whose parameters are its options."""
    return any("command" in ast.unparse(decorator) for decorator in node.decorator_list)


def test_a_public_name_has_one_meaning() -> None:
    """Of the constants, those that another module imports: the others are read beside their definition alone."""
    taken = {(node.module, alias.name) for node in _imports() for alias in node.names}
    homes: dict[str, set[str]] = defaultdict(set)
    told_apart: set[str] = set()
    for module, path in NAMES.items():
        for name, is_constant in _defined(ast.parse(path.read_text())):
            homes[name].add(module)
            told_apart |= {name} if not is_constant or (module, name) in taken else set()
    assert {name for name in told_apart if len(homes[name]) > 1} == SHARED_NAMES.keys()


def _defined(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """The public names that a module defines at its top, and whether each is a constant or a type alias."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names, is_constant = [node.name], False
        else:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            names, is_constant = [one.id for one in targets if isinstance(one, ast.Name)], True
        yield from ((name, is_constant) for name in names if not name.startswith("_"))


def _imports() -> Iterator[ast.ImportFrom]:
    for path in MODULES:
        yield from (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom))


def test_what_a_run_was_told_is_read_at_the_door_alone() -> None:
    readers = {name_of(path) for path in MODULES if "flows.config" in set(imported(path))}
    assert {name for name in readers if not name.startswith(DOOR)} == set()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_mutant_still_finds_what_it_changes(mutant: Mutant) -> None:
    text = (ROOT / mutant.file).read_text()
    assert [old for old, _ in mutant.changes if old not in text] == []
    assert all((ROOT / name.split("::")[0]).exists() for name in mutant.tests.split())
