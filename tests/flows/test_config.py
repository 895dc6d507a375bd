"""Options, YAML and the flows' parameters are one set of models."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from flows.config import InstructionSFT, PreferenceDPO
from flows.config_file import load_config
from tasks.errors import ConfigError
from tests.serving import environment

CONFIGS = Path(__file__).parents[2] / "deployments" / "configs"


def test_the_configs_that_are_shipped_are_valid() -> None:
    assert load_config(InstructionSFT, CONFIGS / "instruction-sft.yaml", {}).rows == 100
    assert load_config(PreferenceDPO, CONFIGS / "preference-dpo.yaml", {}).recipe == "critiqued"


def test_an_option_is_laid_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("rows: 3\nevol_instruct: {generations: 2, keep: all}\nmodel: demo\n")
    config = load_config(InstructionSFT, file, {"rows": 5, "evol_instruct": {"generations": 3}})
    assert (config.rows, config.evol_instruct.generations, config.evol_instruct.keep) == (5, 3, "all")
    assert config.model.name == "demo"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("rosw: 3", "did you mean rows?", id="top level"),
        pytest.param("evol_instruct: {generatoins: 2}", "did you mean generations?", id="within a technique"),
        pytest.param("model: {nmae: x}", "did you mean name?", id="within a model"),
        pytest.param("evol_instruct: {generations: many}", "evol_instruct.generations", id="wrong type"),
        pytest.param("max_reject_fraction: 2", "less than or equal to 1", id="out of bounds"),
        pytest.param("- a list", "not a mapping", id="a list"),
        pytest.param(
            f"seeds: [{{instruction: a, n: {2**70}}}]", "more than 64 bits", id="a number that ends Prefect's API"
        ),
        pytest.param(
            f"params: {{shorten: {{words: [{2**70}]}}}}", "more than 64 bits", id="such a number in a parameter"
        ),
    ],
)
def test_a_fault_in_the_yaml_is_one_line_with_the_fix(text: str, expected: str, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(InstructionSFT, file, {})
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_of_a_long_bad_value_only_the_beginning_is_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(InstructionSFT, None, {"seeds": ["a question", 2**64] * 1000})
    assert len(str(caught.value)) < 500


def test_whole_numbers_of_64_bits_are_taken() -> None:
    seeds = [{"instruction": "a", "n": number} for number in (-(2**63), 2**64 - 1)]
    assert load_config(InstructionSFT, None, {"seeds": seeds}).seeds == seeds


def test_every_option_has_a_description_for_the_form_of_prefects_ui() -> None:
    for kind in (InstructionSFT, PreferenceDPO):
        for name, field in kind.model_fields.items():
            assert field.description or isinstance(field.default, BaseModel), name


@pytest.mark.parametrize("recipe", ["deita", "magpie_ultra"])
def test_what_a_run_was_told_makes_it_again_with_what_its_recipe_curates(recipe: str) -> None:
    from flows.runs.plan import plan_of

    first = plan_of(InstructionSFT(model="demo", recipe=recipe, rows=3))
    again = plan_of(InstructionSFT.model_validate(first.told))
    assert first.curate.diversify is not None and again.curate == first.curate
    off = plan_of(InstructionSFT(model="demo", recipe=recipe, rows=3, curate={"diversify": None}))
    assert plan_of(InstructionSFT.model_validate(off.told)).curate.diversify is None


def test_a_flow_that_was_run_has_its_form_where_it_is_deployed(tmp_path: Path) -> None:
    """As it is declared to be run, its schema is left out, which takes a while to make; what deploys it makes it."""
    script = (
        "from flows.config import InstructionSFT, RunConfig; from flows.revise import flow_of\n"
        "flow = flow_of(InstructionSFT())\n"
        "told = flow.parameters.model_dump()\n"
        "deployed = flow.to_deployment('x')._parameter_openapi_schema.model_dump()\n"
        "import json; print(json.dumps([told, deployed, RunConfig.has_form]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(tmp_path), capture_output=True, text=True, check=True
    )
    told, deployed, has_form = json.loads(done.stdout.splitlines()[-1])
    assert told["required"] == deployed["required"] == ["config"]
    assert not told["definitions"]
    assert list(deployed["definitions"]["InstructionSFT"]["properties"])[:2] == ["recipe", "seeds"]
    assert has_form
