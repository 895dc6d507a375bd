"""`stillroom recipes` and `stillroom draw`: what is said of a recipe is what it does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.recipes.catalogue import drawing_of, outline_of
from flows.recipes.recipe import Steps, Tables, recipe, recipe_names
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
    assert drawing_of(both).endswith("    0 --> 1\n    0 --> 2\n    1 --> 2\n    2 --> 3")


def test_a_recipe_of_ones_own_is_drawn(home: Path) -> None:
    steps, _, own = blocks(ROOT / "docs/extending.md", "python")
    Path("my_steps.py").write_text(steps)
    Path("my_recipe.py").write_text(own)
    assert '1["shorten<br/>generator"]' in run_command("draw", "my_recipe.py:short").stdout


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
