"""The configs in examples/: each makes a plan, and goes through all its steps with a scripted model in place of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from flows.config import InstructionSFT, PreferenceDPO
from flows.config_file import load_config
from flows.runs.plan import plan_of
from tasks.engine.process import process
from tasks.models.config import ModelConfig
from tasks.models.scripted import ScriptedModel
from tests.flows.test_instruction_sft import rule
from tests.flows.test_preference_dpo import judged

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
KINDS = {"sft": InstructionSFT, "dpo": PreferenceDPO}
RULES = {"sft": rule, "dpo": judged}


def command_of(example: Path) -> list[str]:
    """The command that the first line of a config names."""
    return example.read_text().splitlines()[0].removeprefix("# ").split()


def test_there_is_a_config_for_a_laptop_a_gpu_a_server_and_the_proof() -> None:
    assert [example.stem for example in EXAMPLES] == ["laptop", "one_gpu", "proof", "vllm_server"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_a_plan_of_what_it_says(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    program, kind, option, path = command_of(example)
    assert (program, option, path) == ("stillroom", "--config", f"examples/{example.name}")
    plan = plan_of(load_config(KINDS[kind], Path(path), {}))
    assert plan.folder.name == plan.dataset
    assert {config.is_endpoint for configs in plan.models.values() for config in configs} == {"server" in example.stem}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_goes_through_its_steps(example: Path, home: Path, request: pytest.FixtureRequest) -> None:
    from flows.preview import preview

    kind = command_of(example)[1]
    model = ScriptedModel(RULES[kind], name="test")
    process.adopt(ModelConfig(name="test"), model)
    request.addfinalizer(process.close)
    (home.parent / "examples").symlink_to(ROOT / "examples")
    settings = yaml.safe_load(example.read_text()) | {"model": "test"}
    settings["roles"] = {role: ["test"] * len(models) for role, models in settings.get("roles", {}).items()}
    told = preview(KINDS[kind](**settings), 1)
    assert told["requests"] == len(model.requests) > 0
    [last] = [entry for entry in told["steps"][-1]["rows"] if entry["lane"] == 0]
    assert last["made"] or [reject["reason"] for reject in last["rejects"]] == ["tie"]
