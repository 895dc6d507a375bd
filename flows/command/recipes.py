"""`stillroom recipes` and `stillroom draw`: what there is to run, and the steps of one recipe as a picture.

stillroom recipes
stillroom draw sft-evolved --svg > evolved.svg
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from flows.command.options import AsJson, RecipeArgument, nested_options


def recipes(json_: AsJson = False) -> None:
    """List the recipes: what each does, needs and is made of."""
    from flows.recipes.catalogue import all_recipes, recipe_facts

    found = [recipe_facts(recipe) for recipe in all_recipes()]
    typer.echo(json.dumps(found) if json_ else "\n".join(map(_lines, found)))


def _lines(told: dict[str, Any]) -> str:
    needs = "no seeds, but --rows N" if told["needs"] == "rows" else told["needs"]
    return (
        f"{told['recipe']}\n"
        f"    {told['about']}\n"
        f"    needs    {needs}; models: {', '.join(told['roles'])}\n"
        f"    steps    {' -> '.join(told['steps'])}\n"
        f"    source   {', '.join([told['file'], *told['papers']])}\n"
    )


def draw(
    recipe: RecipeArgument,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="what changes its steps, e.g. mode=bootstrap, critique={}")
    ] = None,
    svg: Annotated[bool, typer.Option("--svg", help="as SVG, which needs nothing else to be seen")] = False,
    json_: AsJson = False,
) -> None:
    """Print the steps of a recipe as a Mermaid flowchart, or as SVG: where rows part and meet, whom each step asks."""
    from flows.recipes.catalogue import find_recipe
    from flows.recipes.drawing import as_mermaid, drawing_of
    from flows.recipes.svg import as_svg

    drawing = drawing_of(find_recipe(recipe), nested_options({}, None, set_))
    told = {"svg": as_svg(drawing)} if svg else {"mermaid": as_mermaid(drawing)}
    typer.echo(json.dumps({"recipe": recipe, **told}) if json_ else "".join(told.values()))
