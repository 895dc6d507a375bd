"""`stillroom export --for`: the format that a trainer reads, and a file that starts it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from datasets import load_dataset
from typer.testing import CliRunner

from flows.command.main import app
from tests.flows.test_instruction_sft import Scripted, rule, sft
from tests.flows.test_preference_dpo import dpo, judged
from tests.models.tiny import save_tiny_model

MARKED = [
    {"role": "user", "content": "a"},
    {"role": "assistant", "content": "b", "train": False},
    {"role": "user", "content": "c"},
]


def export(*words: str) -> list[str]:
    done = CliRunner().invoke(app, ["export", *words])
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(save_tiny_model(tmp_path / "tiny"))


def test_what_each_trainer_is_told(scripted: Scripted, home: Path, model: str) -> None:
    scripted(rule)
    sft(recipe="respond", seeds=[{"messages": MARKED}, "question 1"])
    for trainer in ("trl", "axolotl", "llamafactory", "unsloth"):
        export("out", "--for", trainer, "--model", os.path.relpath(model), "--max-length", "512")
    axolotl: dict[str, Any] = yaml.safe_load(Path("out-axolotl/axolotl.yaml").read_text())
    [rows] = axolotl["datasets"]
    assert rows["message_field_training"] == "train"
    with contextlib.chdir("out-axolotl"):  # where it is started; it opens what is named as this does
        opened = load_dataset(rows["ds_type"], data_files=rows["data_files"], split=rows["split"])
    assert Path("out-axolotl", rows["path"]).is_dir() and opened.num_rows == 2
    assert (axolotl["eot_tokens"], axolotl["sequence_len"], axolotl["base_model"]) == (["<|im_end|>"], 512, model)
    told = json.loads(Path("out-llamafactory/dataset_info.json").read_text())["out-llamafactory"]
    assert (Path("out-llamafactory") / told["file_name"]).exists() and told["formatting"] == "sharegpt"
    assert yaml.safe_load(Path("out-llamafactory/train.yaml").read_text())["dataset"] == "out-llamafactory"
    for script in ("out-trl/train.py", "out-unsloth/unsloth_cell.py"):
        text = Path(script).read_text()
        compile(text, script, "exec")
        assert 'eos_token="<|im_end|>"' in text


def test_auto_is_a_length_at_which_the_rows_stay_whole(scripted: Scripted, home: Path, model: str) -> None:
    scripted(rule)
    sft(recipe="respond", seeds=[f"question {at} " + "long " * at for at in range(20)])
    export("out", "--for", "axolotl", "--model", model)
    length = yaml.safe_load(Path("out-axolotl/axolotl.yaml").read_text())["sequence_len"]
    assert length % 64 == 0 and 64 < length < 512


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "nothing to export it as"),
        (("--for", "trl"), "--for needs to know the model to train"),
        (("--for", "trl", "--format", "alpaca"), "--for chooses the format"),
        (("--for", "trl", "--model", "demo", "--max-length", "long"), "no length"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(
    scripted: Scripted, home: Path, words: tuple[str, ...], said: str
) -> None:
    scripted(rule)
    sft(recipe="respond", seeds=["question 1", "question 2"])
    done = CliRunner().invoke(app, ["export", "out", *words])
    assert done.exit_code == 2 and said in done.output
    assert not Path("out-trl").exists() or not list(Path("out-trl").glob("*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_the_script_of_trl_trains(scripted: Scripted, home: Path, model: str, kind: str) -> None:
    pytest.importorskip("trl", reason="needs the extra prove")
    if kind == "sft":
        scripted(rule)
        sft(recipe="respond", seeds=[f"question {at}" for at in range(8)])
    else:
        scripted(judged)
        dpo(recipe="basic", instructions=[f"question {at}" for at in range(8)])
    folder = "out" if kind == "sft" else "pairs"
    export(folder, "--for", "trl", "--model", model)
    options = (
        "--max_steps 1 --use_cpu true --bf16 false --report_to none --per_device_train_batch_size 2 --output_dir o"
    )
    command = [sys.executable, str(Path(f"{folder}-trl/train.py").absolute()), *options.split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert list(Path("o").glob("*.safetensors"))
