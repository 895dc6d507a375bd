"""`stillroom recipes` and `stillroom draw`: what there is to run, and the steps of one recipe as a picture.

stillroom recipes
stillroom draw evolved | mermaid-cli -i - -o evolved.svg
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from flows.command.options import AsJson, nested_options
from flows.command.running import telling_mistakes


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
    recipe: Annotated[str, typer.Argument(help="sft-evolved, critiqued, or my_recipe.py:name")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="what changes its steps, e.g. mode=bootstrap, critique={}")
    ] = None,
    json_: AsJson = False,
) -> None:
    """Print the steps of a recipe as a Mermaid flowchart."""

    def show() -> None:
        from flows.recipes.catalogue import drawing_of, find_recipe

        drawing = drawing_of(find_recipe(recipe), nested_options({}, [], set_ or []))
        typer.echo(json.dumps({"recipe": recipe, "mermaid": drawing}) if json_ else drawing)

    telling_mistakes(show)
