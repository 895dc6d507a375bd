"""`stillroom recipes` and `stillroom draw`: what is said of a recipe is what it does."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest

from flows.recipes.catalogue import all_recipes, find_recipe, outline_of
from flows.recipes.drawing import DrawnStep, RecipeDrawing, as_mermaid, drawing_of
from flows.recipes.recipe import Steps, Tables, recipe, recipe_names
from flows.recipes.svg import as_svg
from tasks.generate.evol_instruct import evol_instruct
from tasks.generate.text_generation import text_generation
from tests.docs.printed import ROOT, blocks
from tests.flows.command.in_process import run_command


def test_every_recipe_is_listed_with_what_it_needs_and_where_it_comes_from() -> None:
    told = run_command("recipes", "--json")
    found = {one["recipe"]: one for one in json.loads(told.stdout)}
    assert list(found) == [f"{kind}-{name}" for kind in ("sft", "dpo") for name in recipe_names(kind)]
    assert all((ROOT / one["file"]).is_file() and one["about"] for one in found.values())
    evolved = found["sft-evolved"]
    assert evolved["steps"] == ["self_instruct", "evol_instruct", "text_generation"]
    assert (evolved["needs"], evolved["roles"]) == ("seeds", ["generator", "judge", "responder"])
    assert evolved["papers"] == ["arXiv:2212.10560", "arXiv:2304.12244"]
    assert (found["sft-basic"]["needs"], found["dpo-basic"]["needs"]) == ("rows", "instructions")
    assert found["sft-dialogue"]["roles"] == ["responder", "user_simulator"], (
        "those asked in a file beside the step too"
    )
    assert found["dpo-delta"]["roles"] == ["strong", "weak"]
    assert found["dpo-critiqued"]["roles"] == ["evolver", "judge", "pool"]
    assert all(name in run_command("recipes").stdout for name in found)


def test_a_drawing_has_the_steps_of_what_is_set() -> None:
    assert run_command("draw", "sft-evolved", "--set", "mode=bootstrap").stdout.splitlines() == [
        "flowchart TD",
        '    0(["seeds"])',
        '    1{{"bootstrap<br/>generator"}}',
        '    2["evol_instruct<br/>generator, judge, responder"]',
        '    3["text_generation<br/>responder"]',
        '    4(["sft-evolved"])',
        *(f"    {at} --> {at + 1}" for at in range(4)),
    ]
    assert '1["self_instruct' in run_command("draw", "sft-evolved").stdout
    assert "critique<br/>critic, reviser" in run_command("draw", "critiqued", "--set", "critique={}").stdout
    assert "critic, reviser" not in run_command("draw", "critiqued").stdout


def test_a_drawing_shows_where_rows_part_and_meet() -> None:
    @recipe("sft")
    def both(run: Steps, seeds: Tables) -> Tables:
        """Instructions as they are and made harder, answered."""
        return run.through(text_generation, [*seeds, *run.through(evol_instruct, seeds)])

    assert outline_of(both).edges == [(0, 1), (0, 2), (1, 2)]
    assert as_mermaid(drawing_of(both)).endswith("    0 --> 1\n    0 --> 2\n    1 --> 2\n    2 --> 3")


def test_a_recipe_of_ones_own_is_drawn(home: Path) -> None:
    steps, _, own = blocks(ROOT / "docs/extending.md", "python")
    Path("my_steps.py").write_text(steps)
    Path("my_recipe.py").write_text(own)
    assert '1["shorten<br/>generator"]' in run_command("draw", "my_recipe.py:short").stdout
    svg = run_command("draw", "my_recipe.py:short", "--svg").stdout
    assert _texts(svg) == ["seeds", "shorten", "generator", "text_generation", "responder", "sft-short"]


SVG = "{http://www.w3.org/2000/svg}"


def _texts(svg: str) -> list[str]:
    return [str(one.text) for one in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def _boxes(svg: str) -> list[tuple[float, float, float, float]]:
    """Left, top, right and foot of each node, in the order of the drawing."""
    boxes = []
    for one in ElementTree.fromstring(svg).iter():
        if one.get("class") == "node":
            if "points" in one.attrib:
                corners = [tuple(map(float, corner.split(","))) for corner in one.attrib["points"].split()]
                (xs, ys) = zip(*corners, strict=True)
                boxes.append((min(xs), min(ys), max(xs), max(ys)))
            else:
                x, y, width, height = (float(one.attrib[name]) for name in ("x", "y", "width", "height"))
                boxes.append((x, y, x + width, y + height))
    return boxes


BRANCHES = RecipeDrawing(
    tuple(DrawnStep(f"step {at}", "table" if at == 3 else "row", ("judge", "a<b")[: at % 3]) for at in range(6)),
    ((0, 1), (1, 2), (0, 3), (1, 3), (2, 3), (3, 4), (1, 4), (1, 5), (4, 5)),
)


@pytest.mark.parametrize(
    "drawing",
    [*map(drawing_of, all_recipes()), drawing_of(find_recipe("sft-evolved"), {"mode": "bootstrap"}), BRANCHES],
    ids=lambda drawing: drawing.nodes[-1].label,
)
def test_an_svg_has_each_step_and_role_in_a_box_of_its_own_and_no_edge_behind_one(drawing: RecipeDrawing) -> None:
    svg = as_svg(drawing)
    said = [word for node in drawing.nodes for word in (node.label, ", ".join(node.roles)) if word]
    assert [text for text in _texts(svg) if not text.startswith("A hexagon")] == said
    page, boxes = ElementTree.fromstring(svg), _boxes(svg)
    assert len(boxes) == len(drawing.nodes)
    for left, top, right, foot in boxes:
        assert left >= 0 and top >= 0 and right <= float(page.attrib["width"]) and foot <= float(page.attrib["height"])
    for one, other in combinations(boxes, 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    edges = [str(one.get("d")) for one in page.iter(f"{SVG}path") if one.get("class") == "edge"]
    assert len(edges) == len(drawing.edges)
    for edge, (before, after) in zip(edges, drawing.edges, strict=True):
        numbers = [float(number) for number in re.findall(r"[\d.]+", edge)]
        assert numbers[1] == boxes[before][3] and numbers[-1] == boxes[after][1]
        lanes = re.findall(r" ([\d.]+) ([\d.]+)V([\d.]+)", edge)
        assert all(
            right < float(x) or float(x) < left
            for x, y, _ in lanes
            for left, top, right, foot in boxes
            if top == float(y)
        )


def test_a_drawing_goes_on_one_line_of_json_too() -> None:
    assert json.loads(run_command("draw", "sft-evolved", "--json").stdout)["mermaid"].startswith("flowchart TD")
    assert json.loads(run_command("draw", "sft-evolved", "--svg", "--json").stdout)["svg"].startswith("<svg ")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("evolved", "several recipes have this name: evolved (say sft-evolved or dpo-evolved)"),
        ("sft-evolvd", "no such recipe: sft-evolvd (did you mean sft-evolved?)"),
        ("none.py:short", "cannot read a recipe: none.py"),
    ],
)
def test_a_recipe_that_there_is_not_is_one_line(name: str, said: str, home: Path) -> None:
    told = run_command("draw", name)
    assert (told.returncode, told.stdout, told.stderr.count("\n")) == (2, "", 1)
    assert said in told.stderr
