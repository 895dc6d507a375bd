"""A recipe as a picture: its steps from top to bottom, with the roles that each may ask. The words are those of `draw`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flows.recipes.catalogue import find_recipe, needs_of, outline_of, roles_of
from flows.recipes.recipe import SEEDS, Kind, recipe_names
from tasks.engine.table_step import TableStep
from tasks.errors import ConfigError

WIDTH, STEP_HEIGHT, GAP, MARGIN = 260, 44, 22, 40


@dataclass(frozen=True)
class Node:
    """A box: the step's name, the roles it asks, whether it takes all rows at once."""

    name: str
    roles: str
    is_whole: bool
    y: int


@dataclass(frozen=True)
class Graph:
    """Boxes and the lines between them; `needs`: what the recipe has to be told of its first rows."""

    nodes: tuple[Node, ...]
    edges: tuple[str, ...]
    about: str
    needs: str
    width: int = WIDTH + 2 * MARGIN

    @property
    def height(self) -> int:
        """Of the whole picture."""
        return len(self.nodes) * (STEP_HEIGHT + GAP)


def graph_of(kind: Kind, settings: dict[str, Any], default: str) -> Graph | None:
    """The picture of the recipe that a config names, None where there is no such recipe."""
    told = settings.get("recipe", default)
    try:
        recipe = find_recipe(f"{kind}-{told}" if told in recipe_names(kind) else told)
        outline = outline_of(recipe, settings)
    except (ConfigError, TypeError, AttributeError):
        return None
    names = [("no seeds" if recipe.blank else SEEDS[recipe.kind], "", False)]
    names += [(step.name, ", ".join(roles_of(step)), isinstance(step, TableStep)) for step, _ in outline.steps]
    names.append((recipe.full_name, "", False))
    nodes = tuple(Node(*one, at * (STEP_HEIGHT + GAP)) for at, one in enumerate(names))
    edges = [*outline.edges, *((before, len(names) - 1) for before in outline.ends)]
    lines = tuple(_edge(nodes[before], nodes[after], after - before) for before, after in dict.fromkeys(edges))
    return Graph(nodes, lines, recipe.about, needs_of(recipe))


def _edge(before: Node, after: Node, apart: int) -> str:
    """The path of a line: straight to the next box, in a curve past others."""
    x, top, bottom = MARGIN + WIDTH // 2, before.y + STEP_HEIGHT, after.y
    if apart == 1:
        return f"M{x} {top}V{bottom}"
    right, bend = MARGIN + WIDTH, MARGIN - 4
    middle = before.y + STEP_HEIGHT // 2
    end = after.y + STEP_HEIGHT // 2
    return f"M{right} {middle}C{right + bend} {middle} {right + bend} {end} {right} {end}"
