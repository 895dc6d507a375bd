"""What a technique or a recipe of the user's own begins with: files whose test passes as they are."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from string import Template

from flows.recipes.catalogue import all_recipes
from flows.recipes.recipe import SEEDS, Kind, load_step, step_names
from tasks.engine.table_step import TableStep
from tasks.errors import ConfigError
from tasks.own_code import is_own

MY_PROMPTS = "my_prompts"
NAME = re.compile(r"[a-z][a-z0-9_]*")

TECHNIQUE = Template('''\
"""Instructions, said in fewer words."""

from pydantic import Field

from tasks.engine.ask import Models
from tasks.engine.row import Row
from tasks.engine.technique import Params, technique
from tasks.models.base import Sampling
from tasks.text.task_list import one_line

EXAMPLE = {"instruction": "Would you be so kind as to tell me what time it is?"}
"""A row to try it with."""


class $params(Params):
    """How an instruction is changed."""

    words: int = Field(20, ge=1, description="words to aim at")
    sampling: Sampling = Field(Sampling(temperature=0.7), description="how it is sampled")


@technique(reads="Instructions", writes="Instructions")
async def $name(row: Row, models: Models, params: $params) -> list[Row]:
    """Say an instruction in fewer words."""
    variables = {"instruction": row["instruction"], "words": params.words}
    changed = await models.ask("$name/$name", sampling=params.sampling, parse=one_line, **variables)
    return [row.child(instruction=changed)]
''')

PROMPT = """\
Say this in at most {{ words }} words. Write nothing else.

{{ instruction }}
"""

TECHNIQUE_TEST = Template('''\
"""$name with a scripted model, which answers by a function."""

from pathlib import Path

from $name import EXAMPLE, $name

from tasks.trial import try_out

PROMPTS = str(Path(__file__).parent / "$prompts")


def test_an_instruction_is_said_in_other_words() -> None:
    tried = try_out($name, EXAMPLE, lambda request: "What time is it?", prompts=PROMPTS)
    assert [row["instruction"] for row in tried.rows] == ["What time is it?"]
    assert EXAMPLE["instruction"] in tried.requests[0].messages[-1]["content"]
''')

RECIPE = Template('''\
"""A recipe of my own."""

$imports


@recipe("$kind")
def $name(run: Steps, $first: Tables) -> Tables:
    """$about"""
    return $body
''')

RECIPE_TEST = Template('''\
"""Two rows through all steps of $name, with a scripted model."""

from pathlib import Path

import pytest

from flows.config import $config
from flows.preview import preview
from tasks.models.base import Request

HERE = Path(__file__).parent
ROWS = [{"instruction": "What is the capital of Peru?"}, {"instruction": "Name three rivers of Asia."}]


def answer(request: Request) -> str:
    """Plays every role. Judges find a rating in it; the numbers make the answers differ."""
    return f"Reason: number {request.seed} is clear.\\nRating: {1 + request.seed % 5}"


def test_rows_go_through_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLROOM_HOME", str(tmp_path))
    prompts = HERE / "$prompts"
    told = preview(
        $config(
            recipe=f"{HERE}/$name.py:$name",
            $first=ROWS,
            model={"name": f"scripted:{__file__}:answer"},
            prompts=str(prompts) if prompts.is_dir() else None,
        ),
        rows=2,
    )
    assert set($steps) <= {step["step"] for step in told["steps"]}
    assert told["requests"] > 0
''')


@dataclass(frozen=True)
class RecipeEnding:
    """How the recipes of a kind end. `body`: code, with ROWS for what goes in."""

    steps: tuple[str, ...]
    config: str
    about: str
    body: str
    imports: str


ENDINGS: Mapping[Kind, RecipeEnding] = {
    "sft": RecipeEnding(
        ("text_generation",),
        "InstructionSFT",
        "Instructions, answered.",
        "run.through(text_generation, ROWS)",
        "from flows.recipes.recipe import Steps, Tables, recipe\n"
        "from tasks.generate.text_generation import text_generation",
    ),
    "dpo": RecipeEnding(
        ("model_pool", "ultrafeedback", "pair"),
        "PreferenceDPO",
        "Pools of responses to instructions, judged, paired.",
        'judged_pairs(run, run.through(model_pool, ROWS), "overall")',
        "from flows.recipes.judged import judged_pairs\n"
        "from flows.recipes.recipe import Steps, Tables, recipe\n"
        "from tasks.generate.model_pool import model_pool",
    ),
}


def technique_files(name: str) -> dict[str, str]:
    """A technique, its prompt and its test, by file. Raises ConfigError for a name that it cannot have."""
    check_new_name(name, step_names())
    names = {"name": name, "params": "".join(map(str.capitalize, name.split("_"))), "prompts": MY_PROMPTS}
    return {
        f"{name}.py": TECHNIQUE.substitute(names),
        f"{MY_PROMPTS}/{name}/{name}.j2": PROMPT,
        f"test_{name}.py": TECHNIQUE_TEST.substitute(names),
    }


def recipe_files(name: str, kind: Kind, steps: list[str]) -> dict[str, str]:
    """A recipe that begins with these techniques of the user's own, and its test, by file. Raises ConfigError as above."""
    check_new_name(name, [one.name for one in all_recipes()])
    ending = ENDINGS[kind]
    rows, imports = SEEDS[kind], []
    for step in steps:
        module, function = _beside(step)
        through = "run.whole" if isinstance(load_step(step), TableStep) else "run.through"
        rows = f"{through}({function}, {rows})"
        imports.append(f"from {module} import {function}")
    own = [step.rpartition(":")[2] for step in steps]
    names = {
        "name": name,
        "kind": kind,
        "first": SEEDS[kind],
        "config": ending.config,
        "about": ending.about,
        "body": ending.body.replace("ROWS", rows),
        "imports": "\n\n".join(filter(None, ("\n".join(imports), ending.imports))),
        "steps": json.dumps([*own, *ending.steps]),
        "prompts": MY_PROMPTS,
    }
    return {f"{name}.py": RECIPE.substitute(names), f"test_{name}.py": RECIPE_TEST.substitute(names)}


def check_new_name(name: str, taken: Collection[str]) -> None:
    """Raise ConfigError for a name that is none in Python, that ours have, or that would hide a module."""
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise ConfigError(
            "this is no name for it", name, "small letters, digits and _, a letter first, as in say_it_again"
        )
    if name in taken:
        raise ConfigError(
            "one of ours has this name", name, "take another: names are in what datasets say of their rows"
        )
    if find_spec(name) is not None and not Path(f"{name}.py").exists():  # that one is refused by its name
        raise ConfigError("a file of this name would hide a module of Python's", name, "take another name")


def _beside(step: str) -> tuple[str, str]:
    """The module and the function of a step in this folder. Raises ConfigError for any other."""
    file, _, function = step.rpartition(":")
    if not is_own(step) or Path(file).name != file or not Path(file).stem.isidentifier():
        raise ConfigError(
            "a step of your own in this folder is FILE.py:NAME", step, "see stillroom new-technique --help"
        )
    return Path(file).stem, function
