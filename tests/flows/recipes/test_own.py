"""Recipes and techniques of the user's own, in a folder of theirs: from the command's config to another process."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.config import InstructionSFT, PreferenceDPO
from flows.config_file import load_config
from flows.recipes.recipe import load_recipe, load_step, recipe_names
from flows.runs.plan import plan_of
from tasks.errors import ConfigError
from tasks.models.base import Request
from tasks.models.scripted import ScriptedModel

HERE = Path(__file__).parent
SEEDS = [f"Please tell me everything that you know about number {n}" for n in range(5)]


@pytest.fixture
def own(home: Path) -> Path:
    """The user's folder, which is the one to work in."""
    for name in ("own_steps.py", "own_recipe.py"):
        shutil.copy(HERE / name, home.parent / name)
    shutil.copytree(HERE / "own_prompts", home.parent / "own_prompts")
    return home.parent


def rule(request: Request) -> str:
    text = request.messages[-1]["content"] if request.messages else ""
    return "briefly" if text.startswith("Shorter: ") else f"An answer to: {text}"


def run(**options: Any) -> list[dict[str, Any]]:
    from flows.instruction_sft import instruction_sft

    instruction_sft(
        InstructionSFT(**{"model": "test", "out": "out", "seeds": SEEDS, "prompts": "own_prompts"} | options)
    )
    return pl.read_parquet("out/data/train.parquet").to_dicts()


def instructions(rows: list[dict[str, Any]]) -> set[str]:
    return {row["messages"][0]["content"] for row in rows}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"recipe": "own_recipe.py:short"}, "Please tell me everything briefly"),
        ({"recipe": "own_recipe.py:short", "params": {"shorten": {"words": 2}}}, "Please tell briefly"),
        ({"recipe": [{"step": "own_steps.py:shorten", "words": 3}, "text_generation"]}, "Please tell me briefly"),
    ],
    ids=["a recipe", "with parameters", "a list of steps"],
)
def test_a_recipe_of_ones_own_makes_a_dataset(
    own: Path, scripted: Callable[..., ScriptedModel], options: dict[str, Any], expected: str
) -> None:
    model = scripted(rule)
    assert instructions(run(**options)) == {expected}
    asked = len(model.requests)
    assert asked == 10
    run(**options)
    assert len(model.requests) == asked  # nothing is paid for twice


def test_a_changed_step_is_made_anew_and_asks_only_what_is_new(
    own: Path, scripted: Callable[..., ScriptedModel]
) -> None:
    model = scripted(rule)
    run(recipe="own_recipe.py:short")
    steps = own / "own_steps.py"
    steps.write_text(steps.read_text().replace('" ".join([*words', '"; ".join([*words'))
    assert instructions(run(recipe="own_recipe.py:short")) == {"Please; tell; me; everything; briefly"}
    assert len(model.requests) == 15  # the answers to what is shorter now, and nothing else


def test_a_changed_prompt_asks_anew_for_its_own_requests_and_those_after_it(
    own: Path, scripted: Callable[..., ScriptedModel]
) -> None:
    model = scripted(rule)
    run(recipe="own_recipe.py:short")
    (own / "own_prompts/text_generation").mkdir()
    (own / "own_prompts/text_generation/unused.j2").write_text("{{ instruction }}")
    run(recipe="own_recipe.py:short")
    assert len(model.requests) == 10  # made anew from the ledger
    (own / "own_prompts/shorten/shorten.j2").write_text("Shorter: please, {{ instruction }}")
    run(recipe="own_recipe.py:short")
    assert len(model.requests) == 15  # its answers are the same, so what comes after it is not asked again


def test_a_step_of_ones_own_is_found_by_another_process(own: Path) -> None:
    step = load_step("own_steps.py:shorten")
    assert pickle.loads(pickle.dumps(step)) is step
    code = "import pickle, sys; print(pickle.loads(sys.stdin.buffer.read()).params.model_fields)"
    told = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(step), capture_output=True, cwd=HERE.parents[2]
    )
    assert b"words" in told.stdout, told.stderr


def test_the_paths_of_a_config_are_whole(own: Path) -> None:
    (own / "config.yaml").write_text(
        "recipe:\n- own_steps.py:shorten\n- step: own_steps.py:shorten\n  words: 9\n- text_generation\n"
    )
    config = load_config(InstructionSFT, own / "config.yaml", {})
    assert config.recipe == [
        f"{own}/own_steps.py:shorten",
        {"step": f"{own}/own_steps.py:shorten", "words": 9},
        "text_generation",
    ]
    assert config.full_recipe == "sft-chain"
    assert InstructionSFT(recipe="own_recipe.py:short").recipe == f"{own}/own_recipe.py:short"
    assert InstructionSFT(recipe="own_recipe.py:short").dataset == "sft-short"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"recipe": "evolvd"}, r"no such recipe: evolvd \(did you mean evolved\?\)"),
        ({"recipe": "own_recipe.py:shart"}, r"the file has no recipe of this name: .*shart \(it has short\)"),
        ({"recipe": "own_steps.py:shorten"}, "this is no recipe"),
        ({"recipe": []}, "the recipe has no step"),
        ({"recipe": ["self_instruc"]}, r"no such step: self_instruc \(did you mean self_instruct\?\)"),
        ({"recipe": [{"words": 3}]}, "a step of the recipe has no name"),
        ({"recipe": [{"step": "evol_instruct", "generation": 3}]}, "unknown option: evol_instruct.generation"),
        ({"recipe": ["own_recipe.py:short"]}, "this is no technique"),
        ({"recipe": "own_recipe.py:short", "params": {"shorten": {"words": 0}}}, "bad value for shorten.words: 0"),
        ({"recipe": "own_recipe.py:short", "params": {"shortn": {}}}, r"a step that the recipe does not have: shortn"),
    ],
    ids=lambda value: None if isinstance(value, str) else str(value)[:60],
)
def test_a_mistake_is_one_line(own: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as error:
        plan_of(InstructionSFT(**{"seeds": SEEDS, "out": "out"} | options)).check()
    assert "\n" not in str(error.value)


def test_a_recipe_of_the_other_kind_is_refused(own: Path) -> None:
    with pytest.raises(ConfigError, match="makes another kind of dataset, sft"):
        plan_of(PreferenceDPO(recipe="own_recipe.py:short", instructions=SEEDS))


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_each_file_of_a_folder_is_a_recipe_with_words_about_it(kind: Any) -> None:
    names = recipe_names(kind)
    assert len(names) >= 3
    for name in names:
        found = load_recipe(kind, name)
        assert (found.name, found.kind) == (name, kind)
        assert found.about


def test_the_form_lets_one_choose_a_recipe_of_ours_or_name_ones_own() -> None:
    shown = InstructionSFT.model_json_schema()["properties"]["recipe"]
    assert shown["anyOf"][0]["enum"] == list(recipe_names("sft"))
    assert shown["default"] == "evolved"
