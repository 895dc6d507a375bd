"""What there is to run: each recipe with its steps, what it needs and where it comes from.

stillroom recipes
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from flows.recipes.recipe import SEEDS, Kind, Outline, Recipe, Step, load_recipe, recipe_names
from tasks.errors import ConfigError, did_you_mean
from tasks.own_code import is_own, load

ASKS = ("ask", "chat", "complete", "embed", "score")
DEFAULT_ROLES = {"embed": "embedder", "score": "reward"}
IS_STEP = re.compile(r"^@(?:technique|row_filter|table_step)\(", re.MULTILINE)
PAPER = re.compile(r"arXiv:\d{4}\.\d{4,5}")


def all_recipes() -> list[Recipe]:
    """The recipes that come with this project."""
    return [load_recipe(kind, name) for kind in get_args(Kind) for name in recipe_names(kind)]


def find_recipe(name: str) -> Recipe:
    """A recipe by its name ("critiqued"), with its kind ("sft-evolved"), or as FILE.py:NAME. Raises ConfigError for none, or several."""
    if is_own(name):
        return load_recipe(getattr(load(name, "a recipe"), "kind", "sft"), name)
    ours = all_recipes()
    found = [one for one in ours if name in (one.name, one.full_name)]
    if len(found) > 1:
        raise ConfigError("several recipes have this name", name, f"say {' or '.join(one.full_name for one in found)}")
    if not found:
        names = [one.full_name for one in ours]
        raise ConfigError("no such recipe", name, did_you_mean(name, names, f"there are {', '.join(names)}"))
    return found[0]


def outline_of(recipe: Recipe, told: Mapping[str, Any] | None = None) -> Outline:
    """The steps that a recipe takes. `told`: what the user says, options and steps by their names."""
    told = told or {}
    outline = Outline(told, lambda step: step.name in told)
    outline.ends = recipe.function(outline, [0])
    return outline


def recipe_facts(recipe: Recipe) -> dict[str, Any]:
    """What a recipe is, as plain JSON."""
    steps = [step for step, _ in outline_of(recipe).steps]
    return {
        "recipe": recipe.full_name,
        "about": recipe.about,
        "needs": needs_of(recipe),
        "roles": sorted({role for step in steps for role in roles_of(step)}),
        "steps": [step.name for step in steps],
        "papers": sorted({paper for step in steps for paper in _papers_of(step)}),
        "file": f"{recipe.function.__module__.replace('.', '/')}.py",
    }


def needs_of(recipe: Recipe) -> str:
    """What a run of it has to be told of its first rows."""
    if recipe.seeds_optional:
        return f"{SEEDS[recipe.kind]} or rows"
    return "rows" if recipe.blank else SEEDS[recipe.kind]


def roles_of(step: Step) -> list[str]:
    """The roles whose models a step may ask, read from the code of its file and of those beside it that it takes from."""
    return sorted({role for tree in _files_of(step) for role in _roles_in(tree)})


def _roles_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ASKS:
            by = next((word.value for word in node.keywords if word.arg == "by"), None)
            if isinstance(by, ast.JoinedStr):  # f"pool[{number}]"
                by = by.values[0]
            if by is None:
                yield DEFAULT_ROLES.get(node.func.attr, "generator")
            elif isinstance(by, ast.Constant):
                yield str(by.value).rstrip("[")


def _papers_of(step: Step) -> list[str]:
    return PAPER.findall(f"{ast.get_docstring(_file_of(step))} {step.function.__doc__}")


def _files_of(step: Step) -> Iterator[ast.Module]:
    """The step's file, and the ones in its folder that it imports from, where these are no steps themselves."""
    file = _file_of(step)
    yield file
    package = step.function.__module__.rpartition(".")[0]
    for node in ast.walk(file):
        if package and isinstance(node, ast.ImportFrom) and (node.module or "").rpartition(".")[0] == package:
            beside = Path(inspect.getfile(step.function)).with_name(f"{str(node.module).rpartition('.')[2]}.py")
            code = beside.read_text(encoding="utf-8") if beside.is_file() else ""
            if not IS_STEP.search(code):
                yield ast.parse(code)


def _file_of(step: Step) -> ast.Module:
    return ast.parse(Path(inspect.getfile(step.function)).read_text(encoding="utf-8"))
