"""The loss curve of a student is that of a plain TRL script with the same settings, however a step is divided."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.train.lessons import lessons_of
from tasks.train.settings import Training
from tasks.train.student import Student
from tests.train.test_lessons import file_of, turns
from tests.train.test_prove import WORDS, curve, echoes, student

pytest.importorskip("trl", reason="needs the extra prove")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default"), pytest.mark.usefixtures("on_one_thread")]


def plain_curve(
    trainer: Any, config: Any, base: str, rows: list[dict[str, Any]], folder: Path, peft_config: Any = None, **told: Any
) -> list[float]:
    """The losses of a script that knows nothing of us."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.pad_token = tokenizer.eos_token
    arguments = config(
        output_dir=str(folder),
        per_device_train_batch_size=8,
        max_length=1024,
        seed=0,
        logging_steps=1,
        report_to=[],
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        save_strategy="no",
        **told,
    )
    model = AutoModelForCausalLM.from_pretrained(base, dtype="float32")
    given = {"train_dataset": Dataset.from_list(rows), "processing_class": tokenizer, "peft_config": peft_config}
    plain = trainer(model, args=arguments, **given)
    plain.train()
    return [line["loss"] for line in plain.state.log_history if "loss" in line]


def test_the_curve_is_that_of_a_plain_script(base: str, tmp_path: Path) -> None:
    from trl import SFTConfig, SFTTrainer

    made = student(base, tmp_path)
    made.train(tmp_path / "students")
    rows = [{"prompt": row["messages"][:1], "completion": row["messages"][1:]} for row in echoes(60)]
    told = {"num_train_epochs": 8, "learning_rate": 3e-3}
    losses = plain_curve(SFTTrainer, SFTConfig, base, rows, tmp_path / "plain", **told)
    assert curve(made, tmp_path / "students") == pytest.approx(losses, abs=1e-4)
    assert losses[-1] < losses[0] / 4


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_the_curve_of_pairs_is_that_of_a_plain_script(base: str, tmp_path: Path, weight: float) -> None:
    from trl import DPOConfig, DPOTrainer

    pairs = [{"prompt": f"{n} {WORDS[n % 5]}", "chosen": WORDS[n % 5], "rejected": "no"} for n in range(40)]
    training = Training(epochs=3, batch=8, learning_rate=1e-3, lora=0, beta=0.3, sft_weight=weight)
    made = Student(base, lessons_of(file_of(tmp_path, pairs), None), training)
    made.train(tmp_path / "students")
    rows = [
        {"prompt": turns(row["prompt"])}
        | {side: [{"role": "assistant", "content": row[side]}] for side in ("chosen", "rejected")}
        for row in pairs
    ]
    told = {"num_train_epochs": 3, "learning_rate": 1e-3, "beta": 0.3}
    told |= {"loss_type": ["sigmoid", "sft"], "loss_weights": [1, weight]} if weight else {}
    losses = plain_curve(DPOTrainer, DPOConfig, base, rows, tmp_path / "plain", **told)
    assert curve(made, tmp_path / "students") == pytest.approx(losses, abs=1e-4)
    assert losses[-1] < losses[0] * 0.7


@pytest.mark.parametrize("native", [False, True], ids=["float32", "bfloat16"])
def test_adapters_taught_a_few_rows_at_once_have_the_curve_of_whole_batches(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, native: bool
) -> None:
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    from tasks.train import student as students

    monkeypatch.setattr(students, "_has_accelerator", lambda: False)
    monkeypatch.setattr(students, "bfloat16_is_native", lambda _: native)
    monkeypatch.setattr(students, "TOKENS_AT_ONCE", 100)  # two rows of 36 to 48 tokens
    whole = student(base, tmp_path)
    made = Student(base, whole.lessons, whole.training.model_copy(update={"lora": 4, "epochs": 2}))
    assert made._rows_at_once() == 2
    made.train(tmp_path / "students")
    rows = [{"prompt": row["messages"][:1], "completion": row["messages"][1:]} for row in echoes(60)]
    adapters = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    told = {"num_train_epochs": 2, "learning_rate": 3e-3, "peft_config": adapters}
    losses = plain_curve(SFTTrainer, SFTConfig, base, rows, tmp_path / "plain", **told)
    assert len(losses) == 16  # 60 rows, 8 at once, twice: the last step of each round has four
    assert curve(made, tmp_path / "students") == pytest.approx(losses, rel=1e-2 if native else 1e-5, abs=1e-4)


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_adapters_of_pairs_have_the_curve_of_whole_batches(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weight: float
) -> None:
    from peft import LoraConfig
    from trl import DPOConfig, DPOTrainer

    from tasks.train import student as students

    monkeypatch.setattr(students, "_has_accelerator", lambda: False)
    monkeypatch.setattr(students, "bfloat16_is_native", lambda _: False)
    monkeypatch.setattr(students, "TOKENS_AT_ONCE", 100)  # a pair of twice some 40 tokens
    pairs = [
        {"prompt": f"{n} {WORDS[n % 5]}", "chosen": WORDS[n % 5] * (1 + n % 3), "rejected": "no"} for n in range(36)
    ]
    training = Training(epochs=2, batch=8, learning_rate=1e-2, lora=4, sft_weight=weight)
    made = Student(base, lessons_of(file_of(tmp_path, pairs), None), training)
    assert made._rows_at_once() == 1
    made.train(tmp_path / "students")
    rows = [
        {"prompt": turns(row["prompt"])}
        | {side: [{"role": "assistant", "content": row[side]}] for side in ("chosen", "rejected")}
        for row in pairs
    ]
    adapters = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    told = {"num_train_epochs": 2, "learning_rate": 1e-2, "beta": 0.1, "peft_config": adapters}
    told |= {"loss_type": ["sigmoid", "sft"], "loss_weights": [1, weight]} if weight else {}
    losses = plain_curve(DPOTrainer, DPOConfig, base, rows, tmp_path / "plain", **told)
    assert curve(made, tmp_path / "students") == pytest.approx(losses, abs=1e-4)
    assert losses[-1] < losses[0]
