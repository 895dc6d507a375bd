"""A recipe as a picture: its steps, where rows part and meet, and the roles that each step may ask.

    stillroom draw sft-evolved --set mode=bootstrap
    stillroom draw my_recipe.py:short --svg > short.svg

A hexagon takes all rows at once, a box each row on its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from flows.recipes.catalogue import outline_of, roles_of
from flows.recipes.recipe import SEEDS, Recipe
from tasks.engine.table_step import TableStep


@dataclass(frozen=True)
class DrawnStep:
    """A step of a drawing, or one of its two ends: what the recipe begins with, and what it makes."""

    label: str
    shape: Literal["end", "row", "table"]
    roles: tuple[str, ...] = ()


@dataclass(frozen=True)
class RecipeDrawing:
    """A recipe's nodes, the first and the last of them its ends; `edges`: which node's rows go to which, by number."""

    nodes: tuple[DrawnStep, ...]
    edges: tuple[tuple[int, int], ...]


def drawing_of(recipe: Recipe, told: Mapping[str, Any] | None = None) -> RecipeDrawing:
    """What there is to draw of a recipe. `told`: what the user says, options and steps by their names."""
    outline = outline_of(recipe, told)
    steps = [
        DrawnStep(step.name, "table" if isinstance(step, TableStep) else "row", tuple(roles_of(step)))
        for step, _ in outline.steps
    ]
    begin, end = (
        DrawnStep("no seeds" if recipe.blank else SEEDS[recipe.kind], "end"),
        DrawnStep(recipe.full_name, "end"),
    )
    edges = [*outline.edges, *((before, len(steps) + 1) for before in outline.ends)]
    return RecipeDrawing((begin, *steps, end), tuple(dict.fromkeys(edges)))


def as_mermaid(drawing: RecipeDrawing) -> str:
    """The drawing as a flowchart in Mermaid's words."""
    brackets = {"end": ("([", "])"), "row": ("[", "]"), "table": ("{{", "}}")}
    lines = ["flowchart TD"]
    for number, node in enumerate(drawing.nodes):
        left, right = brackets[node.shape]
        label = "<br/>".join([node.label, *([", ".join(node.roles)] if node.roles else [])])
        lines.append(f'    {number}{left}"{label}"{right}')
    return "\n".join([*lines, *(f"    {before} --> {after}" for before, after in drawing.edges)])
